"""Audit entries as rows: a line each for people; JSON, CSV, Arrow or Parquet for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dataspace.cli.options import Format
from dataspace.cli.output import out, print_json
from dataspace.client.auditing import AuditPage, Seen, leaf_of
from dataspace.errors import Malformed, Unavailable
from dataspace.evidence.auditing import body_of
from dataspace.v1 import audit_pb2

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = {
    "log": "text", "index": "whole", "at": "moment", "kind": "text", "outcome": "text",
    "code": "text", "rules": "texts", "purpose": "text", "products": "texts",
    "actor_region": "text", "actor_role": "text", "request_sha256": "text",
    "body_sha256": "text", "actor": "text", "project": "text", "sql": "text",
    "body_erased": "yes",
}  # fmt: skip


def row_of(seen: Seen) -> dict[str, object]:
    """One entry, flat. What may not be seen, or is erased, is None."""
    entry = seen.entry
    body = body_of(entry) or {}
    return {
        "log": seen.log,
        "index": entry.index,
        "at": instant(entry.at_ms),
        "kind": entry.kind,
        "outcome": entry.outcome or None,
        "code": entry.code or None,
        "rules": list(entry.rules),
        "purpose": entry.purpose or None,
        "products": list(entry.products),
        "actor_region": entry.actor_region or None,
        "actor_role": entry.actor_role or None,
        "request_sha256": entry.request_sha256.hex() or None,
        "body_sha256": entry.body_sha256.hex() or None,
        "actor": _text(body.get("actor")),
        "project": _text(body.get("project")),
        "sql": _text(body.get("sql")),
        "body_erased": entry.body_erased,
    }


def instant(at_ms: int) -> str:
    """A moment in UTC, to the millisecond."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def print_page(page: AuditPage, format_: Format, file: Path | None = None) -> None:
    """A page in the form asked for; with `file` as Parquet, into it."""
    rows = [row_of(seen) for seen in page.entries]
    if file is not None:
        _write_parquet(rows, file)
        out.print(f"{len(rows)} entries written to {file}")
        return
    match format_:
        case Format.JSON:
            print_json({"entries": rows, "more": page.more, "cursor": page.cursor,
                        "logs": logs_of(page)})  # fmt: skip
        case Format.CSV:
            print_csv(rows)
        case Format.ARROW:
            _write_stream(rows)
        case Format.TABLE:
            print_entries(rows)
            if page.more:
                out.print(f"there are more: --cursor {page.cursor}", soft_wrap=True)
            _print_silent(page)


def print_csv(rows: Sequence[dict[str, object]], *, header: bool = True) -> None:
    """Rows as CSV; lists as words with spaces between."""
    writer = csv.writer(sys.stdout)
    if header:
        writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow(
            " ".join(map(str, value)) if isinstance(value, list) else value
            for value in row.values()
        )


def print_entries(rows: Sequence[dict[str, object]]) -> None:
    """One line for each: time, log and index, kind, outcome, rules, purpose, products, who."""
    for row in rows:
        where = f"{row['log']} {row['index']}"
        words = [
            str(row["at"])[:19] + "Z",
            f"{where:<14}",
            f"{row['kind']:<16}",
            str(row["code"] or row["outcome"] or "-"),
            *(str(_cell(row[name])) for name in ("rules", "purpose", "products") if row[name]),
            _who(row),
        ]
        out.print("  ".join(words).rstrip(), soft_wrap=True, markup=False)


def print_whole(log: str, entry: audit_pb2.AuditEntry, format_: Format) -> None:
    """One entry with everything that may be seen of it."""
    recorded = json.loads(entry.entry) if entry.entry else None
    row = row_of(Seen(log, entry))
    body = body_of(entry)
    if format_ is not Format.TABLE:
        whole = {"entry": recorded, "body": body, "leaf_hash": leaf_of(entry) or None}
        print_json({**row, **whole})
        return
    for name, value in row.items():
        if value not in (None, [], False):
            out.print(f"{name:<15} {_cell(value)}", soft_wrap=True, markup=False)
    if recorded is None:
        out.print("a regulator of its own region sees more of this entry", style="dim")
        return
    out.print(f"{'leaf hash':<15} {leaf_of(entry)}", soft_wrap=True)
    text = json.dumps(recorded["fields"], indent=2, ensure_ascii=False)
    out.print("entry\n" + text, soft_wrap=True, markup=False)
    if entry.body_erased:
        out.print("the body was erased; the entry still proves that it was", style="yellow")
    elif body is not None:
        text = json.dumps(body, indent=2, ensure_ascii=False)
        out.print("body\n" + text, soft_wrap=True, markup=False)


def logs_of(page: AuditPage) -> list[dict[str, str]]:
    """What each log asked came to."""
    return [{"log": e.log, "status": e.status, "reason": e.reason} for e in page.answers]


def _print_silent(page: AuditPage) -> None:
    for each in page.answers:
        if each.status != "released":
            out.print(f"{each.log}: {each.status}, {each.reason}", style="yellow")


def _write_parquet(rows: Sequence[dict[str, object]], file: Path) -> None:
    if file.suffix != ".parquet":
        raise Malformed("--out writes Parquet: name the file NAME.parquet", code="out")
    import pyarrow.parquet as pq  # noqa: PLC0415 - the broker's image has none, and it is slow to load

    try:
        pq.write_table(_table(rows), file)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written ({error.strerror})", code="out") from None


def _write_stream(rows: Sequence[dict[str, object]]) -> None:
    import pyarrow as pa  # noqa: PLC0415 - the broker's image has none, and it is slow to load

    table = _table(rows)
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)


def _table(rows: Sequence[dict[str, object]]) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 - the broker's image has none, and it is slow to load

    kinds = {
        "text": pa.string(),
        "whole": pa.int64(),
        "moment": pa.timestamp("ms", tz="UTC"),
        "texts": pa.list_(pa.string()),
        "yes": pa.bool_(),
    }
    schema = pa.schema([(name, kinds[kind]) for name, kind in _COLUMNS.items()])
    moments = [{**row, "at": datetime.fromisoformat(str(row["at"]))} for row in rows]
    return pa.Table.from_pylist(moments, schema=schema)


def _who(row: dict[str, object]) -> str:
    if row["actor"]:
        return str(row["actor"]).removeprefix("gba://")
    return "/".join(str(row[name]) for name in ("actor_region", "actor_role") if row[name])


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
