"""Which illnesses people have: prevalence by age, sex, smoking and earlier illness.

Rates are rounded from published surveys of the area; they are plausible, not official.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataspace.synthetic.arrays import Bools, Floats, Ints, pick

AGES = (0.0, 20.0, 40.0, 60.0, 80.0)


@dataclass(frozen=True)
class Illness:
    """`rates` at `AGES`, multiplied for men and for smokers."""

    category: str
    codes: tuple[str, ...]
    rates: tuple[float, float, float, float, float]
    men: float = 1.0
    smokers: float = 1.0
    begins: float = 0.6
    """Share of the life before which it does not begin."""
    women_codes: tuple[str, ...] = ()
    """Codes for women where they differ."""


_MENS_CANCERS = ("C34.9", "C18.9", "C22.0", "C61", "C11.9")
_WOMENS_CANCERS = ("C50.9", "C34.9", "C18.9", "C73", "C11.9")

ILLNESSES = (
    Illness("diabetes", ("E11.9",), (0.001, 0.005, 0.045, 0.17, 0.26), men=1.15),
    Illness("dyslipidaemia", ("E78.5",), (0, 0.01, 0.10, 0.24, 0.28)),
    Illness("hypertension", ("I10",), (0, 0.01, 0.09, 0.38, 0.60), 1.1, 1.1),
    Illness("heart_disease", ("I25.1",), (0, 0.001, 0.008, 0.06, 0.17), 1.5, 1.6, 0.7),
    Illness("stroke", ("I63.9",), (0, 0.001, 0.004, 0.025, 0.09), 1.2, 1.4, 0.75),
    Illness("kidney_disease", ("N18.3",), (0, 0.002, 0.01, 0.04, 0.14)),
    Illness("copd", ("J44.9",), (0, 0.001, 0.005, 0.04, 0.11), 1.3, 2.5, 0.7),
    Illness("asthma", ("J45.9",), (0.06, 0.05, 0.03, 0.03, 0.035), begins=0.05),
    Illness("rhinitis", ("J30.4",), (0.10, 0.15, 0.10, 0.06, 0.04), begins=0.05),
    Illness(
        "cancer", _MENS_CANCERS, (0.001, 0.002, 0.012, 0.055, 0.12), 1.0, 1.4, 0.8, _WOMENS_CANCERS
    ),
    Illness("hiv", ("B20",), (0, 0.0015, 0.0025, 0.001, 0.0004), men=2.5),
    Illness("hepatitis_b", ("B18.1",), (0.003, 0.02, 0.08, 0.09, 0.06), 1.2, begins=0.01),
    Illness("tuberculosis", ("A15.0",), (0.0005, 0.002, 0.002, 0.003, 0.006), 1.5, 1.5),
    Illness("depression", ("F32.9",), (0.002, 0.035, 0.045, 0.05, 0.05), men=0.65),
    Illness("dementia", ("F03",), (0, 0, 0, 0.01, 0.15), begins=0.88),
    Illness("osteoarthritis", ("M17.9",), (0, 0.002, 0.02, 0.13, 0.28), men=0.7),
    Illness("gout", ("M10.9",), (0, 0.004, 0.025, 0.04, 0.05), men=2.2),
    Illness("thalassaemia", ("D56.9",), (0.02, 0.02, 0.02, 0.02, 0.02), begins=0.0),
)

BRCA = "brca"

# What raises the rate of an illness, and by how much; each stands before what it raises.
RAISED_BY: dict[str, tuple[tuple[str, float], ...]] = {
    "dyslipidaemia": (("diabetes", 1.6),),
    "hypertension": (("diabetes", 1.4),),
    "heart_disease": (("diabetes", 1.5), ("hypertension", 1.5)),
    "stroke": (("hypertension", 1.8),),
    "kidney_disease": (("diabetes", 2.2), ("hypertension", 1.4)),
    "cancer": ((BRCA, 4.0),),
    "dementia": (("stroke", 1.8),),
}

CATEGORIES = tuple(illness.category for illness in ILLNESSES)
CODES = tuple(sorted({code for i in ILLNESSES for code in (*i.codes, *i.women_codes)}))
CODE_WEIGHTS = (4.0, 3.0, 2.0, 2.0, 1.0)

BRCA_RATE = 0.004


@dataclass(frozen=True)
class Health:
    """What is true of people, one row each; regions record it more or less fully."""

    ill: Bools
    """Shape (people, `ILLNESSES`)."""
    onset: Floats
    """Share of the life lived before the onset, same shape."""
    code: Ints
    """Index into an illness's codes, one a person."""
    smoker: Bools
    brca: Bools


def draw_health(rng: np.random.Generator, age: Ints, male: Bools) -> Health:
    """Illnesses of people of the given ages and sex."""
    rows = len(age)
    smoker = (rng.random(rows) < np.where(male, 0.36, 0.03)) & (age >= 18)
    brca = rng.random(rows) < BRCA_RATE
    ill = np.zeros((rows, len(ILLNESSES)), dtype=np.bool_)
    for at, illness in enumerate(ILLNESSES):
        rate = np.interp(age, AGES, illness.rates)
        rate *= np.where(male, illness.men, 1.0) * np.where(smoker, illness.smokers, 1.0)
        for earlier, factor in RAISED_BY.get(illness.category, ()):
            has = brca if earlier == BRCA else ill[:, CATEGORIES.index(earlier)]
            rate *= np.where(has, factor, 1.0)
        ill[:, at] = rng.random(rows) < np.minimum(rate, 0.95)
    begins = np.array([illness.begins for illness in ILLNESSES])
    onset = begins + (0.99 - begins) * rng.random((rows, len(ILLNESSES)))
    return Health(ill, onset, pick(rng, CODE_WEIGHTS, rows), smoker, brca)
