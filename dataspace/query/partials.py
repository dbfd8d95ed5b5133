"""A node's share of an answer: cells of aggregate states, and their form on the wire."""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass
from decimal import Decimal

from dataspace.errors import Unverified
from dataspace.v1 import query_pb2, values_pb2

MAX_FIGURE = 400
MAX_LEVEL = 30
_FIGURE = re.compile(r"-?[0-9]+(\.[0-9]+)?(E[+-][0-9]{1,3})?")

KeyValue = bool | int | float | str | Decimal | datetime.date | datetime.datetime | None
Figure = KeyValue | tuple[int | None, ...]  # what an outcome yields; the tuple is a histogram


@dataclass(frozen=True)
class Label:
    """A level, an interval or a bin that has enough subjects, with its rounded count.

    `value` for levels of `count(distinct x)`; `position` for bins; `level`, `position` and
    `span` for the intervals of a quantile: `span` of that level's, from `position` on.
    """

    value: KeyValue = None
    level: int = 0
    position: int = 0
    count: int = 0
    span: int = 0

    def __post_init__(self) -> None:
        least = min(self.level, self.position, self.count, self.span)
        beyond = self.span and self.position + self.span > 2**self.level
        if least < 0 or self.level > MAX_LEVEL or beyond:
            raise Unverified("a label that cannot be", code="partial-state")


@dataclass(frozen=True)
class State:
    """One aggregate in one cell, releasable.

    `count` rows (or persons) counted. With rounding off `sum` is exact; with rounding on
    `mean` stands in its place. `variance` is the sample variance where it was asked for.
    """

    count: int
    sum: Decimal | None = None
    mean: Decimal | None = None
    variance: Decimal | None = None
    other_sum: Decimal | None = None
    other_mean: Decimal | None = None
    other_variance: Decimal | None = None
    covariance: Decimal | None = None
    labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        two_means = self.sum is not None and self.mean is not None
        two_means |= self.other_sum is not None and self.other_mean is not None
        spreads = [each for each in (self.variance, self.other_variance) if each is not None]
        if self.count < 0 or two_means or any(each < 0 for each in spreads):
            raise Unverified("an aggregate state that cannot be", code="partial-state")

    @property
    def total(self) -> Decimal:
        """The sum, exact or as mean × rounded count."""
        if self.sum is not None:
            return self.sum
        return (self.mean or Decimal(0)) * self.count

    @property
    def other_total(self) -> Decimal:
        """The sum of the second argument."""
        if self.other_sum is not None:
            return self.other_sum
        return (self.other_mean or Decimal(0)) * self.count


@dataclass(frozen=True)
class Cell:
    """One group: its key values and a state for each aggregate, in the query's order."""

    keys: tuple[KeyValue, ...]
    states: tuple[State, ...]


@dataclass(frozen=True)
class Share:
    """All the cells that one region may show."""

    region: str
    key_names: tuple[str, ...]
    aggregates: tuple[str, ...]
    cells: tuple[Cell, ...]
    round_to: int


def write_share(share: Share, partial: query_pb2.Partial) -> None:
    """Fill the cells of a wire partial."""
    partial.region = share.region
    partial.key_names.extend(share.key_names)
    partial.aggregates.extend(share.aggregates)
    partial.round_to = share.round_to
    for cell in share.cells:
        wire = partial.cells.add()
        for key in cell.keys:
            wire.keys.append(write_value(key))
        for state in cell.states:
            wire.states.append(_write_state(state))


def read_share(partial: query_pb2.Partial) -> Share:
    """The share of a verified partial. Raises `Unverified` where the form does not hold."""
    cells = []
    for wire in partial.cells:
        if len(wire.keys) != len(partial.key_names) or len(wire.states) != len(partial.aggregates):
            raise Unverified("a partial whose cells do not fit its header", code="partial-shape")
        states = tuple(map(_read_state, wire.states))
        cells.append(Cell(tuple(map(read_value, wire.keys)), states))
        if any(not _as_rounded(state, partial.round_to) for state in states):
            raise Unverified("a partial that is not rounded as it says", code="partial-round")
    if len({identity_of(cell.keys) for cell in cells}) != len(cells):
        raise Unverified("a partial that shows a cell twice", code="partial-shape")
    return Share(
        region=partial.region,
        key_names=tuple(partial.key_names),
        aggregates=tuple(partial.aggregates),
        cells=tuple(cells),
        round_to=partial.round_to,
    )


