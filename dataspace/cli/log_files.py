"""`gba audit verify --log`, `proof` and `check-proof`: any tlog-tiles log, with keys one holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol

import typer

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint, verify_checkpoint
from dataspace.audit.lost import LOST, gone
from dataspace.audit.merkle import leaf_hash
from dataspace.audit.notes import MAX_NOTE_BYTES, VerifierKey, parse_note, parse_vkey
from dataspace.audit.proofs import make_proof, parse_proof, verify_proof
from dataspace.audit.quorum import CosignedCheckpoint, Quorum
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle
from dataspace.audit.tree import Tree
from dataspace.audit.url_reader import SCHEMES, UrlReader
from dataspace.audit.verify import Entries, TileReader, VerifiedLog, verify_log
from dataspace.cli.options import Format, FormatOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.errors import Malformed, Unverified

_MAX_FILE_BYTES = MAX_NOTE_BYTES + 100_000

LogOption = Annotated[str | None, typer.Option("--log", help="a log's directory or URL")]
KeyOption = Annotated[
    str | None, typer.Option("--key", help="the log's verifier key, or @FILE that holds it")
]
WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", help="a witness's verifier key, or @FILE; may be given again"),
]
QuorumOption = Annotated[
    int | None, typer.Option("--quorum", min=1, help="so many of the witnesses, not all")
]
SeenOption = Annotated[
    Path | None, typer.Option("--seen", help="a checkpoint seen before, which the log must extend")
]


class LogReader(TileReader, Protocol):
    """A log's files, cosigned checkpoint included."""

    def cosigned(self) -> str | None: ...


@dataclass(frozen=True)
class CheckedLog:
    """A log that verified, and what witnesses say of it."""

    log: VerifiedLog
    entries: Entries
    cosigned: CosignedCheckpoint | None

    def to_json(self) -> dict[str, object]:
        """As the command prints it."""
        return {
            "owner": "",
            "origin": self.log.origin,
            "verified": True,
            "size": self.log.size,
            "root": self.log.root.hex(),
            "reason": "",
            "entries": str(self.entries),
            "entries_checked": self.log.entries_checked,
            "cosigned": _as_json(self.cosigned),
        }


def verify_one(
    log: str, key: str | None, witness: Sequence[str], quorum: int | None, seen: Path | None,
    entries: Entries, format_: Format,
) -> None:  # fmt: skip
    """Verify one log with the keys given, and print what was found. Raises what is wrong."""
    log_key = _only_key(key)
    rule = _quorum(log_key, witness, quorum)
    earlier = [] if seen is None else [verify_checkpoint(_text(seen), log_key)]
    try:
        checked = check_log(reader_of(log), log_key, rule, earlier, entries)
    except Unverified as error:
        if format_ is Format.JSON:
            failed = {"owner": "", "origin": log_key.name, "verified": False,
                      "size": None, "root": None, "reason": error.message}  # fmt: skip
            print_json({"logs": [failed]})
        raise
    if format_ is Format.JSON:
        print_json({"logs": [checked.to_json()]})
        return
    _print(checked)


def check_log(
    reader: LogReader, key: VerifierKey, rule: Quorum | None, seen: Sequence[Checkpoint],
    entries: Entries,
) -> CheckedLog:  # fmt: skip
    """The log, computed again, extending both what was seen and what was cosigned."""
    cosigned = None if rule is None else _cosigned(reader, rule)
    earlier = [*seen, *([cosigned.checkpoint] if cosigned else [])]
    return CheckedLog(verify_log(reader, key, seen=earlier, entries=entries), entries, cosigned)


def reader_of(log: str) -> LogReader:
    """The reader of a directory or a URL."""
    scheme, divider, _ = log.partition("://")
    if divider and scheme in SCHEMES:
        return UrlReader(log)
    if not Path(log).is_dir():
        raise Malformed(f"{log} is no directory and no URL of a log", code="no-log")
    return DirectoryReader(Path(log))


