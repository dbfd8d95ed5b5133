"""The table `immunizations`: childhood doses by age, seasonal and adult ones by year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataspace.synthetic.arrays import Ints, dates, labels
from dataspace.synthetic.calendar import day_number
from dataspace.synthetic.illness import AGES
from dataspace.synthetic.places import REFERENCE_DAY
from dataspace.synthetic.register import Register

RECORDS_SINCE_AGE = 20
"""Childhood doses of people older than this are not on record."""
DELAY_DAYS = 40
SEASON_DAYS = 90


@dataclass(frozen=True)
class Dose:
    """A dose due at `days` of age, given to a share of children."""

    atc: str
    name: str
    number: int
    days: int
    share: float


@dataclass(frozen=True)
class Campaign:
    """A dose offered from a day of `year` on, taken by a share at each of `AGES`."""

    atc: str
    name: str
    number: int
    year: int
    month: int
    shares: tuple[float, float, float, float, float]
    women_only: bool = False


CHILDHOOD = (
    Dose("J07BC01", "hepatitis B", 1, 0, 0.98),
    Dose("J07BC01", "hepatitis B", 2, 30, 0.97),
    Dose("J07BC01", "hepatitis B", 3, 180, 0.95),
    Dose("J07AN01", "tuberculosis, live attenuated", 1, 1, 0.98),
    Dose("J07BF03", "poliomyelitis, trivalent, inactivated", 1, 60, 0.97),
    Dose("J07BF03", "poliomyelitis, trivalent, inactivated", 2, 120, 0.95),
    Dose("J07BD52", "measles, mumps and rubella, live attenuated", 1, 365, 0.96),
    Dose("J07BD52", "measles, mumps and rubella, live attenuated", 2, 550, 0.93),
    Dose("J07BK01", "varicella, live attenuated", 1, 365, 0.80),
)
_FLU = ("J07BB02", "influenza, inactivated", 1)
_FLU_SHARES = (0.30, 0.10, 0.08, 0.25, 0.50)
CAMPAIGNS = (
    *(Campaign(*_FLU, year, 9, _FLU_SHARES) for year in range(2021, 2026)),
    Campaign("J07BN03", "covid-19, inactivated virus", 1, 2021, 5, (0.2, 0.6, 0.6, 0.5, 0.3)),
    Campaign("J07BN01", "covid-19, RNA-based", 1, 2022, 1, (0.05, 0.3, 0.35, 0.3, 0.2)),
    Campaign("J07AL02", "pneumococcus, conjugated", 1, 2023, 3, (0.15, 0.01, 0.01, 0.12, 0.4)),
    Campaign("J07BK03", "zoster, purified antigen", 1, 2024, 3, (0, 0, 0, 0.08, 0.12)),
    Campaign("J07BM03", "papillomavirus", 1, 2022, 6, (0, 0.45, 0.15, 0, 0), women_only=True),
)

VACCINES = {dose.atc: dose.name for dose in CHILDHOOD} | {
    campaign.atc: campaign.name for campaign in CAMPAIGNS
}


def immunizations(rng: np.random.Generator, register: Register) -> pa.Table:
    """One row for each dose given before the reference date."""
    given: list[tuple[Dose | Campaign, Ints, Ints]] = [
        *((dose, *_childhood(rng, register, dose)) for dose in CHILDHOOD),
        *((campaign, *_campaign(rng, register, campaign)) for campaign in CAMPAIGNS),
    ]
    counts = [len(rows) for _, rows, _ in given]
    kind = np.repeat([list(VACCINES).index(item.atc) for item, _, _ in given], counts)
    number = np.repeat([item.number for item, _, _ in given], counts).astype(np.int32)
    rows = np.concatenate([rows for _, rows, _ in given])
    return pa.table(
        {
            "patient_id": register.ids.take(pa.array(rows)),
            "vaccine": labels(list(VACCINES), kind),
            "name": labels(list(VACCINES.values()), kind),
            "dose": pa.array(number),
            "given_on": dates(np.concatenate([days for _, _, days in given])),
        }
    )


def _childhood(rng: np.random.Generator, register: Register, dose: Dose) -> tuple[Ints, Ints]:
    due = register.birth + dose.days + rng.integers(DELAY_DAYS, size=len(register))
    taken = rng.random(len(register)) < dose.share
    rows = np.flatnonzero(taken & (register.age <= RECORDS_SINCE_AGE) & (due < REFERENCE_DAY))
    return rows.astype(np.int64), due[rows]


def _campaign(
    rng: np.random.Generator, register: Register, campaign: Campaign
) -> tuple[Ints, Ints]:
    opened = day_number(*(np.array(part) for part in (campaign.year, campaign.month, 1)))
    day = opened + rng.integers(SEASON_DAYS, size=len(register))
    taken = rng.random(len(register)) < np.interp(register.age, AGES, campaign.shares)
    if campaign.women_only:
        taken &= ~register.people.male
    rows = np.flatnonzero(taken & (register.birth < day)).astype(np.int64)
    return rows, day[rows]
