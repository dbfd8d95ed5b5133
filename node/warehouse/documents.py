"""The document columns of a product, whole, for the node's own tables. Renders SQL; runs none.

They serve linkage alone: what is read here goes into the PRF, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dataspace.errors import Unavailable
from dataspace.query.product import Product
from node.catalogue import Catalogue
from node.warehouse.engine import Engine
from node.warehouse.text_files import quoted

ROWS = 4_096


@dataclass(frozen=True)
class DocumentColumns:
    """Which columns of a product hold documents: kind to column, at least one."""

    product: Product
    columns: dict[str, str]

    def sql(self) -> str:
        """The operator's own view, as when it was loaded; column names are quoted."""
        wanted = ", ".join(f"{quoted(column)}::VARCHAR" for column in self.columns.values())
        source = self.product.source.strip().removesuffix(";")
        # SECURITY: the source is the operator's, signed, and one SELECT by itself: the loader
        # looked at it. No caller's text comes here.
        return f"SELECT {wanted} FROM ({source}\n)"  # noqa: S608

    def read(self, engine: Engine) -> Iterator[list[tuple[str, str]]]:
        """Kind and number as they were loaded, many at a time. Raises `Unavailable`."""
        for rows in engine.batches(self.sql(), ROWS):
            yield [
                (kind, number)
                for row in rows
                for kind, number in zip(self.columns, row, strict=True)
                if number
            ]


def read_documents(catalogue: Catalogue) -> Iterator[list[tuple[str, str]]]:
    """Those of all products by whose own columns people are known. Raises `Unavailable`."""
    if catalogue.engine is None:
        raise Unavailable("this node has no data yet", code="warehouse")
    for product, columns in catalogue.by_documents():
        yield from DocumentColumns(product, columns).read(catalogue.engine)