@told
def proof(
    log: Annotated[str, typer.Option("--log", help="a log's directory or URL")],
    index: Annotated[int, typer.Option("--index", min=0, help="the entry's, from 0")],
    key: KeyOption = None,
    file: Annotated[Path | None, typer.Option("--out", help="write NAME.tlog-proof")] = None,
    entry: Annotated[Path | None, typer.Option("--entry", help="write the entry too")] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Write the proof that an entry is in a log: a C2SP tlog-proof, to be checked offline.

    It stands under the checkpoint that witnesses cosigned, where that covers the entry.
    """
    del format_  # a proof has one form
    reader = reader_of(log)
    latest = reader.checkpoint()
    size = _size(latest)
    if index >= size:
        raise Malformed(f"the log has no entry {index}: it has {size}", code="entry-index")
    cosigned = reader.cosigned()
    note = cosigned if cosigned is not None and _size(cosigned) > index else latest
    if key is not None:
        verify_checkpoint(note, _only_key(key))
    tree = Tree(size, reader.read)
    text = make_proof(tree, index, note).to_text()
    if entry is not None:
        data = _entry(reader, index, size)
        if data == LOST:
            raise gone(index)
        if leaf_hash(data) != tree.node(0, index):
            raise Unverified(f"entry {index} is not that of its hash tile", code="entry-hash")
        entry.write_bytes(data)
    if file is None:
        typer.echo(text, nl=False)
    else:
        file.write_text(text)
        out.print(f"{file}: entry {index} of {_size(note)}")


@told
def check_proof(
    file: Annotated[Path, typer.Argument(help="a tlog-proof")],
    entry: Annotated[Path, typer.Option("--entry", help="the entry's bytes")],
    key: KeyOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Check a proof against the entry and the keys that you hold. No network. Exit 6 if it fails.

    What a proof carries as extra data is not authenticated, and is not looked at.
    """
    log_key = _only_key(key)
    rule = _quorum(log_key, witness or (), quorum)
    read = parse_proof(_text(file))
    leaf = leaf_hash(_bytes(entry))
    checkpoint = verify_proof(read, leaf, log_key)
    cosigned = None if rule is None else rule.check(read.note_text)
    if format_ is Format.JSON:
        print_json({"origin": checkpoint.origin, "index": read.index, "size": checkpoint.size,
                    "root": checkpoint.root.hex(), "leaf": leaf.hex(),
                    "cosigned": _as_json(cosigned)})  # fmt: skip
        return
    out.print(f"entry {read.index} is in the log {checkpoint.origin}, under size {checkpoint.size}")
    out.print(_told_by(cosigned))


def _cosigned(reader: LogReader, rule: Quorum) -> CosignedCheckpoint:
    """The latest checkpoint that a quorum cosigned: the log's own, or the one kept for that."""
    try:
        return rule.check(reader.checkpoint())
    except Unverified as error:
        kept = reader.cosigned() if error.code == "not-cosigned" else None
        if kept is None:
            raise
        return rule.check(kept)


def _quorum(key: VerifierKey, witness: Sequence[str], needed: int | None) -> Quorum | None:
    keys = [each for given in witness for each in _keys(given)]
    if not keys:
        if needed is not None:
            raise Malformed("--quorum counts witnesses: give --witness", code="quorum")
        return None
    return Quorum.of_witnesses(key, keys, needed or len({each.name for each in keys}))


def _only_key(given: str | None) -> VerifierKey:
    if given is None:
        raise Malformed("give the log's verifier key: --key VKEY, or @FILE", code="no-key")
    keys = _keys(given)
    if len(keys) != 1:
        raise Malformed("one verifier key of the log is needed", code="no-key")
    return keys[0]


def _keys(given: str) -> list[VerifierKey]:
    """The keys in a text, or in the file that it names with `@`: one a line."""
    text = _text(Path(given[1:])) if given.startswith("@") else given
    return [parse_vkey(line) for line in text.split("\n") if line]


def _entry(reader: TileReader, index: int, size: int) -> bytes:
    number, at = divmod(index, FULL_WIDTH)
    tile = Tile(None, number, min(FULL_WIDTH, size - number * FULL_WIDTH))
    return decode_bundle(tile, reader.read(tile))[at]


def _size(note_text: str) -> int:
    return parse_checkpoint(parse_note(note_text).text).size


def _text(file: Path) -> str:
    try:
        return _bytes(file).decode()
    except UnicodeDecodeError:
        raise Malformed(f"{file} is not UTF-8 text", code="file") from None


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Malformed(f"{file} cannot be read ({error.strerror})", code="file") from None
    if len(data) > _MAX_FILE_BYTES:
        raise Malformed(f"{file} is longer than any such file", code="file")
    return data


def _print(checked: CheckedLog) -> None:
    log = checked.log
    print_rows(
        ["log", "entries", "root", "result"],
        [(log.origin, log.size, log.root.hex()[:16] + "…", "verified")],
    )
    told_of: Mapping[Entries, str] = {
        Entries.CANONICAL: "every entry, hash and signature holds",
        Entries.HASHED: "every hash and signature holds; what entries say was not looked at",
        Entries.ABSENT: "every hash tile, the root and the signature hold; no entry was read",
    }
    out.print(told_of[checked.entries])
    out.print(_told_by(checked.cosigned))


def _told_by(cosigned: CosignedCheckpoint | None) -> str:
    if cosigned is None:
        return "no witness was asked for: the owner's signature alone stands behind it"
    names = ", ".join(sorted(cosigned.by_region))
    return f"cosigned up to entry {cosigned.size} by {names}, {_moment(cosigned.at_s)}"


def _as_json(cosigned: CosignedCheckpoint | None) -> dict[str, object] | None:
    if cosigned is None:
        return None
    return {"size": cosigned.size, "by": sorted(cosigned.by_region),
            "at": _moment(cosigned.at_s)}  # fmt: skip


def _moment(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat()
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return f"{at_s} s"
