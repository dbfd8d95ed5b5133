"""Terms of an agreement: who may have what of whom, for which purpose and how long. Pure.

    terms = RFC 8785 JSON, one spelling for one meaning; its SHA-256 names them
    party = region | region "/" member

The keys are closed: an unknown term is refused, since a connector that lets an unknown
constraint pass would permit what somebody meant to forbid. Lists are sorted, each name once,
and "*" alone stands for all. Times are milliseconds since the epoch, the end not included.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Annotated, Final

import rfc8785
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dataspace.errors import DataspaceError, Malformed
from dataspace.identity.names import check_part, check_region
from dataspace.policy.bases import STANDARD_CONTRACT
from dataspace.policy.requests import PURPOSES

ALL: Final = "*"
MAX_TERMS_BYTES: Final = 32 * 1024
_BASES_OF_NO_CONTRACT: Final = frozenset({"AGGREGATE", "LOCAL", "EMERGENCY"})
_PRODUCT: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}")
_MAX_MS: Final = 2**53

_Moment = Annotated[int, Field(strict=True, ge=0, lt=_MAX_MS)]
_Count = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
_Reference = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class Terms(BaseModel):
    """What both parties sign. `Malformed` (code `terms`) comes of `parse` and of `of`.

    `columns` are written `product.column`; `budget` counts the answers given under the
    agreement, 0 where they are not counted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: str
    consumer: str
    products: tuple[str, ...]
    columns: tuple[str, ...]
    purposes: tuple[str, ...]
    basis: Annotated[str, Field(pattern=r"^[A-Z][A-Z+-]{0,63}$")]
    filing: _Reference = ""
    impact_assessment: _Reference = ""
    retention_days: Annotated[int, Field(strict=True, ge=0, le=36_500)]
    onward_transfer: Annotated[bool, Field(strict=True)] = False
    not_before_ms: _Moment
    not_after_ms: _Moment
    budget: _Count = 0

    @field_validator("provider", "consumer")
    @classmethod
    def _is_party(cls, party: str) -> str:
        region, slash, member = party.partition("/")
        try:
            check_region(region)
            if slash:
                check_part("member", member)
        except DataspaceError as error:
            raise ValueError(error.message) from None
        return party

    @field_validator("products", "columns", "purposes")
    @classmethod
    def _is_sorted(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or list(names) != sorted(set(names)):
            raise ValueError("a sorted list, each name once, or only *")
        if ALL in names and len(names) > 1:
            raise ValueError("* stands alone")
        return names

    @model_validator(mode="after")
    def _hold_together(self) -> Terms:
        if self.provider_region == self.consumer_region:
            raise ValueError("consumer: an agreement is between two regions")
        _check_names("products", self.products, _PRODUCT)
        _check_names("columns", self.columns, _COLUMN)
        for name in self.columns:
            if name != ALL and not self.covers_product(name.partition(".")[0]):
                raise ValueError(f"columns: {name} is of no product of this agreement")
        # No wildcard: consent to a purpose that nobody named would be no consent.
        for purpose in self.purposes:
            if purpose not in PURPOSES:
                raise ValueError(f"purposes: one of {', '.join(PURPOSES)}")
        if self.not_after_ms <= self.not_before_ms:
            raise ValueError("not_after_ms: the period ends before it begins")
        if self.basis in _BASES_OF_NO_CONTRACT:
            raise ValueError(f"basis: {self.basis} needs no agreement and is none's basis")
        if self.basis == STANDARD_CONTRACT and not (self.filing and self.impact_assessment):
            raise ValueError("filing, impact_assessment: the GBA standard contract needs both")
        if self.basis == STANDARD_CONTRACT and self.onward_transfer:
            raise ValueError("onward_transfer: the GBA standard contract allows none")
        return self

    @property
    def provider_region(self) -> str:
        """The region that holds the data."""
        return self.provider.partition("/")[0]

    @property
    def consumer_region(self) -> str:
        """The region that the data goes to."""
        return self.consumer.partition("/")[0]

    @property
    def regions(self) -> tuple[str, str]:
        """Both, sorted."""
        first, second = sorted((self.provider_region, self.consumer_region))
        return first, second

    def covers_product(self, product: str) -> bool:
        """Whether a product is among those agreed on."""
        return self.products == (ALL,) or product in self.products

    def covers_columns(self, product: str, columns: Iterable[str]) -> bool:
        """Whether all these columns of a product are among those agreed on."""
        return self.columns == (ALL,) or {f"{product}.{name}" for name in columns} <= set(
            self.columns
        )

    def is_current(self, at_ms: int) -> bool:
        """Whether a moment lies within the period."""
        return self.not_before_ms <= at_ms < self.not_after_ms

    def to_json(self) -> str:
        """The one spelling of these terms."""
        return rfc8785.dumps(self.model_dump(mode="json")).decode()

    @property
    def sha256(self) -> bytes:
        """Names the terms."""
        return hashlib.sha256(self.to_json().encode()).digest()

    @classmethod
    def of(cls, values: object) -> Terms:
        """Terms from decoded JSON or TOML. Raises `Malformed` naming the term that is wrong."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            if first["type"] == "extra_forbidden":
                raise _malformed(
                    f"unknown term {place}; use {', '.join(cls.model_fields)}"
                ) from None
            said = first["msg"].removeprefix("Value error, ")
            raise _malformed(f"{place}: {said}" if place else said) from None

    @classmethod
    def parse(cls, text: str) -> Terms:
        """The terms that `to_json` wrote; any other spelling is `Malformed`."""
        if len(text.encode(errors="replace")) > MAX_TERMS_BYTES:
            raise _malformed(f"they have more than {MAX_TERMS_BYTES} bytes")
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            raise _malformed("they are not JSON") from None
        terms = cls.of(values)
        # INVARIANT: one meaning, one spelling, so that one digest stands for it.
        if terms.to_json() != text:
            raise _malformed("they are not canonical JSON (RFC 8785)")
        return terms


def party_covers(party: str, region: str, member: str | None) -> bool:
    """Whether a party is this member, or its region; None stands for a member not known."""
    named, _, only = party.partition("/")
    return named == region and (not only or member is None or only == member)


def _check_names(what: str, names: Iterable[str], form: re.Pattern[str]) -> None:
    for name in names:
        if name != ALL and not form.fullmatch(name):
            raise ValueError(f"{what}: {form.pattern} or *")


def _malformed(what: str) -> Malformed:
    return Malformed(f"these terms are not whole: {what}", code="terms")
