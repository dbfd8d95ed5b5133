"""Printing releases: a table for people, JSON, CSV or Arrow for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from dataspace.cli.options import Format
from dataspace.client.release import Release

out = Console(highlight=False)


def print_json(value: object) -> None:
    """One object on standard output."""
    sys.stdout.write(json_text(value) + "\n")


def json_text(value: object) -> str:
    """JSON in which a decimal is a number with all its digits; `json` knows no such thing."""
    match value:
        case Decimal():
            return f"{value:f}"
        case dict():
            pairs = [f"{json_text(str(key))}: {json_text(each)}" for key, each in value.items()]
            return f"{{{', '.join(pairs)}}}"
        case list() | tuple():
            return f"[{', '.join(map(json_text, value))}]"
    return json.dumps(value, ensure_ascii=False)


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A plain table for people."""
    table = Table(title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def print_release(release: Release, format_: Format, evidence: str | None = None) -> None:
    """A release in the form asked for; `evidence` is the file that proves it, if any."""
    match format_:
        case Format.JSON:
            print_json(release.to_json() | {"evidence": evidence})
        case Format.CSV:
            writer = csv.writer(sys.stdout)
            writer.writerow(release.answer.columns)
            writer.writerows(release.answer.rows)
        case Format.ARROW:
            import pyarrow as pa  # noqa: PLC0415 - the broker's image has none, and it is slow to load

            with pa.ipc.new_stream(sys.stdout.buffer, release.table.schema) as stream:
                stream.write_table(release.table)
        case Format.TABLE:
            _print_table(release)
            if evidence:
                out.print(f"evidence {evidence}, verified", style="dim")


def _print_table(release: Release) -> None:
    answer = release.answer
    released = {node.region for node in release.nodes if node.status == "released"}
    table = Table()
    for index, column in enumerate(answer.columns):
        numeric = any(_is_number(row[index]) for row in answer.rows)
        table.add_column(column, justify="right" if numeric else "left")
    table.add_column("shown by", style="dim")
    marked = False
    keyed_by_region = "region" in answer.columns
    bounds = answer.error_bounds or tuple({} for _ in answer.rows)
    for row, regions, inexact in zip(answer.rows, answer.shown_by, bounds, strict=True):
        partly = not keyed_by_region and set(regions) != released
        marked = marked or partly
        shown = ", ".join(regions) + (" *" if partly else "")
        cells = [
            _cell(value) + (f" ± {_cell(inexact[name])}" if name in inexact else "")
            for name, value in zip(answer.columns, row, strict=True)
        ]
        table.add_row(*cells, shown)
    out.print(table)
    if marked:
        out.print("* some region hides its share of this cell", style="dim")
    if answer.hidden_cells:
        out.print(f"hidden cells: {answer.hidden_cells}", style="dim")
    for note in answer.notes:
        out.print(f"note: {note}", style="dim")
    for node in release.nodes:
        if node.status != "released":
            out.print(f"{node.region}: {node.status}, {node.reason}", style="yellow")
    state = "provisional (not cosigned)" if release.provisional else "cosigned"
    out.print(
        f"release {release.id[:16]}…, verified, {state}; request {release.request_id}", style="dim"
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value:,f}"
    return str(value).replace("[", "\\[")
