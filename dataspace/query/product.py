"""A data product: what one region offers under a shared name.

Values alone; reads no file. The set of keys is the one of the design's §6, closed:
an unknown key is refused, so that a misspelt protection never passes as absent.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LevelValue = bool | int | float | str

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

RESERVED_COLUMNS = frozenset({"person", "region"})


class ColumnType(StrEnum):
    """Types that a product may declare; each engine maps them to its own."""

    INTEGER = "integer"
    DOUBLE = "double"
    DECIMAL = "decimal"
    VARCHAR = "varchar"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"

    @property
    def numeric(self) -> bool:
        """Whether sums and means make sense."""
        return self in {ColumnType.INTEGER, ColumnType.DOUBLE, ColumnType.DECIMAL}


class Role(StrEnum):
    """What a caller may do with a column."""

    DIMENSION = "dimension"
    MEASURE = "measure"
    WITHHELD = "withheld"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Column(_Closed):
    """One column. `levels` closes the set of values, `bounds` their range."""

    type: ColumnType
    role: Role
    levels: tuple[LevelValue, ...] | None = None
    bounds: tuple[float, float] | None = None
    text_search: bool = False
    sensitive: bool = False
    categories: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.levels is not None and len(set(map(repr, self.levels))) != len(self.levels):
            raise ValueError("levels: a level stands twice")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError("bounds: the lower one must be less than the upper one")
        if self.text_search and self.type is not ColumnType.VARCHAR:
            raise ValueError("text_search is for varchar columns")
        return self


class Noise(_Closed):
    """A noise mechanism and its budget per answer."""

    mechanism: Literal["laplace", "gaussian"]
    epsilon: Annotated[float, Field(gt=0)]


class Disclosure(_Closed):
    """Disclosure control of one product; the defaults are the design's §7."""

    min_subjects: Annotated[int, Field(ge=5)] = 11
    round_to: Annotated[int, Field(ge=1)] = 5
    secondary: bool = True
    dominance: Annotated[float, Field(gt=0, le=1)] | Literal[False] = 0.9
    differencing: bool = True
    max_levels: Annotated[int, Field(ge=1)] | Literal[False] = 40
    noise: Literal["none"] | Noise = "none"


class Linkage(_Closed):
    """Columns that serve only to recognise the same human being; they never leave."""

    fields: dict[str, str]
    match: tuple[tuple[str, ...], ...] | None = None


class Title(BaseModel):
    """A product's title in the area's four written languages."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    en: str
    zh_hans: str = Field(default="", alias="zh-Hans")
    zh_hant: str = Field(default="", alias="zh-Hant")
    pt: str = ""


class Offer(_Closed):
    """The published part of a product: all that may be known outside its node."""

    product: Identifier
    title: Title
    columns: dict[Identifier, Column]
    disclosure: Disclosure = Disclosure()

    @field_validator("columns")
    @classmethod
    def _no_reserved(cls, columns: dict[str, Column]) -> dict[str, Column]:
        taken = sorted(RESERVED_COLUMNS & set(columns))
        if taken:
            raise ValueError(f"{taken[0]} is a column that every product has; rename yours")
        if not columns:
            raise ValueError("a product needs at least one column")
        return columns

    def canonical_json(self) -> bytes:
        """RFC 8785 bytes: what an operator signs."""
        return rfc8785.dumps(self.model_dump(mode="json", by_alias=True))

    def schema_digest(self) -> bytes:
        """SHA-256 over names, types, roles and levels: equal where regions may be combined."""
        shape = {
            name: [column.type.value, column.role.value, list(column.levels or ())]
            for name, column in self.columns.items()
        }
        return hashlib.sha256(rfc8785.dumps([self.product, shape])).digest()


class Product(Offer):
    """The whole product file, as it stays at its node."""

    source: str
    subject: str
    subject_space: str = "default"
    linkage: Linkage | None = None

    @model_validator(mode="after")
    def _subject_stays(self) -> Product:
        if self.subject in self.columns:
            raise ValueError(f"subject {self.subject!r} never leaves: take it out of columns")
        if self.linkage:
            leaking = sorted(
                column
                for column in self.linkage.fields.values()
                if column in self.columns and self.columns[column].role is not Role.WITHHELD
            )
            if leaking:
                raise ValueError(f"{leaking[0]}: a linkage column may only be listed as withheld")
        return self

    def offer(self) -> Offer:
        """The published part."""
        return Offer(
            product=self.product,
            title=self.title,
            columns=self.columns,
            disclosure=self.disclosure,
        )


def catalogue_digest(offers: dict[str, bytes]) -> bytes:
    """SHA-256 over sorted `name sha256(payload)` lines: the catalogue in force at a node."""
    lines = "".join(
        f"{name} {hashlib.sha256(payload).hexdigest()}\n"
        for name, payload in sorted(offers.items())
    )
    return hashlib.sha256(lines.encode()).digest()
