"""Who is known where: how many people a space has, and how they share the regions.

About 6% of people are known in more than one region. A cohort is the people known in
exactly one set of regions; its size follows from the number of patients a region alone,
so that each region can be drawn by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.synthetic.places import GUANGZHOU, HONGKONG, MACAO, REGIONS

MAX_PATIENTS = 1_000_000
"""Macao's seven-digit numbers (three leading digits) bound the number of people."""


@dataclass(frozen=True)
class Cohort:
    """People known in exactly `regions`; `homes` weighs where they live."""

    name: str
    regions: tuple[int, ...]
    homes: tuple[float, float, float]
    size: int
    first: int
    """The first one's human id; the others follow."""
    sequences: tuple[int, int]
    """Share of the 500 mainland sequence numbers of one sex, so that cohorts never collide."""


# (regions, weights of home, patients per 1000 of a region, sequence numbers)
_SHARED = (
    ((GUANGZHOU, HONGKONG), (0.2, 0.8, 0.0), 85, (350, 420)),
    ((GUANGZHOU, MACAO), (0.3, 0.0, 0.7), 45, (420, 460)),
    ((HONGKONG, MACAO), (0.0, 0.6, 0.4), 30, (460, 470)),
    ((GUANGZHOU, HONGKONG, MACAO), (0.2, 0.5, 0.3), 10, (470, 500)),
)
_AT_HOME = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def cohorts(patients: int) -> tuple[Cohort, ...]:
    """All cohorts of a space with `patients` in each region. Raises `Malformed`."""
    if not 1 <= patients <= MAX_PATIENTS:
        raise Malformed(
            f"a region has 1 to {MAX_PATIENTS} synthetic patients; choose a number between",
            code="synthetic-size",
        )
    shared = [(where, homes, patients * per // 1000, seq) for where, homes, per, seq in _SHARED]
    found: list[Cohort] = []
    first = 1
    for region, homes in enumerate(_AT_HOME):
        alone = patients - sum(size for where, _, size, _ in shared if region in where)
        found.append(Cohort(REGIONS[region], (region,), homes, alone, first, (0, 350)))
        first += alone
    for where, homes, size, sequences in shared:
        name = "+".join(REGIONS[region] for region in where)
        found.append(Cohort(name, where, homes, size, first, sequences))
        first += size
    return tuple(found)
