"""`gba backup` and `gba restore`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dataspace import __version__
from dataspace.audit.url_reader import UrlReader
from dataspace.backup.catching_up import catch_up
from dataspace.backup.making import make_backup
from dataspace.backup.recovery_keys import make_recovery_key, read_private, read_public
from dataspace.backup.restoring import restore as restore_backup
from dataspace.cli.options import Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.homes import space_home
from dataspace.errors import Malformed
from dataspace.home import CONFIG, PartyHome

app = typer.Typer(help="back up a region's node", no_args_is_help=False)


@app.callback(invoke_without_command=True)
@told
def backup(
    context: typer.Context,
    home: HomeOption = None,
    file: Annotated[Path | None, typer.Option("--out", help="the file to write")] = None,
    recovery_key: Annotated[
        Path | None, typer.Option("--recovery-key", help="the public recovery key to seal to")
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Write everything of a node into one sealed file, while it runs or not."""
    if context.invoked_subcommand is not None:
        return
    if file is None or recovery_key is None:
        raise Malformed(
            "say where to and for whom: --out FILE --recovery-key PUB; `gba backup keygen` makes a "
            "key",
            code="backup-usage",
        )
    node = _node_home(home)
    made = make_backup(node, file, read_public(recovery_key), __version__)
    if format_ is Format.JSON:
        print_json({**vars(made), "file": str(made.file)})
        return
    out.print(f"{made.file}: {made.files:,} files, {made.bytes:,} bytes, log of {made.log_size:,}")
    if made.ledger_elsewhere:
        out.print(
            "the ledger is on PostgreSQL and not in it: back that up as well, with pg_dump",
            style="yellow",
        )


@app.command()
@told
def keygen(
    file: Annotated[
        Path, typer.Argument(help="the private key to make; FILE.pub stands beside it")
    ],
) -> None:
    """Make a recovery key. Keep FILE away from the node; the node needs FILE.pub alone."""
    public = make_recovery_key(file)
    out.print(f"{public}: for `gba backup --recovery-key`")
    out.print(f"{file}: opens every backup made with it; keep it apart, and keep it")


@told
def restore(
    file: Annotated[Path | None, typer.Argument(help="a file of `gba backup`")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="the private recovery key")] = None,
    home: Annotated[
        Path | None, typer.Option("--home", help="the node's directory: absent or empty")
    ] = None,
    catching_up: Annotated[
        bool, typer.Option("--catch-up", help="fill a restored log up from its public copy")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option("--from", help="with --catch-up: http://BROKER/logs/REGION"),
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Put a node back from a backup; it runs once witnesses have confirmed its log."""
    if home is None or (catching_up and (source is None or file is not None)):
        raise Malformed("say which directory: --home HOME; and --from URL with --catch-up",
                        code="restore-usage")  # fmt: skip
    if catching_up:
        assert source is not None
        _catch_up(PartyHome(home), source, format_)
        return
    if file is None or key is None:
        raise Malformed("say what, with which key: FILE --key KEY", code="restore-usage")
    restored = restore_backup(file, read_private(key), home)
    if format_ is Format.JSON:
        print_json(vars(restored))
        return
    when = datetime.fromtimestamp(restored.made_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    out.print(f"{home}: {restored.uri} as of {when} UTC, log of {restored.log_size:,}")
    out.print(f"trust list pinned at {restored.trust_sha256}: compare it with another region's")
    if restored.ledger_elsewhere:
        out.print("its ledger is on PostgreSQL, and not in the backup", style="yellow")
    out.print("start the node: it asks the witnesses whether its log is the newest they have seen")


def _catch_up(home: PartyHome, source: str, format_: Format) -> None:
    before, after = catch_up(home, UrlReader(source))
    if format_ is Format.JSON:
        print_json({"home": str(home.path), "from": before, "until": after, "lost": after - before})
        return
    out.print(f"{home.path}: the log has {after:,} entries again")
    if after > before:
        out.print(
            f"lost with the disk: entries {before:,} to {after - 1:,} and their bodies, what was "
            "agreed, consented and loaded meanwhile; their hashes are there, and the log will "
            "say so",
            style="yellow",
        )


def _node_home(home: Path | None) -> PartyHome:
    root = space_home(home)
    if not (root / CONFIG).is_file():
        raise Malformed(
            f"{root} is no one party's directory; name a node's, such as --home {root}/hongkong",
            code="home-kind",
        )
    return PartyHome(root)
