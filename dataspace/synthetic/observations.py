"""The table `observations`: measurements of the last five years, by LOINC code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataspace.synthetic import calendar
from dataspace.synthetic.arrays import Floats, Ints, dates, labels
from dataspace.synthetic.illness import AGES, CATEGORIES
from dataspace.synthetic.places import REFERENCE_DAY
from dataspace.synthetic.register import Register

WINDOW_DAYS = 5 * 365
STEADY = 0.8
"""Share of a measurement's spread that belongs to the person, the rest to the moment."""
LEAST, MOST = 0.0, 2000.0


@dataclass(frozen=True)
class Measurement:
    """Values around `mean + slope * age`; `counts` are means at `AGES` over the window."""

    loinc: str
    name: str
    unit: str
    mean: float
    slope: float
    spread: float
    limits: tuple[float, float]
    decimals: int
    counts: tuple[float, float, float, float, float]


_CUFF = (0.2, 0.7, 1.2, 2.0, 2.5)
_SCALE = (0.6, 0.5, 0.6, 0.8, 0.8)
_BLOOD = (0.0, 0.2, 0.5, 1.0, 1.3)
_SUGAR = (0.0, 0.05, 0.2, 0.4, 0.5)
_CLINIC = (1.0, 2.0, 2.0, 2.0, 2.0)

MEASUREMENTS = (
    Measurement("8480-6", "systolic blood pressure", "mm[Hg]", 104, 0.32, 11, (70, 240), 0, _CUFF),
    Measurement("8462-4", "diastolic blood pressure", "mm[Hg]", 68, 0.1, 8, (40, 140), 0, _CUFF),
    Measurement("39156-5", "body mass index", "kg/m2", 19.5, 0.06, 3.0, (11, 55), 1, _SCALE),
    Measurement("4548-4", "haemoglobin A1c", "%", 5.1, 0.007, 0.35, (3.8, 16), 1, _SUGAR),
    Measurement("14749-6", "glucose", "mmol/L", 4.7, 0.010, 0.5, (2.2, 35), 1, _BLOOD),
    Measurement("14647-2", "cholesterol", "mmol/L", 4.4, 0.008, 0.8, (1.5, 14), 1, _BLOOD),
    Measurement("22748-8", "cholesterol in LDL", "mmol/L", 2.5, 0.006, 0.6, (0.4, 10), 1, _BLOOD),
    Measurement("14682-9", "creatinine", "umol/L", 62, 0.20, 11, (20, 900), 0, _BLOOD),
    Measurement("1742-6", "alanine aminotransferase", "U/L", 20, 0.05, 8, (4, 600), 0, _BLOOD),
    Measurement("24467-3", "CD4 cells", "/uL", 620, -1.0, 190, (20, 1800), 0, _CLINIC),
)

# Added, on average, for people with an illness, who are also measured more often.
SHIFTS: dict[str, tuple[tuple[str, float], ...]] = {
    "8480-6": (("hypertension", 16.0), ("diabetes", 3.0)),
    "8462-4": (("hypertension", 9.0),),
    "39156-5": (("diabetes", 1.9), ("hypertension", 0.9)),
    "4548-4": (("diabetes", 2.0),),
    "14749-6": (("diabetes", 2.9),),
    "14647-2": (("dyslipidaemia", 1.1),),
    "22748-8": (("dyslipidaemia", 0.9),),
    "14682-9": (("kidney_disease", 70.0),),
    "1742-6": (("hepatitis_b", 18.0),),
}
MORE_OFTEN = 2.5
ONLY_WITH = {"24467-3": "hiv"}


def observations(rng: np.random.Generator, register: Register) -> pa.Table:
    """One row for each measurement taken."""
    taken = [_taken(rng, register, measurement) for measurement in MEASUREMENTS]
    which = np.repeat(np.arange(len(MEASUREMENTS)), [len(rows) for rows, _ in taken])
    rows = np.concatenate([rows for rows, _ in taken])
    earliest = np.maximum(register.birth, REFERENCE_DAY - WINDOW_DAYS)[rows]
    return pa.table(
        {
            "patient_id": register.ids.take(pa.array(rows)),
            "loinc": labels([measurement.loinc for measurement in MEASUREMENTS], which),
            "name": labels([measurement.name for measurement in MEASUREMENTS], which),
            "value": pa.array(np.concatenate([values for _, values in taken])),
            "unit": labels([measurement.unit for measurement in MEASUREMENTS], which),
            "taken_on": dates(calendar.between(rng, earliest)),
        }
    )


def _taken(
    rng: np.random.Generator, register: Register, measurement: Measurement
) -> tuple[Ints, Floats]:
    """Rows and values of one kind of measurement."""
    count = np.interp(register.age, AGES, measurement.counts)
    usual = measurement.mean + measurement.slope * register.age
    usual += STEADY * measurement.spread * rng.standard_normal(len(register))
    for category, shift in SHIFTS.get(measurement.loinc, ()):
        ill = register.known[:, CATEGORIES.index(category)]
        usual += np.where(ill, shift * rng.gamma(4.0, 0.25, len(register)), 0.0)
        count *= np.where(ill, MORE_OFTEN, 1.0)
    if measurement.loinc in ONLY_WITH:
        count *= register.known[:, CATEGORIES.index(ONLY_WITH[measurement.loinc])]
    rows = np.repeat(np.arange(len(register)), rng.poisson(count))
    moment = (1 - STEADY) * measurement.spread * rng.standard_normal(len(rows))
    values = np.clip(usual[rows] + moment, *measurement.limits)
    return rows, np.round(values, measurement.decimals)
