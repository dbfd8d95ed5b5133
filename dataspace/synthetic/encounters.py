"""The table `encounters`: contacts of the last three years, with length and cost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataspace.synthetic import calendar
from dataspace.synthetic.arrays import Floats, Ints, dates, labels
from dataspace.synthetic.illness import AGES
from dataspace.synthetic.places import REFERENCE_DAY
from dataspace.synthetic.register import Register

WINDOW_DAYS = 3 * 365
CLASSES = ("AMB", "EMER", "IMP", "VR")
"""HL7 v3 ActEncounterCode: ambulatory, emergency, inpatient, virtual."""
AMBULATORY, EMERGENCY, INPATIENT, VIRTUAL = range(4)

COUNTS = (3.0, 1.3, 1.7, 3.2, 5.5)
PER_ILLNESS = 0.3
INPATIENT_SHARES = (0.03, 0.03, 0.05, 0.09, 0.16)
EMERGENCY_SHARE = 0.09
VIRTUAL_SHARE = 0.05

LONGEST = 120
MEDIAN_COSTS = (320.0, 950.0, 5200.0, 90.0)
COST_A_DAY = 1500.0
PRICES = (1.0, 2.6, 1.9)
"""Price level of each region; all costs are in renminbi."""
MOST_COST = 1_000_000.0


def encounters(rng: np.random.Generator, register: Register) -> pa.Table:
    """One row a contact."""
    illnesses = register.known.sum(axis=1)
    count = np.interp(register.age, AGES, COUNTS) * (1 + PER_ILLNESS * illnesses)
    rows = np.repeat(np.arange(len(register)), rng.poisson(count))
    kind = _kinds(rng, register.age[rows])
    length = _lengths(rng, register.age[rows], kind)
    earliest = np.maximum(register.birth, REFERENCE_DAY - WINDOW_DAYS)[rows]
    return pa.table(
        {
            "patient_id": register.ids.take(pa.array(rows)),
            "class": labels(CLASSES, kind),
            "started_on": dates(calendar.between(rng, earliest)),
            "length_days": pa.array(length.astype(np.int32)),
            "cost": pa.array(_costs(rng, kind, length, PRICES[register.region])),
        }
    )


def _kinds(rng: np.random.Generator, age: Ints) -> Ints:
    inpatient = np.interp(age, AGES, INPATIENT_SHARES)
    drawn = rng.random(len(age))
    return np.select(
        [
            drawn < inpatient,
            drawn < inpatient + EMERGENCY_SHARE,
            drawn < inpatient + EMERGENCY_SHARE + VIRTUAL_SHARE,
        ],
        [INPATIENT, EMERGENCY, VIRTUAL],
        AMBULATORY,
    ).astype(np.int64)


def _lengths(rng: np.random.Generator, age: Ints, kind: Ints) -> Ints:
    stay = 1 + rng.exponential(3.0 + age / 20.0).astype(np.int64)
    return np.where(kind == INPATIENT, np.minimum(stay, LONGEST), 0)


def _costs(rng: np.random.Generator, kind: Ints, length: Ints, price: float) -> Floats:
    median = np.array(MEDIAN_COSTS)[kind] + COST_A_DAY * length
    cost = price * median * rng.lognormal(0.0, 0.5, len(kind))
    rounded: Floats = np.minimum(np.round(cost, 2), MOST_COST)
    return rounded
