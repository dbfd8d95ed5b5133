"""A share on the wire: what is written is read, and nothing else is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Unverified
from dataspace.query.partials import (
    Cell,
    KeyValue,
    Share,
    State,
    identity_of,
    read_share,
    read_value,
    write_share,
    write_value,
)
from dataspace.v1.query_pb2 import AggregateState, Partial, PartialCell
from dataspace.v1.values_pb2 import Value

FIGURES = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**60), max_value=10**60)
COUNTS = st.integers(0, 10**12)
KEYS: st.SearchStrategy[KeyValue] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text(), FIGURES,
    st.floats(allow_nan=False, allow_infinity=False), st.dates(), st.datetimes(),
)  # fmt: skip


@st.composite
def shares(draw: st.DrawFn) -> Share:
    base = draw(st.sampled_from([1, 5, 10]))
    width = draw(st.integers(0, 3))
    keys = st.lists(KEYS, min_size=width, max_size=width).map(tuple)
    spread = st.none() | FIGURES.map(abs)
    figure = st.none() | FIGURES
    exact = st.builds(State, COUNTS, sum=figure, variance=spread)
    rounded = st.builds(State, COUNTS.map(lambda n: n * base), mean=figure, variance=spread)
    depth = draw(st.integers(1, 3))
    states = st.lists(exact if base == 1 else rounded, min_size=depth, max_size=depth).map(tuple)
    cells = draw(st.lists(st.builds(Cell, keys, states), max_size=5, unique_by=lambda cell: (
        identity_of(cell.keys))))  # fmt: skip
    return Share(
        region=draw(st.sampled_from(["hongkong", "macao"])),
        key_names=tuple(f"key{n}" for n in range(width)),
        aggregates=tuple(f"aggregate{n}" for n in range(depth)),
        cells=tuple(cells),
        round_to=base,
    )


@given(shares())
def test_a_share_is_read_as_it_was_written(share: Share) -> None:
    wire = Partial()
    write_share(share, wire)
    assert read_share(Partial.FromString(wire.SerializeToString())) == share


@given(KEYS)
def test_a_key_keeps_value_and_type(value: KeyValue) -> None:
    read = read_value(Value.FromString(write_value(value).SerializeToString()))
    assert read == value
    assert type(read) is type(value)


@given(st.integers(2**63, 2**130) | st.integers(-(2**130), -(2**63) - 1))
def test_a_whole_key_beyond_64_bits_keeps_its_value(value: int) -> None:
    assert read_value(write_value(value)) == value


UNREADABLE = [
    Value(),
    Value(null=False),
    Value(real=float("nan")),
    Value(real=float("inf")),
    *(Value(decimal=text) for text in
      ("", "x", " 1", "+1", "1_0", "１", "NaN", "Infinity", "1e5", "1E999999999", "1E+999", ".5",
       "1" * 401)),
    *(Value(date=text) for text in ("", "20200131", "2020-W01-1", "2020-02-30", "2020-01-31T")),
    *(Value(timestamp=text) for text in
      ("", "2020-01-31", "2020-01-31 00:00:00", "2020-01-31T00:00:00Z",
       "2020-01-31T00:00:00+08:00")),
]  # fmt: skip


@pytest.mark.parametrize("wire", UNREADABLE, ids=[repr(wire)[:40] for wire in UNREADABLE])
def test_a_key_in_any_but_its_one_form_is_unverified(wire: Value) -> None:
    with pytest.raises(Unverified):
        read_value(wire)


def _partial(round_to: int = 1, **state: Any) -> Partial:
    fields: dict[str, Any] = {"count": 10, "sum": "5"} | state
    cell = PartialCell(keys=[Value(text="F")], states=[AggregateState(**fields)])
    return Partial(
        region="macao", key_names=["k"], aggregates=["sum(age)"], cells=[cell], round_to=round_to
    )


def test_the_partial_that_the_refused_ones_vary_is_read() -> None:
    assert read_share(_partial()).cells[0].states == (State(10, sum=Decimal(5)),)
    assert read_share(_partial(5, sum="", mean="0.5")).cells[0].states[0].total == 5


@pytest.mark.parametrize(
    "partial",
    [
        _partial(count=-1),
        _partial(sum="1", mean="1"),
        _partial(sum="1e5"),
        _partial(sum="NaN"),
        _partial(variance="-1"),
        _partial(0),
        _partial(5),  # exact although it says rounded
        _partial(5, count=11, sum="", mean="1"),
        _partial(1, sum="", mean="1"),
    ],
)
def test_a_state_that_cannot_be_is_unverified(partial: Partial) -> None:
    with pytest.raises(Unverified):
        read_share(partial)


def test_cells_that_do_not_fit_their_header_are_unverified() -> None:
    for change in ("key_names", "aggregates"):
        more, less = _partial(), _partial()
        getattr(more, change).append("another")
        del getattr(less, change)[:]
        for partial in (more, less):
            with pytest.raises(Unverified):
                read_share(partial)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Value(text="F"), Value(text="F")),
        (Value(null=True), Value(null=True)),
        (Value(decimal="1.0"), Value(decimal="1.00")),
        (Value(real=0.0), Value(real=-0.0)),
        (Value(integer=1), Value(real=1.0)),
    ],
)
def test_a_cell_that_stands_twice_is_unverified(one: Value, two: Value) -> None:
    states = [AggregateState(count=10)]
    cells = [PartialCell(keys=[key], states=states) for key in (one, two)]
    with pytest.raises(Unverified):
        read_share(Partial(key_names=["k"], aggregates=["a"], cells=cells, round_to=1))


def test_true_and_one_are_two_cells() -> None:
    states = [AggregateState(count=10)]
    cells = [
        PartialCell(keys=[key], states=states) for key in (Value(boolean=True), Value(integer=1))
    ]
    wire = Partial(key_names=["k"], aggregates=["a"], cells=cells, round_to=1)
    assert len(read_share(wire).cells) == 2
