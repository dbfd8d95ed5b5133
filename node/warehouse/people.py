"""One person in the warehouse: found by a document, and the rows of one product. Rim.

Documents stand in columns as their operator writes them. The engine narrows down to rows that
may hold one; whether they do, each in its normal form, is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dataspace.errors import Malformed
from dataspace.linkage.documents import DOCUMENT_KINDS, Document
from dataspace.query.expressions import quote, view_name
from dataspace.query.partials import KeyValue
from dataspace.query.product import ColumnType, Product
from node.warehouse.engine import Engine
from node.warehouse.text_files import quoted

_MOST_ROWS = 64  # of one person; a document that more rows hold is nobody's
_PLAIN_BETWEEN = " \t-/()"
_WIDE_BETWEEN = "（）　－／"
_WIDE = "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ"
_NARROW = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LONGEST = 40
_PERMIT = 9  # signs of a travel permit that stay its holder's when it is renewed
_MOMENTS = {ColumnType.DATE, ColumnType.TIMESTAMP}

Register = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class Person:
    """Whom a document names here: subject ids, empty where nobody has it, and all documents
    that are on record of the same person. Neither leaves the node."""

    subjects: frozenset[object] = field(repr=False)
    documents: frozenset[Document]


def find_person(
    engine: Engine, products: Iterable[Product], document: Document, register: Register
) -> Person:
    """The person with a document, by the linkage columns of products that share subjects.

    The same statements run whether there is one or not. Raises as `Engine.rows` does.
    """
    subjects: set[object] = set()
    known: set[Document] = {document}
    for product in products:
        columns = document_columns(product)
        if document.kind not in columns:
            continue
        rows = engine.rows(
            _lookup(product, list(columns.values()), columns[document.kind]),
            _forms(document),
            register,
        )
        if len(rows) > _MOST_ROWS:
            continue
        for subject, *texts in rows:
            found = _documents(dict(zip(columns, texts, strict=True)))
            if document in found:
                subjects.add(subject)
                known |= found
    return Person(frozenset(subjects), frozenset(known))


def document_columns(product: Product) -> dict[str, str]:
    """The columns of a product that hold documents, by kind."""
    fields = product.linkage.fields if product.linkage else {}
    return {kind: column for kind, column in fields.items() if kind in DOCUMENT_KINDS}


def read_rows(
    engine: Engine, product: Product, columns: Sequence[str], person: Person, most: int,
    register: Register,
) -> list[tuple[KeyValue, ...]]:  # fmt: skip
    """A person's rows of a product, the newest first, at most `most` and one more.

    Runs for nobody as well, so that it takes the time that it takes.
    """
    moments = [name for name in columns if product.columns[name].type in _MOMENTS]
    order = [f"{quote(name)} DESC NULLS LAST" for name in moments]
    order += [quote(name) for name in columns if name not in moments]
    # SECURITY: names are the catalogue's; who it is goes as a parameter.
    sql = (
        f"SELECT {', '.join(map(quote, columns))} FROM {view_name(product.product)} "  # noqa: S608
        f"WHERE list_contains(?, person) ORDER BY {', '.join(order)} LIMIT {most + 1:d}"
    )
    return engine.rows(sql, [sorted(person.subjects, key=str)], register)


def _lookup(product: Product, columns: Sequence[str], asked: str) -> str:
    source = product.source.strip().removesuffix(";")
    shown = ", ".join(f"{quoted(name)}::VARCHAR" for name in columns)
    folded = _folded(f"upper({quoted(asked)}::VARCHAR)")
    # SECURITY: the operator's own source and column names, as the loader takes them.
    return (
        f"SELECT DISTINCT {quoted(product.subject)}, {shown} FROM ({source}\n) "  # noqa: S608
        f"WHERE left({folded}, ?) IN (?, ?) LIMIT {_MOST_ROWS + 1:d}"
    )


def _folded(text: str) -> str:
    """SQL for a number without what stands between its signs, full-width signs narrowed."""
    plain = text
    for sign in _PLAIN_BETWEEN:
        plain = f"replace({plain}, '{sign}', '')"
    # A tenth of the time for the rows that need no more: nearly all.
    wide = f"translate({text}, '{_WIDE}{_PLAIN_BETWEEN}{_WIDE_BETWEEN}', '{_NARROW}')"
    return f"CASE WHEN strlen({text}) = length({text}) THEN {plain} ELSE {wide} END"


def _forms(document: Document) -> list[object]:
    """How much of a number is compared, its normal form, and an older one that means the same."""
    number = document.number
    if document.kind == "mtp":
        return [_PERMIT, number[:_PERMIT], number[:_PERMIT]]
    if document.kind == "ric" and len(number) == 18:
        # A mainland number of 15 digits lacks the century of the birth date, and the check.
        return [_LONGEST, number, number[:6] + number[8:17]]
    return [_LONGEST, number, number]


def _documents(texts: Mapping[str, str | None]) -> set[Document]:
    found = set()
    for kind, text in texts.items():
        if text:
            try:
                found.add(Document(kind, text))
            except Malformed:
                continue  # a clerk's slip names nobody
    return found
