"""Putting a backup back into an empty directory. Rim.

Everything is unpacked beside its place and verified: the stream's seals, each file's digest, the
node's signature, the log from its entries up. Only then do files get their names, and only after
that does the directory lose the mark of one that is half made. What is put back does not run by
itself: its log takes no entry until witnesses have said that it is not behind (`log/restored.json`;
see `node.restored`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.audit.notes import parse_vkey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import RESTORED
from dataspace.audit.verify import verify_log
from dataspace.backup.archive import Read, read_archive
from dataspace.backup.sealed_stream import OpeningReader
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.home import MAKING, PartyHome
from dataspace.identity.dsse import parse_envelope, parse_strictly
from dataspace.identity.envelopes import open_envelope
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.sealing import SealingKey
from dataspace.processes import now_ms
from dataspace.v1.backup_pb2 import BackupManifest

_STAGING = ".restoring"
_KEPT = frozenset({"lost+found"})  # of an empty volume
_MAX_MANIFEST = 1 << 20


@dataclass(frozen=True)
class Mark:
    """A log that was put back: when, and how many entries the backup held of it."""

    at_ms: int
    size: int


@dataclass(frozen=True)
class Restored:
    """A node's directory that was put back."""

    uri: str
    made_at_ms: int
    log_size: int
    trust_sha256: str  # version 1 of the trust list, for the operator to compare
    ledger_elsewhere: bool


def restore(file: Path, key: SealingKey, home: Path) -> Restored:
    """Put a backup back into `home`, which is absent or empty.

    Raises `Malformed` or `Unverified` for what is no whole backup for this key, `Refused`
    (`restore-not-empty`), and `Unavailable`; `home` is as it was then.
    """
    with _staging(home) as staging:
        read = _unpack(file, key, staging)
        restored = _verify(staging, read)
        write_mark(staging / "log", Mark(now_ms(), restored.log_size))
        os.sync()  # all files at once: there may be a million
        for path in sorted(staging.iterdir()):
            path.rename(home / path.name)
    sync_directory(home)
    (home / MAKING).unlink()
    sync_directory(home)
    return restored


def write_mark(log: Path, mark: Mark) -> None:
    """Say of a log that it was put back."""
    draft = log / f"{RESTORED}.new"
    write_synced(draft, json.dumps(vars(mark), sort_keys=True).encode() + b"\n")
    draft.rename(log / RESTORED)
    sync_directory(log)


def read_mark(log: Path) -> Mark | None:
    """What `write_mark` wrote; None for a log that was not put back, or is confirmed."""
    try:
        mark = json.loads((log / RESTORED).read_text())
        return Mark(int(mark["at_ms"]), int(mark["size"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise Unavailable(
            f"{log / RESTORED} cannot be read; restore the backup again", code="log-restored"
        ) from None


@contextmanager
def _staging(home: Path) -> Iterator[Path]:
    """A folder inside `home`, marked as half made; both are taken away where anything fails."""
    made = not home.exists()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if {each.name for each in home.iterdir()} - _KEPT:
            raise Refused(
                f"{home} is not empty, and a backup is put back into nothing else: name an empty "
                "or absent directory, or empty this one after a restore that was cut short",
                code="restore-not-empty", rule="restore-not-empty", basis="space rule: backups",
            )  # fmt: skip
        (home / MAKING).touch(mode=0o600)
        staging = home / _STAGING
        staging.mkdir(mode=0o700)
    except OSError as error:
        raise Unavailable(f"{home} cannot be written ({error.strerror})", code="disk") from None
    try:
        yield staging
        staging.rmdir()
    except BaseException as error:
        if {each.name for each in home.iterdir()} <= _KEPT | {MAKING, _STAGING}:
            shutil.rmtree(staging, ignore_errors=True)
            (home / MAKING).unlink(missing_ok=True)
            with suppress(OSError):
                if made:
                    home.rmdir()
        if isinstance(error, OSError):
            raise Unavailable(
                f"the backup cannot be put back ({error.strerror}); make room and try again",
                code="disk",
            ) from None
        raise


def _unpack(file: Path, key: SealingKey, staging: Path) -> Read:
    try:
        source = file.open("rb")
    except OSError as error:
        raise Unavailable(
            f"{file} cannot be read ({error.strerror})", code="backup-missing"
        ) from None
    with source:
        opening = OpeningReader(source, key)
        read = read_archive(cast(IO[bytes], BufferedReader(opening, 1 << 20)), staging)
        opening.check_end()
        return read


def _verify(staging: Path, read: Read) -> Restored:
    home = PartyHome(staging)
    config = home.config
    if config.kind != "node":
        raise Malformed("this is no backup of a node", code="backup-form")
    try:
        envelope = parse_envelope(read.manifest)
        stated = parse_strictly(BackupManifest, envelope.payload, _MAX_MANIFEST)
        # As of then: certificates and lists may have run out since, and a backup is read late.
        trust = home.trust(stated.made_at_ms)
        at = datetime.fromtimestamp(stated.made_at_ms / 1000, UTC)
        manifest = open_envelope(envelope, BackupManifest, trust.for_kept(), at).message
    except DataspaceError as error:
        raise Unverified(
            f"the backup's manifest is not believed: {error.message}", code="backup-manifest"
        ) from None
    same = (
        manifest.signer.uri == config.uri
        and manifest.files_sha256 == read.files_sha256
        and manifest.files == read.files
        and manifest.origin == config.log_origin
        and manifest.space == config.space
    )
    if not same:
        raise Unverified(
            "the backup's manifest is of other files, or of another node", code="backup-manifest"
        )
    _verify_log(staging, trust, manifest)
    return Restored(
        config.uri,
        manifest.made_at_ms,
        manifest.log_size,
        config.trust_sha256,
        manifest.ledger_elsewhere,
    )


def _verify_log(staging: Path, trust: TrustList, manifest: BackupManifest) -> None:
    vkeys = [log.vkey for log in trust.logs if log.origin == manifest.origin]
    if not vkeys:
        raise Unverified("the trust list names no log of this node", code="log")
    reader = DirectoryReader(staging / "log")
    text = reader.cosigned()
    cosigned = quorum_of(trust, manifest.origin).check(text).checkpoint if text else None
    log = verify_log(reader, parse_vkey(vkeys[0]), seen=[cosigned] if cosigned else [])
    if (log.size, log.root) != (manifest.log_size, manifest.log_root):
        raise Unverified("the log is not that of the backup's manifest", code="backup-manifest")
