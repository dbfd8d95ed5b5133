"""Negative lists: what an issuing body says may not leave, compiled to one forbid rule each.

A list names categories, products or columns (`product.column`), and is in force from the start
of its first day to the end of its last, in the area's time (UTC+8, no summer time). Reads no
clock: the time is the request's. Validation of the compiled rule is the rule set's.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import tomllib
from dataclasses import dataclass
from typing import Any, Final

from dataspace.policy.faults import PolicyFault
from dataspace.policy.requests import ACTIONS, REGIONS

_AREA: Final = dt.timezone(dt.timedelta(hours=8))
_REQUIRED: Final = {"id", "title", "issuing_body", "basis", "valid_from", "messages"}
_HITS: Final = ("categories", "products", "columns")
_KEYS: Final = _REQUIRED | {"valid_to", "actions", "leaving", "from_records", *_HITS}
_MOST_RECORDS: Final = 2**53 - 1
_MESSAGES: Final = ("en", "zh_hans", "zh_hant", "pt")
_COLUMN: Final = re.compile(r"([^.]+)\.([^.]+)")


@dataclass(frozen=True)
class NegativeList:
    """One list in force on the days `valid_from` to `valid_to`, both included.

    `valid_to` is None where the list has no end; empty `actions` means every action. `leaving`
    names regions: only what leaves one of them is hit; empty, also what stays. `from_records`
    is a threshold: the list hits from so many people on whose records leave in a year. Raises
    `PolicyFault` when it hits nothing or ends before it begins.
    """

    source: str
    id: str
    title: str
    issuing_body: str
    basis: str
    valid_from: dt.date
    valid_to: dt.date | None
    categories: tuple[str, ...]
    products: tuple[str, ...]
    columns: tuple[str, ...]
    actions: tuple[str, ...]
    leaving: tuple[str, ...]
    from_records: int | None
    messages: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (self.categories or self.products or self.columns):
            raise PolicyFault(self.source, "names no categories, products or columns")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise PolicyFault(self.source, "valid_to is before valid_from")
        for action in self.actions:
            if action not in ACTIONS:
                raise PolicyFault(self.source, f"unknown action: use {', '.join(ACTIONS)}")
        for region in self.leaving:
            if region not in REGIONS:
                raise PolicyFault(self.source, f"unknown region: use {', '.join(REGIONS)}")
        for column in self.columns:
            if not _COLUMN.fullmatch(column):
                raise PolicyFault(self.source, "columns are written product.column")


def parse_list(source: str, text: str) -> NegativeList:
    """The negative list in a TOML file. Its keys are closed; dates are TOML dates."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyFault(source, str(error)) from error
    if missing := _REQUIRED - values.keys():
        raise PolicyFault(source, f"missing {', '.join(sorted(missing))}")
    if unknown := values.keys() - _KEYS:
        raise PolicyFault(source, f"unknown keys: {', '.join(sorted(unknown))}")
    last = values.get("valid_to")
    return NegativeList(
        source=source,
        id=_text(source, "id", values["id"]),
        title=_text(source, "title", values["title"]),
        issuing_body=_text(source, "issuing_body", values["issuing_body"]),
        basis=_text(source, "basis", values["basis"]),
        valid_from=_date(source, "valid_from", values["valid_from"]),
        valid_to=None if last is None else _date(source, "valid_to", last),
        categories=_names(source, "categories", values.get("categories")),
        products=_names(source, "products", values.get("products")),
        columns=_names(source, "columns", values.get("columns")),
        actions=_names(source, "actions", values.get("actions")),
        leaving=_names(source, "leaving", values.get("leaving")),
        from_records=_threshold(source, values.get("from_records")),
        messages=_four_messages(source, values["messages"]),
    )


def compile_list(listed: NegativeList) -> str:
    """The Cedar text of the forbid rule that a list stands for."""
    annotations = {
        "id": listed.id,
        "basis": f"{listed.basis} ({listed.issuing_body}: {listed.title})",
        **{f"message_{key}": said for key, said in zip(_MESSAGES, listed.messages, strict=True)},
    }
    heads = "\n".join(f"@{key}({_quoted(value)})" for key, value in annotations.items())
    actions = ", ".join(f'Action::"{action}"' for action in listed.actions or ACTIONS)
    parts = (_in_force(listed), _hit(listed), *_limits(listed))
    conditions = " && ".join(f"({condition})" for condition in parts)
    return f"{heads}\nforbid (principal, action in [{actions}], resource)\nwhen {{ {conditions} }};"


def _in_force(listed: NegativeList) -> str:
    begins = f"context.at_ms >= {_day_ms(listed.valid_from)}"
    if listed.valid_to is None:
        return begins
    return f"{begins} && context.at_ms < {_day_ms(listed.valid_to + dt.timedelta(days=1))}"


def _hit(listed: NegativeList) -> str:
    hits = []
    if listed.categories:
        hits.append(f"context.categories.containsAny([{_quoted_all(listed.categories)}])")
    if listed.products:
        hits.append(f"[{_quoted_all(listed.products)}].contains(resource.name)")
    for written in listed.columns:
        product, column = written.split(".")
        hits.append(
            f"(resource.name == {_quoted(product)} && context.columns.contains({_quoted(column)}))"
        )
    return " || ".join(hits)


def _limits(listed: NegativeList) -> list[str]:
    limits = []
    if listed.leaving:
        regions = ", ".join(f"Region::{_quoted(region)}" for region in listed.leaving)
        limits += [f"[{regions}].contains(context.route.from)"]
        limits += ["context.route.from != context.route.to"]
    if listed.from_records is not None:
        limits.append(f"context.records_this_year >= {listed.from_records}")
    return limits


def _day_ms(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=_AREA).timestamp() * 1000)


def _quoted(text: str) -> str:
    # SECURITY: JSON and Cedar quote and escape printable text alike, so that no text of a list can
    # end its string and go on as a rule; `_text` refuses all else.
    return json.dumps(text, ensure_ascii=False)


def _quoted_all(names: tuple[str, ...]) -> str:
    return ", ".join(_quoted(name) for name in names)


def _text(source: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise PolicyFault(source, f"{key} must be printable text of one line")
    return value


def _date(source: str, key: str, value: Any) -> dt.date:
    if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
        raise PolicyFault(source, f"{key} must be a date such as 2024-01-31")
    if not 1970 <= value.year <= 9998:
        raise PolicyFault(source, f"{key} must lie between 1970 and 9998")
    return value


def _names(source: str, key: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        raise PolicyFault(source, f"{key} must be a list of one or more names")
    return tuple(_text(source, key, name) for name in value)


def _threshold(source: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _MOST_RECORDS:
        raise PolicyFault(source, "from_records must be a whole number of people, 1 or more")
    return value


def _four_messages(source: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, dict) or value.keys() != set(_MESSAGES):
        raise PolicyFault(source, f"messages must have the languages {', '.join(_MESSAGES)}")
    return tuple(_text(source, f"messages.{key}", value[key]) for key in _MESSAGES)
