"""People: what is true of them wherever they are known. Knows no records.

Each cohort is drawn from its own stream, so that two regions that share people draw the
same ones without having met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from dataspace.synthetic import calendar
from dataspace.synthetic.arrays import Bools, Ints, pick
from dataspace.synthetic.cohorts import Cohort
from dataspace.synthetic.illness import Health, draw_health
from dataspace.synthetic.names import PORTUGUESE_SHARE, Names, draw_names
from dataspace.synthetic.places import (
    AGE_WEIGHTS,
    AREA_WEIGHTS,
    GUANGZHOU,
    MACAO,
    REFERENCE_DAY,
)

BLOOD_TYPES = ("A+", "A-", "AB+", "AB-", "B+", "B-", "O+", "O-")
BLOOD_WEIGHTS = (27.0, 0.1, 6.5, 0.05, 25.5, 0.1, 40.5, 0.25)
PERMIT_SHARE = 0.6
"""Of Hong Kong and Macao people unknown in Guangzhou; all the others hold a travel permit."""


@dataclass(frozen=True)
class People:
    """Columns of equal length, one row a human being."""

    human: Ints
    home: Ints
    male: Bools
    birth: Ints
    names: Names
    area: Ints
    sequence: Ints
    permit: Bools
    blood: Ints
    health: Health

    def __len__(self) -> int:
        return len(self.human)


def draw_people(rng: np.random.Generator, cohort: Cohort) -> People:
    """The people of one cohort."""
    rows = cohort.size
    home = pick(rng, cohort.homes, rows)
    male = rng.random(rows) < 0.485
    birth = _births(rng, home)
    area = pick(rng, AREA_WEIGHTS, rows)
    permit = (home != GUANGZHOU) & (
        (rng.random(rows) < PERMIT_SHARE) | (GUANGZHOU in cohort.regions)
    )
    portuguese = (home == MACAO) & (rng.random(rows) < PORTUGUESE_SHARE)
    return People(
        human=np.arange(cohort.first, cohort.first + rows, dtype=np.int64),
        home=home,
        male=male,
        birth=birth,
        names=draw_names(rng, male, portuguese),
        area=area,
        sequence=_sequences(birth, area, male, cohort.sequences),
        permit=permit,
        blood=pick(rng, BLOOD_WEIGHTS, rows),
        health=draw_health(rng, calendar.ages(birth), male),
    )


def gathered(parts: Sequence[People], order: Ints) -> People:
    """The rows of all `parts`, one after another, taken in `order`."""
    people = _gathered(parts, order)
    assert isinstance(people, People)
    return people


def _gathered(parts: Sequence[Any], order: Ints) -> Any:
    if not is_dataclass(parts[0]):
        return np.concatenate(parts)[order]
    columns = [field.name for field in fields(parts[0])]
    kind: Any = type(parts[0])
    return kind(*(_gathered([getattr(part, name) for part in parts], order) for name in columns))


def _births(rng: np.random.Generator, home: Ints) -> Ints:
    bands = [pick(rng, weights, len(home)) for weights in AGE_WEIGHTS]
    band = np.choose(home, bands)
    years = np.where(band == 8, np.minimum(rng.exponential(5.0, len(home)), 25.0), 0.0)
    years += 10 * band + np.where(band == 8, 0.0, 10 * rng.random(len(home)))
    lived: Ints = (years * 365.2425).astype(np.int64)
    return REFERENCE_DAY - 1 - lived


def _sequences(birth: Ints, area: Ints, male: Bools, slot: tuple[int, int]) -> Ints:
    """Sequence numbers within a cohort's share, distinct where area, birth and sex agree."""
    low, high = slot
    group = (birth - birth.min(initial=0)) * 1000 + area * 2 + male
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    fresh = np.ones(len(group), dtype=np.bool_)
    fresh[1:] = ordered[1:] != ordered[:-1]
    starts = np.maximum.accumulate(np.where(fresh, np.arange(len(group)), 0))
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - starts
    # INVARIANT: fewer than `high - low` people share area, birth date and sex in a cohort.
    sequence: Ints = low + (group * 7919 + rank) % (high - low)
    return sequence
