"""Building a generation: local table, view, checks of what the product declares. Rim.

Everything is built beside the generation in use and published by one rename, so that a
load that fails changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from dataspace.errors import Malformed
from dataspace.query.expressions import quote, view_name
from dataspace.query.product import Column, ColumnType, Product
from node.warehouse.files import read_files
from node.warehouse.generations import Generation
from node.warehouse.text_files import SQL_TYPES, quoted

MAX_MAGNITUDE = 1e100
MAX_DECIMAL = 1e28
_FITS: dict[ColumnType, tuple[str, ...]] = {
    ColumnType.INTEGER: ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UTINYINT", "USMALLINT",
                         "UINTEGER"),
    ColumnType.DOUBLE: ("DOUBLE", "FLOAT", "DECIMAL", "BIGINT", "INTEGER", "SMALLINT", "TINYINT"),
    ColumnType.DECIMAL: ("DECIMAL", "BIGINT", "INTEGER"),
    ColumnType.VARCHAR: ("VARCHAR", "ENUM"),
    ColumnType.BOOLEAN: ("BOOLEAN",),
    ColumnType.DATE: ("DATE",),
    ColumnType.TIMESTAMP: ("TIMESTAMP", "DATE"),
}  # fmt: skip


def build(
    generation: Generation, product: Product, file: bytes, offer: bytes, data: Sequence[Path]
) -> int:
    """Load data and product into a draft generation; returns the number of rows.

    Raises `Malformed` naming row, column or key.
    """
    connection = duckdb.connect(
        str(generation.database), config={"python_enable_replacements": "false"}
    )
    try:
        if data:
            read_files(connection, product, data)
        # A view that reads files would load here and fail at every query.
        connection.execute("SET enable_external_access = false")
        _make_view(connection, product)
        _check(connection, product)
        _check_others(connection, product)
        rows = connection.execute(f"SELECT count(*) FROM {view_name(product.product)}").fetchone()
        connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        # SECURITY: the engine's text may quote values.
        kind = type(error).__name__.removesuffix("Exception")
        raise Malformed(
            f"{product.product}: the data cannot be read as the product file says ({kind}); "
            "nothing was loaded",
            code="product-data",
        ) from None
    finally:
        connection.close()
    (generation.path / "products" / f"{product.product}.yaml").write_bytes(file)
    (generation.path / "offers" / f"{product.product}.dsse").write_bytes(offer)
    return int(rows[0]) if rows else 0


def _make_view(connection: duckdb.DuckDBPyConnection, product: Product) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS offered")
    columns = ", ".join(
        f"{quoted(name)}::{SQL_TYPES[column.type]} AS {quote(name)}"
        for name, column in product.columns.items()
    )
    # The operator's own view over local tables: trusted, and fixed when it is loaded.
    source = product.source.strip().removesuffix(";")
    statement = (
        f"CREATE OR REPLACE VIEW {view_name(product.product)} AS "
        f"SELECT {quoted(product.subject)} AS person, {columns} FROM ({source}\n)"
    )
    try:
        # SECURITY: each alone, so that no bracket of the source closes ours.
        alone = duckdb.extract_statements(source)
        if len(alone) != 1 or alone[0].type != duckdb.StatementType.SELECT:
            raise Malformed("source must be one SELECT", code="product-source")
        described = connection.execute(f"DESCRIBE ({source}\n)").fetchall()
        _check_columns(product, {str(row[0]): str(row[1]) for row in described})
        connection.execute(statement)
    except duckdb.Error as error:
        kind = type(error).__name__.removesuffix("Exception")
        raise Malformed(
            f"source of {product.product} cannot be read ({kind}); "
            "check the SELECT against the local tables",
            code="product-source",
        ) from None


def _check_columns(product: Product, present: dict[str, str]) -> None:
    linkage = product.linkage.fields.values() if product.linkage else ()
    for name in (product.subject, *product.columns, *linkage):
        if name not in present:
            raise Malformed(
                f"{product.product}: source yields no column {name}", code="product-column"
            )
    for name, column in product.columns.items():
        kind = present[name].partition("(")[0].upper()
        if kind not in _FITS[column.type]:
            raise Malformed(
                f"{product.product}: column {name} is {kind} in the data and "
                f"{column.type.value} in the product file",
                code="product-type",
            )


def _check(connection: duckdb.DuckDBPyConnection, product: Product) -> None:
    view = view_name(product.product)
    _refuse_first(
        connection, view, "person IS NULL", [], f"column {product.subject}", "has no subject"
    )
    for name, column in product.columns.items():
        if column.levels is not None:
            marks = ", ".join("?" for _ in column.levels)
            condition = f"{quote(name)} IS NOT NULL AND {quote(name)} NOT IN ({marks})"
            _refuse_first(
                connection, view, condition, list(column.levels), f"column {name}",
                "holds a value that is not among its declared levels",
            )  # fmt: skip
        _check_bounds(connection, view, name, column)


def _check_others(connection: duckdb.DuckDBPyConnection, product: Product) -> None:
    """A new local table must not break the views of products loaded before."""
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE schema_name = 'offered' ORDER BY view_name"
    ).fetchall()
    for (view,) in views:
        name = str(view).removeprefix("offer:")
        try:
            connection.execute(f"SELECT * FROM {view_name(name)} LIMIT 0")
        except duckdb.Error:
            raise Malformed(
                f"loading {product.product} would break {name}, which reads the same table; "
                "keep the table's columns and types",
                code="product-source",
            ) from None


def _check_bounds(
    connection: duckdb.DuckDBPyConnection, view: str, name: str, column: Column
) -> None:
    largest = {ColumnType.DOUBLE: MAX_MAGNITUDE, ColumnType.DECIMAL: MAX_DECIMAL}.get(column.type)
    if largest is not None:
        # SECURITY: no sum or variance may run over, since an error would tell of the row.
        _refuse_first(
            connection, view, f"NOT (abs({quote(name)}) <= {largest:g})", [],
            f"column {name}", "holds a number that is not finite or out of range",
        )  # fmt: skip
    if column.type in {ColumnType.DATE, ColumnType.TIMESTAMP}:
        _refuse_first(
            connection, view, f"year({quote(name)}) NOT BETWEEN 1 AND 9999 "
            f"OR NOT isfinite({quote(name)})", [], f"column {name}", "holds a date out of range",
        )  # fmt: skip
    if column.bounds is not None and column.type.numeric:
        condition = f"{quote(name)} NOT BETWEEN ? AND ?"
        _refuse_first(
            connection, view, condition, list(column.bounds), f"column {name}",
            "holds a value out of its declared bounds",
        )  # fmt: skip


def _refuse_first(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    condition: str,
    parameters: list[object],
    where: str,
    what: str,
) -> None:
    """Refuse the first row that meets the condition, by its number and not by its value."""
    found = connection.execute(
        # No product can have a column of this name, with its blank.
        f'SELECT min("row number") FROM (SELECT row_number() OVER () AS "row number", * '
        f"FROM {view}) WHERE {condition}",
        parameters,
    ).fetchone()
    if found and found[0] is not None:
        raise Malformed(f"row {found[0]}, {where} {what}; nothing was loaded", code="data-value")
