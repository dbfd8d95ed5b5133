"""Released overlaps and what their codes stand for, as an answer. Only the requester can. Pure.

HAVING, ORDER BY and LIMIT are applied here: they name labels, which broker and other nodes
never see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dataspace.errors import Unverified
from dataspace.query.combine import Answer, CombinedCell, answer_of
from dataspace.query.evaluate import Row
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_cells import ABSENT, OverlapCell
from dataspace.query.partials import KeyValue, identity_of
from dataspace.query.tree import ColumnRef, Scalar

Labels = tuple[KeyValue, ...]  # one a key of a side

_UNUSED = (
    "{slot} recognised nobody: chance alone would have matched too many by it, so whoever shares "
    "nothing else is not counted as one human being"
)
_NOBODY_OR_NOTHING = (
    "null under a LEFT JOIN holds who is not there and who has no value there; where one of the "
    "two is too small to be shown, the other alone"
)


@dataclass(frozen=True)
class GroupCell:
    """One group of a side as its node selected it: labels, and the persons in it, each once.

    Never leaves the node.
    """

    labels: Labels
    persons: tuple[str, ...]


def overlap_labels(rows: Iterable[Sequence[Any]], keys: int) -> tuple[GroupCell, ...]:
    """The groups of a side's rows: `person` and its `keys` labels, as `render_side` says.

    At least one, so that a node has something to bring: without keys the one of everybody,
    with keys and nobody selected one of nulls. Their order is that of the rows, and must not
    be that of the batches: sort those by code.
    """
    found: dict[Any, tuple[Labels, list[str]]] = {}
    for person, *labels in rows:
        own = tuple(labels)
        found.setdefault(identity_of(own), (own, []))[1].append(person)
    cells = tuple(GroupCell(labels, tuple(persons)) for labels, persons in found.values())
    return cells or (GroupCell((None,) * keys, ()),)


def tabulate(
    cells: Sequence[OverlapCell],
    labels: Mapping[str, Mapping[bytes, Labels]],
    query: OverlapQuery,
    unused: Sequence[str] = (),
) -> Answer:
    """The answer to a bound question: cells of `combine_overlap`, labels by region and code.

    `unused` are match lists that recognised nobody, which the answer says.

    Raises `Unverified` (`overlap-labels`) where a released code has no label, or not one for
    each key, or two codes of a region have the same.
    """
    for region, own in labels.items():
        _check(query, region, own)
    people: dict[Any, tuple[Labels, int]] = {}
    merged = False
    for cell in cells:
        keys = _labels(query, cell, labels)
        identity = identity_of(keys)
        merged |= identity in people
        _, before = people.get(identity, (keys, 0))
        people[identity] = (keys, before + cell.people)
    combined = [
        CombinedCell(
            Row(keys, (count,) * len(query.aggregates)),
            query.regions,
            (None,) * len(query.aggregates),
        )
        for keys, count in people.values()
    ]
    notes = [_UNUSED.format(slot=slot) for slot in unused]
    notes += [_NOBODY_OR_NOTHING] if merged else []
    return answer_of(query.outcomes(), combined, _hidden_cells(query, combined), tuple(notes))


def _check(query: OverlapQuery, region: str, labels: Mapping[bytes, Labels]) -> None:
    keys = len(query.side(region).keys)
    if any(len(own) != keys for own in labels.values()):
        raise _bad_labels(region)
    if len({identity_of(own) for own in labels.values()}) != len(labels):
        raise _bad_labels(region)


def _labels(
    query: OverlapQuery, cell: OverlapCell, labels: Mapping[str, Mapping[bytes, Labels]]
) -> Labels:
    by_region: dict[str, Labels] = {}
    for region, code in zip(query.regions, cell.codes, strict=True):
        keys = len(query.side(region).keys)
        own = labels.get(region, {}).get(code) if keys and code != ABSENT else (None,) * keys
        if own is None:
            raise _bad_labels(region)
        by_region[region] = own
    sides = [by_region[side.region] for side in query.sides]
    return tuple(sides[side][index] for side, index in query.groups)


def _hidden_cells(query: OverlapQuery, combined: Sequence[CombinedCell]) -> int | None:
    """Declared level combinations that are not shown; who is absent has a level of its own."""
    declared = 1
    levels: list[frozenset[Any]] = []
    for side, index in query.groups:
        own = _levels(query.sides[side].keys[index], query.sides[side].region)
        if own is None:
            return None
        levels.append(own)
    for at, side_of in enumerate(query.sides):
        places = [place for place, (side, _) in enumerate(query.groups) if side == at]
        several = 1
        for place in places:
            several *= len(levels[place])
        absent = bool(places) and at in query.optional and bool(side_of.keys)
        declared *= several + absent
    shown = sum(_declared(query, cell.row.keys, levels) for cell in combined)
    return declared - shown


def _declared(query: OverlapQuery, keys: Sequence[Any], levels: Sequence[frozenset[Any]]) -> bool:
    for at in range(len(query.sides)):
        places = [place for place, (side, _) in enumerate(query.groups) if side == at]
        absent = at in query.optional and all(keys[place] is None for place in places)
        if not absent and any(keys[place] not in levels[place] for place in places):
            return False
    return True


def _levels(key: Scalar, region: str) -> frozenset[Any] | None:
    if not isinstance(key, ColumnRef):
        return None
    if key.name == "region":
        return frozenset({region})
    return None if key.levels is None else frozenset(key.levels)


def _bad_labels(region: str) -> Unverified:
    return Unverified(
        f"what {region} sealed does not say what its groups stand for", code="overlap-labels"
    )
