"""`gba evidence verify`, `gba audit export`, and the file of `gba query --evidence`."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.evidence import trust_lists_in
from dataspace.client.homes import NoActor, actor_home, space_home
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.bundle import MAX_BYTES
from dataspace.evidence.pinned import Pinned, pin
from dataspace.evidence.quorum import trusted_quorum
from dataspace.evidence.report import Report
from dataspace.evidence.verification import verify_evidence
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.envelopes import parse_envelope
from dataspace.v1.envelope_pb2 import Envelope

app = typer.Typer(help="prove a release, alone and offline", no_args_is_help=True)

_MARKS = {"ok": "holds", "failed": "FAILS", "skipped": "–"}


@app.callback()
def _group() -> None:
    """Commands about evidence files."""


@app.command()
@told
def verify(
    file: Annotated[Path, typer.Argument(help="an evidence file")],
    trust: Annotated[
        Path | None,
        typer.Option("--trust", help="version 1 of the trust list, or a folder of versions"),
    ] = None,
    trust_sha256: Annotated[
        str, typer.Option("--trust-sha256", help="the digest of version 1, instead")
    ] = "",
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Verify an evidence file, step by step, from nothing but it and the trust list you hold.

    No network. Exit 6 at the first step that fails, which is named.
    """
    del actor  # verification needs nobody
    pinned = _pinned(trust, trust_sha256, home)
    report = verify_evidence(_read(file), pinned, trusted_quorum)
    if format_ is Format.JSON:
        print_json(_as_json(report))
    else:
        rows = [(step.name, _MARKS[step.result], step.words) for step in report.steps]
        print_rows(["step", "", "what was found"], rows)
    report.require()
    if format_ is not Format.JSON:
        out.print("every step holds: this release was asked, decided and combined as it says")


@told
def export(
    release: Annotated[str, typer.Argument(help="the release's id, as `gba query` gives it")],
    file: Annotated[Path, typer.Option("--out", help="where to write the evidence")],
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Write the evidence of an earlier release: for who asked, and for regulators."""
    check_writable(file)
    with Session(actor_home(home, actor)) as session:
        data = session.evidence(release)
    write_evidence(file, data)
    if format_ is Format.JSON:
        print_json({"release": release, "evidence": str(file), "bytes": len(data)})
    else:
        out.print(f"{file}: {len(data)} bytes, verified; check it with `gba evidence verify`")


def check_writable(file: Path) -> None:
    """Raise `Malformed` early where an evidence file could not be written."""
    folder = file.parent
    if file.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise Malformed(
            f"{file} cannot be written: name a file in a directory that is there and yours",
            code="evidence-path",
        )


def write_evidence(file: Path, data: bytes) -> None:
    """Write the file whole or not at all; for its owner's eyes only (mode 0600)."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.rename(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(
            f"{file} could not be written ({error.strerror})", code="evidence-path"
        ) from None


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 256)
    except OSError as error:
        raise Malformed(f"{file} cannot be read ({error.strerror})", code="evidence-path") from None


def _pinned(trust: Path | None, sha256: str, home: Path | None) -> Pinned:
    """What the verifier goes by: a digest, a file, a folder of versions, or a home's own."""
    if sha256:
        try:
            digest = bytes.fromhex(sha256)
        except ValueError:
            digest = b""
        if len(digest) != hashlib.sha256().digest_size or trust is not None:
            raise NoActor("--trust-sha256 takes 64 hexadecimal digits, and stands without --trust")
        return Pinned(digest)
    if trust is None:
        root = space_home(home)
        trust = root if (root / CONFIG).is_file() else root / "broker"
    return _pinned_in(trust)


def _pinned_in(trust: Path) -> Pinned:
    try:
        lists = _lists_in(trust)
        if not lists:
            raise Unavailable(f"{trust} holds no trust list", code="trust-missing")
        first = hashlib.sha256(lists[0].payload).digest()
        if (trust / CONFIG).is_file():
            first = bytes.fromhex(PartyHome(trust).config.trust_sha256)
        return pin(lists, first)
    except OSError as error:
        raise Unavailable(
            f"{trust} cannot be read ({error.strerror})", code="trust-missing"
        ) from None
    except Malformed as error:
        # Not the caller's mistake: a list that does not parse is not to be believed.
        raise Unverified(
            f"the trust list in {trust} cannot be read ({error.message})", code="trust-list-form"
        ) from None


def _lists_in(trust: Path) -> list[Envelope]:
    if trust.is_file():
        return [parse_envelope(trust.read_bytes())]
    return trust_lists_in(trust / "trust" if (trust / CONFIG).is_file() else trust)


def _as_json(report: Report) -> dict[str, object]:
    return {
        "verified": report.failed is None,
        "failed": report.failed.name if report.failed else None,
        "steps": [
            {"step": step.name, "result": step.result, "words": step.words, "code": step.code}
            for step in report.steps
        ],
    }
