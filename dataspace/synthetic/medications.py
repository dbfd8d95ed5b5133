"""The table `medications`: what is given for known illnesses, and a little for everyone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataspace.synthetic import calendar
from dataspace.synthetic.arrays import Ints, dates, labels
from dataspace.synthetic.illness import CATEGORIES
from dataspace.synthetic.places import REFERENCE_DAY
from dataspace.synthetic.register import Register

EVERYONE = ""
RECENT_DAYS = 5 * 365
"""Courses begin in the last five years."""
ACUTE_DAYS = (3, 5, 7, 10, 14)
CHRONIC_DAYS = (28, 30, 56, 60, 84, 90)


@dataclass(frozen=True)
class Medicine:
    """An ATC code with its international name; `share` of those with the illness take it."""

    atc: str
    name: str
    category: str
    share: float


MEDICINES = (
    Medicine("A10BA02", "metformin", "diabetes", 0.72),
    Medicine("A10BB12", "glimepiride", "diabetes", 0.20),
    Medicine("A10BK01", "dapagliflozin", "diabetes", 0.18),
    Medicine("A10AE04", "insulin glargine", "diabetes", 0.15),
    Medicine("C10AA05", "atorvastatin", "dyslipidaemia", 0.60),
    Medicine("C10AA01", "simvastatin", "dyslipidaemia", 0.20),
    Medicine("C08CA01", "amlodipine", "hypertension", 0.50),
    Medicine("C09CA01", "losartan", "hypertension", 0.35),
    Medicine("C09AA02", "enalapril", "hypertension", 0.15),
    Medicine("C03AA03", "hydrochlorothiazide", "hypertension", 0.12),
    Medicine("B01AC06", "acetylsalicylic acid", "heart_disease", 0.62),
    Medicine("C07AB02", "metoprolol", "heart_disease", 0.42),
    Medicine("B01AC04", "clopidogrel", "stroke", 0.58),
    Medicine("R03BB04", "tiotropium bromide", "copd", 0.60),
    Medicine("R03AC02", "salbutamol", "asthma", 0.70),
    Medicine("R03BA02", "budesonide", "asthma", 0.45),
    Medicine("R06AX13", "loratadine", "rhinitis", 0.50),
    Medicine("L01BC06", "capecitabine", "cancer", 0.22),
    Medicine("J05AR20", "emtricitabine, tenofovir alafenamide and bictegravir", "hiv", 0.85),
    Medicine("J05AF10", "entecavir", "hepatitis_b", 0.35),
    Medicine("J04AB02", "rifampicin", "tuberculosis", 0.80),
    Medicine("N06AB06", "sertraline", "depression", 0.50),
    Medicine("N06DA02", "donepezil", "dementia", 0.40),
    Medicine("M01AB05", "diclofenac", "osteoarthritis", 0.35),
    Medicine("M04AA01", "allopurinol", "gout", 0.50),
    Medicine("N02BE01", "paracetamol", EVERYONE, 0.16),
    Medicine("J01CA04", "amoxicillin", EVERYONE, 0.08),
)


def medications(rng: np.random.Generator, register: Register) -> pa.Table:
    """One row for each medicine that a patient was put on."""
    courses = [_courses(rng, register, medicine) for medicine in MEDICINES]
    rows, start, supplied = (np.concatenate(part) for part in zip(*courses, strict=True))
    which = np.repeat(np.arange(len(MEDICINES)), [len(taken) for taken, _, _ in courses])
    return pa.table(
        {
            "patient_id": register.ids.take(pa.array(rows)),
            "atc": labels([medicine.atc for medicine in MEDICINES], which),
            "name": labels([medicine.name for medicine in MEDICINES], which),
            "start_date": dates(start),
            "days_supplied": pa.array(supplied.astype(np.int32)),
        }
    )


def _courses(
    rng: np.random.Generator, register: Register, medicine: Medicine
) -> tuple[Ints, Ints, Ints]:
    """Rows, first days and days supplied."""
    taking = rng.random(len(register)) < medicine.share
    if medicine.category == EVERYONE:
        rows = np.flatnonzero(taking).astype(np.int64)
        earliest = register.birth[rows]
    else:
        illness = CATEGORIES.index(medicine.category)
        rows = np.flatnonzero(taking & register.known[:, illness]).astype(np.int64)
        earliest = register.onset(rows, illness)
    earliest = np.maximum(earliest, REFERENCE_DAY - RECENT_DAYS)
    days = ACUTE_DAYS if medicine.category == EVERYONE else CHRONIC_DAYS
    return rows, calendar.between(rng, earliest), rng.choice(np.array(days), len(rows))
