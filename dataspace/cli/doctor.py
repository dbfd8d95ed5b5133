"""`gba doctor`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dataspace.cli.options import Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import space_home
from dataspace.doctor.bundle import as_json, write_report
from dataspace.doctor.examining import examine, parties_in
from dataspace.doctor.findings import Examined, Finding, Level
from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified

_AT_ONCE = 4
_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "bold red"}


@told
def doctor(
    home: HomeOption = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="write a redacted bundle for whoever helps")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="show what is well too")] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Check keys, clock, disk, ports, trust, broker, policies and logs, and say what to do.

    On a party's home, or a space's. Exit 5 where something does not work, 6 where a party's own
    files are not to be believed.
    """
    if format_ not in {Format.TABLE, Format.JSON}:
        raise Malformed("findings are shown as table or json", code="format")
    # Warnings of the modules that are used are findings here already.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    root = space_home(home)
    parties = parties_in(root)
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # most of it is waiting for disk and broker
        found = list(pool.map(lambda each: examine(*each), parties))
    if report is not None:
        write_report(report, root, parties, found)
    if format_ is Format.JSON:
        print_json({"parties": [as_json(each) for each in found]})
    else:
        _print(found, all_=all_)
        if report is not None:
            out.print(f"report in {report}: look it over before you send it", style="dim")
    error = outcome(found)
    if error is not None:
        raise error


def outcome(found: Sequence[Examined]) -> DataspaceError | None:
    """The error that the command ends with; None where nothing fails."""
    failures = [(each.party, one) for each in found for one in each.of(Level.FAILURE)]
    if not failures:
        return None
    party, first = next((pair for pair in failures if pair[1].unverified), failures[0])
    kind = Unverified if first.unverified else Unavailable
    many = f"{len(failures)} failures" if len(failures) > 1 else "1 failure"
    return kind(f"{many}; {party}: {first.meaning}; {first.advice}", code="doctor")


def _print(found: Sequence[Examined], *, all_: bool) -> None:
    for each in found:
        shown = [one for one in each.findings if all_ or one.level is not Level.OK]
        if shown:
            out.print(Text(each.party, style="bold"))
            for one in shown:
                _print_one(one)
            out.print()
    print_rows(
        ["party", "ok", "warnings", "failures"],
        [
            (
                each.party,
                *(len(each.of(level)) for level in (Level.OK, Level.WARNING, Level.FAILURE)),
            )
            for each in found
        ],
    )


def _print_one(finding: Finding) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=7, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(
        Text(str(finding.level), style=_COLOURS[finding.level]),
        Text(f"{finding.check}: {finding.meaning}"),
    )
    if finding.advice:
        grid.add_row("", Text(f"→ {finding.advice}", style="dim"))
    out.print(Padding(grid, (0, 0, 0, 2)))
