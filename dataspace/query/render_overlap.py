"""One side of a question across regions to SQL for DuckDB. Renders text; runs nothing.

    render_side      person, k0, k1, …     each group that each selected person is in, once
    render_linkage   person, f0, f1, …     by what they may be recognised, row by row
    render_one_row   alone                 whether every person has one row in the product

As in `render`, values go as parameters and identifiers come from the catalogue; a product's
source, subject and linkage columns are its operator's own SQL, which is trusted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.query.expressions import ExpressionWriter, Parameter, view_name
from dataspace.query.overlap import OverlapSide
from dataspace.query.product import Linkage, Product


@dataclass(frozen=True)
class Statement:
    """SQL with `?` for each parameter."""

    sql: str
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class LinkageStatement:
    """SQL for `person` and then one column for each of `kinds`; never leaves the node."""

    sql: str
    parameters: tuple[Parameter, ...]
    kinds: tuple[str, ...]


def render_side(side: OverlapSide) -> Statement:
    """Columns: `person` as text, then the side's keys; distinct rows. Only of a bound side."""
    writer = ExpressionWriter(side.region)
    keys = [f", {writer.key(key)} AS k{index}" for index, key in enumerate(side.keys)]
    return _select(side, writer, f"DISTINCT t0.person::VARCHAR AS person{''.join(keys)}")


def render_one_row(side: OverlapSide) -> Statement:
    """One row with one boolean: whether `count(*)` over the product counts people.

    SECURITY: over the whole product, never over what a caller's WHERE keeps: the answer is
    told to the caller, and must say nothing about a few rows of the caller's choice.
    """
    view = view_name(side.product)
    return Statement(f"SELECT count(*) = count(DISTINCT person) AS alone FROM {view}")  # noqa: S608


def check_one_row(side: OverlapSide, *, alone: bool) -> None:
    """Refuse `count(*)` where a product's rows are not people. Raises `Malformed`."""
    if not alone:
        raise Malformed(
            f"a person may have several rows in {side.product}: across regions, ask "
            "count(distinct person) with the alias of a side",
            code="overlap-rows",
            place=side.place,
        )


def linkage_product(product: Product, others: Iterable[Product]) -> Product:
    """The product whose linkage columns recognise this one's subjects: itself, or the one of
    its subject space that has them. Raises `Malformed` (`no-linkage`) where none does."""
    known = [product, *sorted(others, key=lambda each: each.product)]
    for each in known:
        if each.linkage is not None and each.subject_space == product.subject_space:
            return each
    raise Malformed(
        f"nobody in {product.product} can be recognised elsewhere: no product of its subject "
        "space has linkage fields; its owner has to add them",
        code="no-linkage",
    )


def render_linkage(side: OverlapSide, recognised_by: Product) -> LinkageStatement:
    """The linkage fields of whom a bound side selects, of `linkage_product`."""
    if recognised_by.linkage is None:
        raise ValueError("a product without linkage recognises nobody")
    writer = ExpressionWriter(side.region)
    chosen = _select(side, writer, "DISTINCT t0.person::VARCHAR AS person")
    kinds, fields = _fields(recognised_by.linkage)
    source = recognised_by.source.strip().removesuffix(";")
    # SECURITY: made of the operator's source and names, and of our own operators.
    own = f"SELECT {_quoted(recognised_by.subject)}::VARCHAR AS person{fields} FROM ({source}\n)"  # noqa: S608
    sql = f"SELECT l.* FROM ({own}) AS l SEMI JOIN ({chosen.sql}) AS s ON l.person = s.person"  # noqa: S608
    return LinkageStatement(sql, chosen.parameters, kinds)


def _fields(linkage: Linkage) -> tuple[tuple[str, ...], str]:
    kinds = tuple(sorted(linkage.fields))
    columns = (f", {_quoted(linkage.fields[kind])} AS f{at}" for at, kind in enumerate(kinds))
    return kinds, "".join(columns)


def _select(side: OverlapSide, writer: ExpressionWriter, columns: str) -> Statement:
    # SECURITY: made of catalogue names and our own operators alone; values are parameters.
    sql = f"SELECT {columns} FROM {view_name(side.product)} AS t0 WHERE t0.person IS NOT NULL"  # noqa: S608
    if side.where is not None:
        sql += f" AND {writer.scalar(side.where)}"
    return Statement(sql, tuple(writer.parameters))


def _quoted(name: str) -> str:
    """A name of the operator's, who may write it as they like."""
    return '"' + name.replace('"', '""') + '"'