_FIGURES = (
    "sum", "mean", "variance", "other_sum", "other_mean", "other_variance", "covariance",
)  # fmt: skip


def _write_state(state: State) -> query_pb2.AggregateState:
    figures = {name: _text(getattr(state, name)) for name in _FIGURES}
    labels = [
        query_pb2.Label(
            value=write_value(each.value),
            level=each.level,
            position=each.position,
            count=each.count,
            span=each.span,
        )
        for each in state.labels
    ]
    return query_pb2.AggregateState(count=state.count, labels=labels, **figures)


def _read_state(wire: query_pb2.AggregateState) -> State:
    figures = {name: _decimal(getattr(wire, name)) for name in _FIGURES}
    labels = tuple(
        Label(read_value(each.value), each.level, each.position, each.count, each.span)
        for each in wire.labels
    )
    return State(wire.count, labels=labels, **figures)


def _as_rounded(state: State, round_to: int) -> bool:
    counts = [state.count, *(label.count for label in state.labels)]
    if round_to < 1 or any(count % round_to for count in counts):
        return False
    if round_to == 1:
        return state.mean is None and state.other_mean is None
    return state.sum is None and state.other_sum is None


def identity_of(keys: tuple[KeyValue, ...]) -> tuple[tuple[str, KeyValue], ...]:
    """What makes two cells one: to Python alone, true and 1 would be equal."""
    return tuple(
        ("boolean" if isinstance(key, bool) else "moment" if _is_moment(key) else "", key)
        for key in keys
    )


def _is_moment(key: KeyValue) -> bool:
    return isinstance(key, datetime.datetime)


def write_value(value: KeyValue) -> values_pb2.Value:
    """One key value on the wire."""
    match value:
        case None:
            return values_pb2.Value(null=True)
        case bool():
            return values_pb2.Value(boolean=value)
        case int():
            if not -(2**63) <= value < 2**63:
                return values_pb2.Value(decimal=str(value))
            return values_pb2.Value(integer=value)
        case float():
            return values_pb2.Value(real=value)
        case Decimal():
            return values_pb2.Value(decimal=str(value))
        case datetime.datetime():
            return values_pb2.Value(timestamp=value.isoformat())
        case datetime.date():
            return values_pb2.Value(date=value.isoformat())
        case str():
            return values_pb2.Value(text=value)


def read_value(wire: values_pb2.Value) -> KeyValue:
    """One key value from the wire; one form a value, no other is read."""
    kind = wire.WhichOneof("kind")
    if kind == "null" and wire.null:
        return None
    try:
        value = _read(kind, wire)
    except ValueError:
        value = None
    if value is None:
        raise Unverified("a key value that cannot be read", code="partial-value")
    return value


def _read(kind: str | None, wire: values_pb2.Value) -> KeyValue:
    match kind:
        case "boolean" | "integer" | "text":
            value: KeyValue = getattr(wire, kind)
            return value
        case "real":
            return wire.real if math.isfinite(wire.real) else None
        case "decimal":
            return _decimal(wire.decimal)
        case "date":
            date = datetime.date.fromisoformat(wire.date)
            return date if date.isoformat() == wire.date else None
        case "timestamp":
            moment = datetime.datetime.fromisoformat(wire.timestamp)
            plain = moment.tzinfo is None and moment.isoformat() == wire.timestamp
            return moment if plain else None
    return None


def _text(number: Decimal | None) -> str:
    return "" if number is None else str(number)


def _decimal(text: str) -> Decimal | None:
    if not text:
        return None
    # SECURITY: Decimal() itself also takes signs, blanks, other scripts' digits, and
    # exponents that overflow whatever is computed from them.
    if len(text) > MAX_FIGURE or not _FIGURE.fullmatch(text):
        raise Unverified("a figure that is no plain number", code="partial-value")
    number = Decimal(text)
    if abs(number.adjusted()) > MAX_FIGURE:
        raise Unverified("a figure out of range", code="partial-value")
    return number
