"""CSV and NDJSON into the table `staged`, typed as the product says. Rim.

A value that does not fit is named by row and column. Rows count from 1, a header does not.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from dataspace.errors import Malformed
from dataspace.query.product import ColumnType, Product

SQL_TYPES: dict[ColumnType, str] = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.DOUBLE: "DOUBLE",
    ColumnType.DECIMAL: "DECIMAL(38, 10)",
    ColumnType.VARCHAR: "VARCHAR",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
}
# A number with a fraction must not pass for a whole one.
_READ_AS = SQL_TYPES | {ColumnType.INTEGER: "DECIMAL(38, 10)"}
_LINE = re.compile(r"line (\d+)")


def quoted(name: str) -> str:
    """An identifier of the operator's, quoted."""
    return '"' + name.replace('"', '""') + '"'


def read_csv(connection: duckdb.DuckDBPyConnection, product: Product, file: Path) -> None:
    """One CSV file with a header. Empty fields and NA are NULL."""
    header = connection.execute(
        "SELECT columns FROM sniff_csv(?, header = true, sample_size = 1000)", [str(file)]
    ).fetchone()
    present = {column["name"] for column in header[0]} if header else set()
    wanted = {
        name: _READ_AS[column.type] for name, column in product.columns.items() if name in present
    }
    wanted |= {
        name: "VARCHAR"
        for name in _identifying(product)
        if name in present and name not in wanted and not name.endswith("date")
    }
    types = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in sorted(wanted.items()))
    option = f", types = {{{types}}}" if types else ""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE raw AS "
        f"SELECT * FROM read_csv(?, header = true, sample_size = -1, nullstr = ['', 'NA'], "
        f"store_rejects = true{option})",
        [str(file)],
    )
    _refuse_rejected(connection, product, file)
    whole = _whole_columns(product, present)
    for name in whole:
        _refuse_broken(connection, file, name)
    casts = ", ".join(f"{quoted(name)}::BIGINT AS {quoted(name)}" for name in whole)
    replaced = f" REPLACE ({casts})" if casts else ""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE staged AS SELECT *{replaced} FROM raw")
    connection.execute("DROP TABLE raw")


def read_ndjson(connection: duckdb.DuckDBPyConnection, product: Product, file: Path) -> None:
    """One JSON object a line."""
    try:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE objects AS SELECT json FROM read_ndjson_objects(?)",
            [str(file)],
        )
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE raw AS SELECT * FROM "
            "read_json(?, format = 'newline_delimited', sample_size = -1)",
            [str(file)],
        )
    except duckdb.Error as error:
        found = _LINE.search(str(error))  # the number alone: the text may quote values
        where = f"row {found.group(1)} is" if found else "a row is"
        raise Malformed(
            f"{file.name}: {where} not a JSON object; nothing was loaded", code="data-value"
        ) from None
    present = {row[0] for row in connection.execute("DESCRIBE raw").fetchall()}
    kinds = {name: _READ_AS[column.type] for name, column in product.columns.items()}
    kinds |= {name: "VARCHAR" for name in _identifying(product) if not name.endswith("date")}
    typed = {name: kind for name, kind in kinds.items() if name in present}
    for name, kind in typed.items():
        _refuse_unfit(connection, file, name, kind, whole=name in _whole_columns(product, present))
    casts = ", ".join(
        f"(json ->> {_text(_path(name))})::{kind} AS {quoted(name)}" for name, kind in typed.items()
    )
    others = ", ".join(quoted(name) for name in sorted(present - set(typed)))
    columns = ", ".join(each for each in (casts, others) if each)
    whole = _whole_columns(product, present)
    narrowed = ", ".join(f"{quoted(name)}::BIGINT AS {quoted(name)}" for name in whole)
    replaced = f" REPLACE ({narrowed})" if narrowed else ""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE staged AS SELECT *{replaced} FROM "
        f"(SELECT {columns} FROM raw POSITIONAL JOIN objects)"
    )
    connection.execute("DROP TABLE raw; DROP TABLE objects")


def _identifying(product: Product) -> set[str]:
    linkage = product.linkage.fields.values() if product.linkage else ()
    return {product.subject, *linkage}


def _whole_columns(product: Product, present: set[str]) -> list[str]:
    return [
        name
        for name, column in product.columns.items()
        if name in present and column.type is ColumnType.INTEGER
    ]


def _refuse_unfit(
    connection: duckdb.DuckDBPyConnection, file: Path, name: str, kind: str, *, whole: bool
) -> None:
    """Refuse the first JSON value that is not of the column's type."""
    text = f"(json ->> {_text(_path(name))})"
    broken = f" OR TRY_CAST({text} AS {kind}) <> trunc(TRY_CAST({text} AS {kind}))" if whole else ""
    found = connection.execute(
        f"SELECT min(rowid) FROM objects WHERE {text} IS NOT NULL "
        f"AND (TRY_CAST({text} AS {kind}) IS NULL{broken})"
    ).fetchone()
    if found and found[0] is not None:
        what = "integer" if whole else kind.lower()
        raise _bad_value(file, int(found[0]) + 1, name, f"is not of type {what}")


def _path(name: str) -> str:
    return '$."' + name.replace('"', '\\"') + '"'


def _refuse_broken(connection: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
    """Refuse 1.5 in a column of whole numbers: the engine would round it to 2."""
    x = quoted(name)
    found = connection.execute(
        f"SELECT min(rowid) FROM raw WHERE {x} <> trunc({x}) "
        f"OR {x} NOT BETWEEN {-(2**63)} AND {2**63 - 1}"
    ).fetchone()
    if found and found[0] is not None:
        raise _bad_value(file, int(found[0]) + 1, name, "is not of type integer")


def _refuse_rejected(connection: duckdb.DuckDBPyConnection, product: Product, file: Path) -> None:
    rejected = connection.execute(
        "SELECT line, column_name, error_type FROM reject_errors ORDER BY line LIMIT 1"
    ).fetchone()
    if not rejected:
        return
    line, column, kind = rejected
    if column is None or kind == "TOO MANY COLUMNS":
        raise Malformed(
            f"{file.name}: row {line - 1} has more fields than the header; nothing was loaded",
            code="data-value",
        )
    what = {
        "CAST": f"is not of type {product.columns[column].type.value}"
        if column in product.columns
        else "has the wrong type",
        "MISSING COLUMNS": "is missing",
    }.get(str(kind), "cannot be read")
    raise _bad_value(file, line - 1, column, what)


def _bad_value(file: Path, row: int, column: str, what: str) -> Malformed:
    return Malformed(
        f"{file.name}: row {row}, column {column}: the value {what}; nothing was loaded",
        code="data-value",
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
