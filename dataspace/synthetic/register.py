"""How one region knows its patients: opaque ids, and what its clerks wrote down.

People who live elsewhere are visitors: now and then their birth date or a character of
their name is wrong, and not all of their illnesses are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataspace.synthetic import calendar
from dataspace.synthetic.arrays import Bools, Ints, constant, digits, fixed_text
from dataspace.synthetic.documents import serial
from dataspace.synthetic.illness import ILLNESSES
from dataspace.synthetic.names import Names, miswritten
from dataspace.synthetic.people import People
from dataspace.synthetic.places import PATIENT_PREFIX, REFERENCE_DAY

WRONG_BIRTH_RATE = 0.02
WRONG_NAME_RATE = 0.02
KNOWN_TO_VISITED_REGION = 0.7


@dataclass(frozen=True)
class Register:
    """One row a patient of one region; `birth`, `names` and `known` are as recorded."""

    region: int
    people: People
    ids: pa.Array
    birth: Ints
    age: Ints
    names: Names
    known: Bools
    """Shape (patients, `ILLNESSES`)."""

    def __len__(self) -> int:
        return len(self.people)

    @property
    def visitor(self) -> Bools:
        """Patients who live in another region."""
        elsewhere: Bools = self.people.home != self.region
        return elsewhere

    def onset(self, rows: Ints, illness: int | Ints) -> Ints:
        """The day on which an illness of each row began, not before the recorded birth."""
        birth = self.people.birth[rows]
        lived = self.people.health.onset[rows, illness] * (REFERENCE_DAY - birth)
        began: Ints = np.maximum(birth + lived.astype(np.int64), self.birth[rows])
        return began


def enrol(rng: np.random.Generator, region: int, people: People) -> Register:
    """Register `people` in `region`."""
    rows = len(people)
    visitor = people.home != region
    number = serial(np.arange(rows, dtype=np.int64), 10**10, int(rng.integers(10**10)))
    wrong_birth = visitor & (rng.random(rows) < WRONG_BIRTH_RATE)
    birth = np.where(wrong_birth, _mistaken(people.birth), people.birth)
    wrong_name = visitor & (rng.random(rows) < WRONG_NAME_RATE)
    heard = rng.random((rows, len(ILLNESSES))) < KNOWN_TO_VISITED_REGION
    return Register(
        region=region,
        people=people,
        ids=fixed_text(constant(PATIENT_PREFIX[region], rows), digits(number, 10)),
        birth=birth,
        age=calendar.ages(birth),
        names=miswritten(people.names, wrong_name),
        known=people.health.ill & (heard | ~visitor[:, None]),
    )


def _mistaken(birth: Ints) -> Ints:
    """Day and month exchanged where that is a date, otherwise the year before."""
    year, month, day = calendar.civil(birth)
    exchanged = calendar.day_number(year, day, month)
    earlier = calendar.day_number(year - 1, month, day)
    return np.where((day <= 12) & (day != month) & (exchanged < REFERENCE_DAY), exchanged, earlier)
