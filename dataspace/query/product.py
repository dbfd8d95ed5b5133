"""A data product: what one region offers under a shared name.

Values alone; reads no file. The set of keys is the one of the design's §6, closed:
an unknown key is refused, so that a misspelt protection never passes as absent.
"""

from __future__ import annotations

import datetime
import hashlib
import math
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dataspace.errors import Malformed
from dataspace.linkage.match_lists import match_lists

LevelValue = bool | int | float | str

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

_Finite = Annotated[float, Field(allow_inf_nan=False)]
# SECURITY: strict, so that `round_to: true` is no way to write 1, nor "false" one to write no.
_Whole = Annotated[int, Field(strict=True, ge=1)]
_Switch = Annotated[bool, Field(strict=True)]

LINKAGE_FIELDS = frozenset({
    "ric", "hkid", "bir", "mtp", "passport", "other_id", "full_name", "surname", "given_name",
    "birth_date", "sex", "postcode", "address",
})  # fmt: skip
MAX_PADDING = 65_536
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
    bounds: tuple[_Finite, _Finite] | None = None
    text_search: bool = False
    sensitive: bool = False
    categories: tuple[str, ...] = ()

    def typed(self, level: LevelValue) -> LevelValue | Decimal | datetime.date:
        """A declared level as cells hold it. Raises ValueError where it is of another type."""
        text, numeric = isinstance(level, str), not isinstance(level, bool | str)
        moment = datetime.datetime if self.type is ColumnType.TIMESTAMP else datetime.date
        if self.type in {ColumnType.DATE, ColumnType.TIMESTAMP} and isinstance(level, str):
            try:
                return moment.fromisoformat(level)
            except ValueError:
                raise ValueError(f"levels: a level is no {self.type.value}") from None
        if self.type is ColumnType.DECIMAL and numeric:
            return Decimal(repr(level))
        if self.type is ColumnType.INTEGER and isinstance(level, int) and numeric:
            return level
        fits = {
            ColumnType.VARCHAR: text,
            ColumnType.BOOLEAN: isinstance(level, bool),
            ColumnType.DOUBLE: numeric,
        }
        if not fits.get(self.type, False):
            raise ValueError(f"levels: a level is no {self.type.value}")
        return level

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.levels is not None:
            if any(not _writable(level) for level in self.levels):
                raise ValueError("levels: whole numbers up to 2^53, and finite ones")
            if len(set(map(self.typed, self.levels))) != len(self.levels):
                raise ValueError("levels: a level stands twice")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise ValueError("bounds: the lower one must be less than the upper one")
        if self.text_search and self.type is not ColumnType.VARCHAR:
            raise ValueError("text_search is for varchar columns")
        return self


def _writable(level: LevelValue) -> bool:
    """What RFC 8785 can write without loss."""
    if isinstance(level, int):
        return abs(level) <= 2**53
    return not isinstance(level, float) or math.isfinite(level)


class Noise(_Closed):
    """A noise mechanism and its budget per answer."""

    mechanism: Literal["laplace", "gaussian"]
    epsilon: Annotated[float, Field(gt=0)]


class Disclosure(_Closed):
    """Disclosure control of one product; the defaults are the design's §7."""

    min_subjects: Annotated[int, Field(strict=True, ge=5)] = 11
    round_to: _Whole = 5
    secondary: _Switch = True
    dominance: Annotated[float, Field(strict=True, gt=0, le=1)] | Literal[False] = 0.9
    differencing: _Switch = True
    max_levels: _Whole | Literal[False] = 40
    noise: Literal["none"] | Noise = "none"

    @model_validator(mode="after")
    def _shows_something(self) -> Disclosure:
        if self.round_to > 2 * self.min_subjects:
            raise ValueError("round_to: at most twice min_subjects, or a shown count would be 0")
        return self


class Recognition(_Closed):
    """What others may know of a product's linkage: which kinds of fields it has, and which lists
    of them count as the same human being (None: the space's default). No columns."""

    kinds: tuple[str, ...]
    match: tuple[tuple[str, ...], ...] | None = None


class Linkage(_Closed):
    """Columns that serve only to recognise the same human being; they never leave."""

    fields: dict[str, str]
    match: tuple[tuple[str, ...], ...] | None = None
    pad_to: _Whole = 1  # sizes of cells that other nodes see are multiples of it
    tiers: tuple[Literal["blind", "keyed"], ...] = ("blind",)

    @model_validator(mode="after")
    def _known(self) -> Linkage:
        if "blind" not in self.tiers or len(set(self.tiers)) != len(self.tiers):
            raise ValueError("tiers: blind, and keyed where you allow it, each once")
        if self.pad_to > MAX_PADDING:
            raise ValueError(f"pad_to: at most {MAX_PADDING}")
        used = {name.removesuffix("~") for keys in self.match or () for name in keys}
        for name in sorted({*self.fields, *used} - LINKAGE_FIELDS):
            raise ValueError(f"{name} is no kind of field; see the list in docs/product-file.md")
        try:
            match_lists(self.match or ())
        except Malformed as error:
            raise ValueError(f"match: {error.message}") from None
        return self

    def published(self) -> Recognition:
        """What others may know of it."""
        return Recognition(kinds=tuple(sorted(self.fields)), match=self.match)


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
    subject_space: str = "default"
    recognition: Recognition | None = None

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

    def shape_json(self) -> bytes:
        """RFC 8785 bytes of the name and the columns' shape (type, role, levels, bounds)."""
        shape = {
            name: [
                column.type.value,
                column.role.value,
                list(column.levels or ()),
                list(column.bounds or ()),
            ]
            for name, column in self.columns.items()
        }
        return rfc8785.dumps([self.product, shape])

    def schema_digest(self) -> bytes:
        """SHA-256 of the columns' shape: equal where regions may be combined."""
        return hashlib.sha256(self.shape_json()).digest()


class Product(Offer):
    """The whole product file, as it stays at its node."""

    source: Annotated[str, Field(min_length=1)]
    subject: Annotated[str, Field(min_length=1)]
    linkage: Linkage | None = None
    recognition: None = None  # made of `linkage` when it is published

    @model_validator(mode="after")
    def _subject_stays(self) -> Product:
        # SECURITY: engines take `HKID` and `hkid` for one column, and columns are lower-case.
        if self.subject.lower() in self.columns:
            raise ValueError(f"subject {self.subject!r} never leaves: take it out of columns")
        if self.linkage:
            leaking = sorted(
                column
                for column in self.linkage.fields.values()
                if column.lower() in self.columns
                and self.columns[column.lower()].role is not Role.WITHHELD
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
            subject_space=self.subject_space,
            recognition=None if self.linkage is None else self.linkage.published(),
        )


def catalogue_digest(offers: dict[str, bytes]) -> bytes:
    """SHA-256 over sorted `name sha256(payload)` lines: the catalogue in force at a node."""
    lines = "".join(
        f"{name} {hashlib.sha256(payload).hexdigest()}\n"
        for name, payload in sorted(offers.items())
    )
    return hashlib.sha256(lines.encode()).digest()
