"""Reading an operator's data files into a local table, with errors that name the place.

CSV, Parquet, NDJSON and FHIR R4. A bad value is named by row and column; the value itself
is never shown. Runs in the loading process alone, never where queries are answered.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import duckdb

from dataspace.errors import Malformed
from dataspace.query.product import ColumnType, Product
from node.warehouse.fhir import is_fhir, table_of

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
_CSV_TYPES = {ColumnType.INTEGER: "DECIMAL(38, 10)"}


def quoted(name: str) -> str:
    """An identifier of the operator's, quoted."""
    return '"' + name.replace('"', '""') + '"'


def read_files(
    connection: duckdb.DuckDBPyConnection, product: Product, files: Sequence[Path]
) -> None:
    """Replace the local table named after the product by the rows of the files.

    Raises `Malformed` naming file, row and column.
    """
    table = f"main.{quoted(product.product)}"
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    for number, file in enumerate(files):
        verb = f"CREATE TABLE {table} AS" if number == 0 else f"INSERT INTO {table} BY NAME"
        try:
            _read_one(connection, product, file, verb)
        except duckdb.Error as error:
            raise _explained(file, error) from None


def _read_one(
    connection: duckdb.DuckDBPyConnection, product: Product, file: Path, verb: str
) -> None:
    if not file.is_file() or not os.access(file, os.R_OK):
        raise Malformed(f"{file} is not a readable file", code="data-file")
    suffix = file.suffix.lower()
    if suffix in {".json", ".ndjson", ".jsonl"} and is_fhir(file):
        connection.register("fhir_rows", table_of(file))
        connection.execute(f"{verb} SELECT * FROM fhir_rows")
        connection.unregister("fhir_rows")
    elif suffix == ".csv":
        _read_csv(connection, product, file, verb)
    elif suffix in {".parquet", ".pq"}:
        connection.execute(f"{verb} SELECT * FROM read_parquet(?)", [str(file)])
    elif suffix in {".ndjson", ".jsonl", ".json"}:
        connection.execute(
            f"{verb} SELECT * FROM read_json(?, format = 'newline_delimited')", [str(file)]
        )
    else:
        raise Malformed(
            f"{file.name}: load .csv, .parquet, .ndjson or a FHIR R4 .json file", code="data-file"
        )


def _read_csv(
    connection: duckdb.DuckDBPyConnection, product: Product, file: Path, verb: str
) -> None:
    header = connection.execute(
        "SELECT columns FROM sniff_csv(?, header = true, sample_size = 1000)", [str(file)]
    ).fetchone()
    present = {column["name"] for column in header[0]} if header else set()
    wanted = {
        name: _CSV_TYPES.get(column.type, SQL_TYPES[column.type])
        for name, column in product.columns.items()
        if name in present
    }
    wanted |= {
        name: "VARCHAR"
        for name in {product.subject, *(product.linkage.fields.values() if product.linkage else ())}
        if name in present and name not in wanted and not name.endswith("date")
    }
    types = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in sorted(wanted.items()))
    option = f", types = {{{types}}}" if types else ""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE staged AS "
        f"SELECT * FROM read_csv(?, header = true, sample_size = -1, nullstr = ['', 'NA'], "
        f"store_rejects = true{option})",
        [str(file)],
    )
    _refuse_rejected(connection, product, file)
    whole = [
        name
        for name, column in product.columns.items()
        if name in present and column.type is ColumnType.INTEGER
    ]
    for name in whole:
        _refuse_broken(connection, file, name)
    casts = ", ".join(f"{quoted(name)}::BIGINT AS {quoted(name)}" for name in whole)
    replaced = f" REPLACE ({casts})" if casts else ""
    connection.execute(f"{verb} SELECT *{replaced} FROM staged")
    connection.execute("DROP TABLE staged")


def _refuse_broken(connection: duckdb.DuckDBPyConnection, file: Path, name: str) -> None:
    """Refuse 1.5 in a column of whole numbers: the engine would round it to 2."""
    x = quoted(name)
    found = connection.execute(
        f"SELECT min(rowid) FROM staged WHERE {x} <> trunc({x}) "
        f"OR {x} NOT BETWEEN {-(2**63)} AND {2**63 - 1}"
    ).fetchone()
    if found and found[0] is not None:
        raise _bad_value(file, int(found[0]) + 2, name, "is not of type integer")


def _refuse_rejected(connection: duckdb.DuckDBPyConnection, product: Product, file: Path) -> None:
    rejected = connection.execute(
        "SELECT line, column_name, error_type FROM reject_errors ORDER BY line LIMIT 1"
    ).fetchone()
    if rejected:
        line, column, kind = rejected
        what = {
            "CAST": f"is not of type {product.columns[column].type.value}"
            if column in product.columns
            else "has the wrong type",
            "MISSING COLUMNS": "is missing",
            "TOO MANY COLUMNS": "is one too many",
        }.get(str(kind), "cannot be read")
        raise _bad_value(file, line, column, what)


def _bad_value(file: Path, line: int, column: str, what: str) -> Malformed:
    return Malformed(
        f"{file.name}: row {line - 1} (line {line} of the file), column {column}: "
        f"the value {what}; nothing was loaded",
        code="data-value",
    )


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _explained(file: Path, error: duckdb.Error) -> Malformed:
    # SECURITY: the engine's text may quote values; only the kind of error is told.
    kind = type(error).__name__.removesuffix("Exception")
    return Malformed(
        f"{file.name} cannot be read ({kind}); check its format and columns, nothing was loaded",
        code="data-file",
    )
