"""`gba audit verify --log`, `gba audit proof`, `check-proof`: any C2SP log, alone and offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint, verify_checkpoint
from dataspace.audit.merkle import leaf_hash, prove_inclusion
from dataspace.audit.notes import VerifierKey, parse_note, parse_vkey
from dataspace.audit.proofs import Proof, parse_proof, verify_proof
from dataspace.audit.quorum import Quorum
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tree import Tree
from dataspace.audit.url_reader import UrlReader
from dataspace.audit.verify import Entries, TileReader, VerifiedLog, verify_log
from dataspace.cli.options import Format, FormatOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.errors import Malformed, Unverified

WitnessOption = Annotated[
    list[str] | None,
    typer.Option("--witness", help="a witness's verifier key, or @FILE; may be repeated"),
]
QuorumOption = Annotated[
    int | None,
    typer.Option("--quorum", min=1, help="how many of the witnesses must have cosigned [all]"),
]
KeyArgument = Annotated[str, typer.Option("--key", help="the log's verifier key, or @FILE")]


def verify_foreign(
    log: str,
    key: str,
    witnesses: list[str],
    quorum: int | None,
    seen: Path | None,
    entries: Entries,
    format_: Format,
) -> None:
    """Verify one log wherever it is, and print what was found. Raises `Unverified`."""
    log_key = read_key(key)
    reader = reader_of(log)
    before = None if seen is None else seen_checkpoint(seen, log_key)
    verified = verify_log(reader, log_key, seen=before, entries=entries)
    cosigned = check_witnesses(reader.checkpoint(), log_key, witnesses, quorum)
    _print(verified, cosigned, entries, format_)


def reader_of(log: str) -> TileReader:
    """A reader for a directory or a URL prefix."""
    if "://" in log:
        return UrlReader(log)
    if not Path(log).is_dir():
        raise Malformed(f"there is no directory {log}", code="log-missing")
    return DirectoryReader(Path(log))


def read_key(text: str) -> VerifierKey:
    """A verifier key from its text or from `@FILE`."""
    return parse_vkey(_file(text[1:]).strip() if text.startswith("@") else text)


def seen_checkpoint(file: Path, key: VerifierKey) -> Checkpoint:
    """A checkpoint that the verifier kept from before, with the log's signature."""
    return verify_checkpoint(_file(str(file)), key)


def check_witnesses(
    note_text: str, log_key: VerifierKey, witnesses: list[str], needed: int | None
) -> tuple[str, ...]:
    """Who cosigned, of the witnesses that the verifier names. Raises `Unverified` for too few."""
    if not witnesses:
        return ()
    keys: dict[str, list[VerifierKey]] = {}
    for text in witnesses:
        key = read_key(text)
        keys.setdefault(key.name, []).append(key)
    rule = Quorum(
        log_key, "", {name: tuple(each) for name, each in keys.items()}, needed or len(keys)
    )
    return tuple(sorted(rule.check(note_text).by_region))


@told
def proof(
    log: Annotated[str, typer.Option("--log", help="the log's directory or URL prefix")],
    index: Annotated[int, typer.Option("--index", min=0, help="which entry")],
    file: Annotated[Path | None, typer.Option("--out", help="the file to write")] = None,
) -> None:
    """Write a C2SP tlog-proof: that an entry is in the log, under its latest checkpoint."""
    reader = reader_of(log)
    text = reader.checkpoint()
    size = parse_checkpoint(parse_note(text).text).size
    if index >= size:
        raise Malformed(f"the log has {size} entries, and none with index {index}", code="index")
    written = Proof(index, prove_inclusion(Tree(size, reader.read), index, size), text).to_text()
    if file is None:
        typer.echo(written, nl=False)
        return
    file.write_text(written)
    out.print(f"{file}: proof of entry {index} of {size}")


@told
def check_proof(
    file: Annotated[Path, typer.Argument(help="a tlog-proof file")],
    entry: Annotated[Path, typer.Option("--entry", help="the entry's bytes")],
    key: KeyArgument,
    witness: WitnessOption = None,
    quorum: QuorumOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Verify a tlog-proof from its file, the entry and the keys alone. Exit 6 where it fails."""
    read = parse_proof(_file(str(file)))
    log_key = read_key(key)
    try:
        leaf = leaf_hash(entry.read_bytes())
    except OSError:
        raise Malformed(f"{entry} cannot be read", code="file") from None
    checkpoint = verify_proof(read, leaf, log_key)
    cosigned = check_witnesses(read.note_text, log_key, witness or [], quorum)
    if format_ is Format.JSON:
        print_json({"origin": checkpoint.origin, "index": read.index, "size": checkpoint.size,
                    "witnesses": list(cosigned), "verified": True})  # fmt: skip
        return
    out.print(f"entry {read.index} is in {checkpoint.origin}, of {checkpoint.size} entries")
    if cosigned:
        out.print(f"cosigned by {', '.join(cosigned)}")


def _print(
    verified: VerifiedLog, cosigned: tuple[str, ...], entries: Entries, format_: Format
) -> None:
    if format_ is Format.JSON:
        print_json(
            {
                "logs": [
                    {
                        "origin": verified.origin,
                        "verified": True,
                        "size": verified.size,
                        "root": verified.root.hex(),
                        "entries_checked": verified.entries_checked,
                        "witnesses": list(cosigned),
                    }
                ]
            }
        )
        return
    print_rows(
        ["log", "entries", "root", "cosigned by", "result"],
        [(verified.origin, verified.size, verified.root.hex()[:16] + "…",
          ", ".join(cosigned) or "not asked for", "verified")],
    )  # fmt: skip
    if entries is Entries.NONE:
        out.print("tiles, root and signature hold; the entries were not read")


def _file(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        raise Malformed(f"{path} cannot be read", code="file") from None
    except UnicodeDecodeError:
        raise Unverified(f"{path} is not UTF-8 text", code="file") from None
