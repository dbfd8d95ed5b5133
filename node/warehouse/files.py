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
from dataspace.query.product import Product
from node.warehouse.fhir import is_fhir, table_of
from node.warehouse.text_files import quoted, read_csv, read_ndjson


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
        connection.execute("CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM fhir_rows")
        connection.unregister("fhir_rows")
    elif suffix == ".csv":
        read_csv(connection, product, file)
    elif suffix in {".parquet", ".pq"}:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE staged AS SELECT * FROM read_parquet(?)", [str(file)]
        )
    elif suffix in {".ndjson", ".jsonl", ".json"}:
        read_ndjson(connection, product, file)
    else:
        raise Malformed(
            f"{file.name}: load .csv, .parquet, .ndjson or a FHIR R4 .json file", code="data-file"
        )
    if verb.startswith("INSERT"):
        _check_same_columns(connection, product, file)
    connection.execute(f"{verb} SELECT * FROM staged")
    connection.execute("DROP TABLE staged")


def _check_same_columns(
    connection: duckdb.DuckDBPyConnection, product: Product, file: Path
) -> None:
    """A further file that lacks a column would silently count as empty."""
    table = f"main.{quoted(product.product)}"
    first = {row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
    own = {row[0] for row in connection.execute("DESCRIBE staged").fetchall()}
    if first != own:
        name = sorted(first ^ own)[0]
        raise Malformed(
            f"{file.name}: column {name} is not in all of the files; nothing was loaded",
            code="data-file",
        )


def _explained(file: Path, error: duckdb.Error) -> Malformed:
    # SECURITY: the engine's text may quote values; only the kind of error is told.
    kind = type(error).__name__.removesuffix("Exception")
    return Malformed(
        f"{file.name} cannot be read ({kind}); check its format and columns, nothing was loaded",
        code="data-file",
    )
