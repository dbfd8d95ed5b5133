"""Files of patients, checked line by line. Reads and writes files; shows no document.

Answers are written under the number of their line, as they come and in the file's order, so that
what is there is always a beginning: the same command goes on after it. What a rule refuses or a
region leaves unanswered ends the work with the error's exit code, and its line is asked again.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from dataspace.cli.options import Format
from dataspace.cli.output import print_json, print_rows
from dataspace.client.existence import Presence
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable
from dataspace.home import PartyHome
from dataspace.linkage.documents import Document

IN_FLIGHT = 8
_HEAD = ("line", "region", "answer", "rule", "message")
Row = tuple[int, str, str, str, str]


def read_patients(file: Path) -> list[tuple[int, Document]]:
    """The documents with the numbers of their lines. Empty lines are left out.

    Raises `Malformed` naming the line, before anything is asked.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise Malformed(f"{file} is no readable file of text", code="patients-file") from None
    found = []
    for line, kind_and_number in _numbered(text):
        try:
            found.append((line, Document(*kind_and_number)))
        except Malformed as error:
            raise Malformed(f"{file.name}, line {line}: {error.message}", code=error.code) from None
    return found


def _numbered(text: str) -> Iterator[tuple[int, tuple[str, str]]]:
    lines = text.splitlines()
    head = [name.strip().lower() for name in next(csv.reader(lines[:1]), [])]
    if {"kind", "number"} <= set(head):
        rows = csv.reader(io.StringIO(text))
        next(rows)
        at = head.index("kind"), head.index("number")
        for row in rows:
            if any(row):
                padded = [*row, *[""] * len(head)]
                yield rows.line_num, (padded[at[0]].strip().lower(), padded[at[1]])
        return
    for line, written in enumerate(lines, 1):
        if written.strip():
            kind, _, number = written.strip().partition(":")
            yield line, (kind.strip().lower(), number)


def check_file(
    party: PartyHome,
    file: Path,
    to: Path | None,
    purpose: str,
    regions: Sequence[str],
    require: str,
    format_: Format,
) -> None:
    """Ask for every patient of a file that `to` does not answer yet, several at a time."""
    patients = read_patients(file)
    done = _answered(to, regions) if to is not None else 0
    left = [each for each in patients if each[0] > done]
    rows: list[Row] = []
    try:
        with ExitStack() as stack:
            out = stack.enter_context(_opened(to)) if to is not None else None
            session = stack.enter_context(Session(party))
            progress = stack.enter_context(_progress())
            task = progress.add_task(
                "patients", total=len(patients), completed=len(patients) - len(left)
            )
            for line, found in _checked(session, left, purpose, regions):
                found.require(require)
                rows += _write(out, line, found)
                progress.advance(task)
    finally:
        if to is None:
            _print(rows, format_)
    if to is not None:
        print_json({"patients": len(patients), "to": str(to)})


def _checked(
    session: Session,
    patients: Sequence[tuple[int, Document]],
    purpose: str,
    regions: Sequence[str],
) -> Iterator[tuple[int, Presence]]:
    """In order; what fails ends it, and nothing more is begun."""
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        flying: deque[tuple[int, Future[Presence]]] = deque()
        try:
            for line, document in patients:
                asked = pool.submit(
                    session.exists, document, purpose=purpose, regions=list(regions)
                )
                flying.append((line, asked))
                if len(flying) >= IN_FLIGHT:
                    first, future = flying.popleft()
                    yield first, future.result()
            while flying:
                first, future = flying.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _answered(to: Path, regions: Sequence[str]) -> int:
    """The last line that is answered whole. What is half written is taken away."""
    try:
        text = to.read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError):
        raise Malformed(f"{to} is no file of answers; name another", code="answers-file") from None
    rows = list(csv.reader(io.StringIO(text)))
    if rows and tuple(rows[0]) != _HEAD:
        raise Malformed(f"{to} holds something else; name another", code="answers-file")
    whole = text.endswith("\n")
    kept = [row for row in (rows[1:] if whole else rows[1:-1]) if len(row) == len(_HEAD)]
    counts: dict[int, int] = {}
    for row in kept:
        counts[int(row[0])] = counts.get(int(row[0]), 0) + 1
    full = [line for line, count in counts.items() if count == len(set(regions))]
    last = max(full, default=0)
    draft = to.with_name(to.name + ".new")  # whoever stops here leaves the old file or the new
    with draft.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([_HEAD, *(row for row in kept if int(row[0]) <= last)])
    draft.rename(to)
    return last


def _opened(to: Path) -> TextIO:
    try:
        if to.exists():
            return to.open("a", encoding="utf-8", newline="")
        out = to.open("w", encoding="utf-8", newline="")
        csv.writer(out).writerow(_HEAD)
        return out
    except OSError:
        raise Unavailable(f"{to} cannot be written", code="answers-file") from None


def _write(out: TextIO | None, line: int, found: Presence) -> list[Row]:
    rows: list[Row] = [
        (line, each.region, each.answer, each.rule, each.message) for each in found.regions
    ]
    if out is not None:
        csv.writer(out).writerows(rows)
        out.flush()
    return rows


def _progress() -> Progress:
    return Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True,
    )  # fmt: skip


def _print(rows: Sequence[Row], format_: Format) -> None:
    match format_:
        case Format.JSON:
            print_json({"answers": [dict(zip(_HEAD, row, strict=True)) for row in rows]})
        case Format.CSV:
            writer = csv.writer(sys.stdout)
            writer.writerow(_HEAD)
            writer.writerows(rows)
        case _:
            print_rows(_HEAD, rows)
