"""Options that every command shares, and how errors leave a command."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console

from dataspace.client.homes import NoActor
from dataspace.errors import DataspaceError, Unavailable
from dataspace.exits import USAGE, exit_code


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    ARROW = "arrow"


HomeOption = Annotated[
    Path | None, typer.Option("--home", help="the space's or one party's directory [GBA_HOME]")
]
ActorOption = Annotated[
    str | None,
    typer.Option("--as", help="who acts: REGION/ROLE or REGION/MEMBER/ROLE/NAME [GBA_AS]"),
]
FormatOption = Annotated[Format, typer.Option("--format", help="how to print")]

errors = Console(stderr=True, highlight=False)
_LEFT_OUT = ("pyarrow", "duckdb")  # of the broker's image; see deploy/Dockerfile

P = ParamSpec("P")
R = TypeVar("R")


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Turn the error tree into messages and exit codes, in this one place."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        chosen = kwargs.get("format_") or Format.TABLE
        try:
            return command(*args, **kwargs)
        except NoActor as error:
            _say({"error": "usage", "code": "usage", "rule": "", "basis": "",
                  "message": str(error)}, chosen)  # fmt: skip
            raise typer.Exit(USAGE) from None
        except DataspaceError as error:
            _say({"error": error.kind, "code": error.code, "rule": error.rule,
                  "basis": error.basis, "message": error.message}, chosen)  # fmt: skip
            raise typer.Exit(exit_code(error)) from None
        except ModuleNotFoundError as error:
            if error.name not in _LEFT_OUT:
                raise
            lacking = Unavailable(
                f"this installation is a broker's, without {error.name}; run this command from the "
                "node's image or a member's installation",
                code="installation",
            )
            _say({"error": lacking.kind, "code": lacking.code, "rule": "", "basis": "",
                  "message": lacking.message}, chosen)  # fmt: skip
            raise typer.Exit(exit_code(lacking)) from None

    return run


def _say(error: dict[str, str], chosen: object) -> None:
    if chosen != Format.TABLE or not sys.stderr.isatty():
        sys.stderr.write(json.dumps(error, ensure_ascii=False) + "\n")
        return
    errors.print(f"[bold red]{error['error']}[/]: {_plain(error['message'])}")
    if error["rule"]:
        errors.print(f"  rule   {_plain(error['rule'])}")
    if error["basis"]:
        errors.print(f"  basis  {_plain(error['basis'])}")


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
