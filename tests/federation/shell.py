"""`gba` within this process: the same commands without the start of an interpreter."""

from __future__ import annotations

from typer.testing import CliRunner

from dataspace.cli.main import app
from tests.spaces import Ran, Space


def gba(*arguments: str) -> Ran:
    """What `tests.spaces.run_gba` would come to; an error that escapes is raised here."""
    done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


def gba_in(space: Space, *arguments: str) -> Ran:
    """`gba … --home HOME`."""
    return gba(*arguments, "--home", str(space.home))


def query(space: Space, sql: str, *extra: str, actor: str = "hongkong/researcher") -> Ran:
    """`gba query … --format json`, for health research."""
    return gba_in(
        space, "query", sql, "--purpose", "HRESCH", "--format", "json", "--as", actor, *extra
    )
