"""Making a backup of a node's directory, also while the node runs. Rim.

The node says in its log that a backup was begun before anything is read: whoever takes one
takes everything. A node that runs does so itself, over its local socket, and brings its log into
its public files; of one that does not, the log is held until the backup is whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.durable import sync_directory
from dataspace.audit.entries import Entry
from dataspace.audit.notes import verifier_key
from dataspace.audit.reader import CHECKPOINT
from dataspace.audit.store import LogStore
from dataspace.backup.archive import ArchiveWriter
from dataspace.backup.contents import Source, contents
from dataspace.backup.sealed_stream import SealingWriter
from dataspace.errors import Malformed, Refused, Unavailable
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.keystore import load_private_key
from dataspace.linkage.sealing import PublicSealingKey
from dataspace.local_socket import ask_locally
from dataspace.processes import now_ms
from dataspace.v1.backup_pb2 import BackupManifest

BEGUN = "backup.begun"


@dataclass(frozen=True)
class Made:
    """A backup that is whole, and durable."""

    file: Path
    bytes: int
    files: int
    log_size: int
    running: bool
    ledger_elsewhere: bool


def make_backup(home: PartyHome, out: Path, key: PublicSealingKey, release: str) -> Made:
    """Write a node's backup to a new file, sealed to a recovery key. `release` is ours.

    Raises `Malformed` for another party's directory, `Refused` (`backup-no-overwrite`) where
    `out` is there, and `Unavailable`; nothing is left then.
    """
    _check_kind(home)
    home.check_whole()
    if out.exists():
        raise Refused(
            f"{out} is there already; name another file, or move it away",
            code="backup-no-overwrite", rule="backup-no-overwrite", basis="space rule: backups",
        )  # fmt: skip
    with _draft(out) as (draft, stream):
        with _log_at_rest(home, key) as running, ExitStack() as opened:
            sealing = SealingWriter(stream, key)
            archive = ArchiveWriter(cast(IO[bytes], sealing))
            checkpoint = _write(home, archive, opened)
            manifest = seal(_manifest(home, archive, checkpoint, release), home.identity)
            archive.finish(manifest.SerializeToString())
            sealing.finish()
        stream.flush()
        os.fsync(stream.fileno())
        try:
            os.link(draft, out)
        except FileExistsError:
            raise Unavailable(f"{out} has come into being meanwhile", code="disk") from None
        sync_directory(out.absolute().parent)
        size = stream.tell()
    return Made(out, size, archive.files, checkpoint.size, running, bool(home.config.ledger))


def _check_kind(home: PartyHome) -> None:
    kind = home.config.kind
    if kind == "node":
        return
    why = {
        "broker": "it keeps nothing that matters: make another, with a log of its own",
        "witness": "one that is put back could cosign what it has cosigned otherwise: make another",
        "revocation": "one that is put back would forget revocations: copy register.db after each",
        "actor": "copy its keys and certificates, or join anew",
    }[kind]
    raise Malformed(
        f"{home.path} is of a {kind}, and a backup is of a node: {why}", code="home-kind"
    )


def _write(home: PartyHome, archive: ArchiveWriter, opened: ExitStack) -> Checkpoint:
    """Write everything; the checkpoint of the log as it was written."""
    texts: list[str] = []

    def noting(sources: Iterator[Source]) -> Iterator[Source]:
        for source in sources:
            if source.path == f"log/{CHECKPOINT}":
                texts.append(source.open().read().decode())
            yield source

    archive.add_all(noting(contents(home.path, opened)))
    return verify_checkpoint(texts[0], verifier_key(home.config.log_origin, _log_key(home)))


def _manifest(
    home: PartyHome, archive: ArchiveWriter, checkpoint: Checkpoint, release: str
) -> BackupManifest:
    return BackupManifest(
        space=home.config.space,
        made_at_ms=now_ms(),
        release=release,
        origin=checkpoint.origin,
        log_size=checkpoint.size,
        log_root=checkpoint.root,
        ledger_elsewhere=bool(home.config.ledger),
        files=archive.files,
        files_sha256=hashlib.sha256(archive.listing).digest(),
    )


@contextmanager
def _log_at_rest(home: PartyHome, key: PublicSealingKey) -> Iterator[bool]:
    """The log, recorded into and published; whether the node runs, and goes on appending."""
    fields = {"recovery_key_sha256": hashlib.sha256(key.data).hexdigest()}
    try:
        log = LogStore.open(home.path / "log", home.config.log_origin, _log_key(home))
    except Unavailable as error:
        if error.code != "log-locked":
            raise
        reply = ask_locally(home.path / "run", {"do": "backup", **fields})
        if reply is None:
            raise Unavailable(
                "the node is starting or stopping; try again in a moment", code="backup-busy"
            ) from None
        yield True
        return
    with log:
        log.append(Entry(BEGUN, now_ms(), fields))
        log.publish()
        yield False


def _log_key(home: PartyHome) -> Ed25519PrivateKey:
    key = load_private_key(home.path / "keys/log.key")
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed("keys/log.key must be an Ed25519 key", code="log-key")
    return key


@contextmanager
def _draft(out: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """A private file beside `out`, which is gone at the end."""
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as stream:
            yield draft, stream
    except OSError as error:
        raise Unavailable(
            f"the backup cannot be written to {out.parent} ({error.strerror})", code="disk"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
