"""A node's share of an answer: cells of aggregate states, and their form on the wire."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from dataspace.errors import Unverified
from dataspace.v1 import query_pb2, values_pb2

KeyValue = bool | int | float | str | Decimal | datetime.date | datetime.datetime | None


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

    def __post_init__(self) -> None:
        if self.count < 0 or (self.sum is not None and self.mean is not None):
            raise Unverified("an aggregate state that cannot be", code="partial-state")

    @property
    def total(self) -> Decimal:
        """The sum, exact or as mean × rounded count."""
        if self.sum is not None:
            return self.sum
        return (self.mean or Decimal(0)) * self.count


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
            wire.states.append(
                query_pb2.AggregateState(
                    count=state.count,
                    sum=_text(state.sum),
                    mean=_text(state.mean),
                    variance=_text(state.variance),
                )
            )


def read_share(partial: query_pb2.Partial) -> Share:
    """The share of a verified partial. Raises `Unverified` where the form does not hold."""
    cells = []
    for wire in partial.cells:
        if len(wire.keys) != len(partial.key_names) or len(wire.states) != len(partial.aggregates):
            raise Unverified("a partial whose cells do not fit its header", code="partial-shape")
        states = tuple(
            State(s.count, _decimal(s.sum), _decimal(s.mean), _decimal(s.variance))
            for s in wire.states
        )
        cells.append(Cell(tuple(map(read_value, wire.keys)), states))
    if len({tuple(map(repr, cell.keys)) for cell in cells}) != len(cells):
        raise Unverified("a partial that shows a cell twice", code="partial-shape")
    return Share(
        region=partial.region,
        key_names=tuple(partial.key_names),
        aggregates=tuple(partial.aggregates),
        cells=tuple(cells),
        round_to=partial.round_to,
    )


def write_value(value: KeyValue) -> values_pb2.Value:
    """One key value on the wire."""
    match value:
        case None:
            return values_pb2.Value(null=True)
        case bool():
            return values_pb2.Value(boolean=value)
        case int():
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
    """One key value from the wire."""
    kind = wire.WhichOneof("kind")
    try:
        match kind:
            case "boolean" | "integer" | "real" | "text":
                value: KeyValue = getattr(wire, kind)
                return value
            case "decimal":
                return _decimal(wire.decimal)
            case "date":
                return datetime.date.fromisoformat(wire.date)
            case "timestamp":
                return datetime.datetime.fromisoformat(wire.timestamp)
            case "null":
                return None
    except ValueError:
        pass
    raise Unverified("a key value that cannot be read", code="partial-value")


def _text(number: Decimal | None) -> str:
    return "" if number is None else str(number)


def _decimal(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise Unverified("a figure that is no number", code="partial-value") from None
    if not number.is_finite() or len(text) > 400:
        raise Unverified("a figure out of range", code="partial-value")
    return number
