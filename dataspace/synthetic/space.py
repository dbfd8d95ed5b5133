"""A synthetic space: all tables of all regions, and the truth about who is who.

Pure: a region's tables follow from (region, patients, seed) alone, so that regions may be
made in separate processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dataspace.errors import Malformed
from dataspace.synthetic.allergies import allergies
from dataspace.synthetic.cohorts import cohorts
from dataspace.synthetic.conditions import conditions
from dataspace.synthetic.documents import draw_offsets
from dataspace.synthetic.encounters import encounters
from dataspace.synthetic.immunizations import immunizations
from dataspace.synthetic.medications import medications
from dataspace.synthetic.observations import observations
from dataspace.synthetic.patients import patients as patients_table
from dataspace.synthetic.people import draw_people, gathered
from dataspace.synthetic.places import REGIONS
from dataspace.synthetic.register import Register, enrol
from dataspace.synthetic.streams import stream


@dataclass(frozen=True)
class SyntheticSpace:
    """`tables` by region and table name; `truth` has region, patient_id, human_id."""

    tables: Mapping[str, Mapping[str, pa.Table]]
    truth: pa.Table


def generate(patients: int, seed: int) -> SyntheticSpace:
    """A space with `patients` in each region. Raises `Malformed` for a bad size or seed."""
    registers = {region: _register(region, patients, seed) for region in REGIONS}
    return SyntheticSpace(
        {region: _tables(register, seed) for region, register in registers.items()},
        pa.concat_tables(map(_truth, registers.values())),
    )


def generate_region(region: str, patients: int, seed: int) -> Mapping[str, pa.Table]:
    """One region's tables, equal to those that `generate` makes. Raises `Malformed`."""
    return _tables(_register(region, patients, seed), seed)


def truth(patients: int, seed: int) -> pa.Table:
    """Who is who, without the tables; for spaces whose regions were made one by one."""
    return pa.concat_tables(_truth(_register(region, patients, seed)) for region in REGIONS)


def _register(region: str, patients: int, seed: int) -> Register:
    if region not in REGIONS:
        raise Malformed(
            f"there is no region {region!r}; choose one of {', '.join(REGIONS)}",
            code="synthetic-region",
        )
    if seed < 0:
        raise Malformed("a seed is a whole number from 0 on", code="synthetic-seed")
    at = REGIONS.index(region)
    known = [cohort for cohort in cohorts(patients) if at in cohort.regions]
    parts = [draw_people(stream(seed, "people", cohort.name), cohort) for cohort in known]
    rng = stream(seed, "register", region)
    return enrol(rng, at, gathered(parts, rng.permutation(patients)))


def _tables(register: Register, seed: int) -> Mapping[str, pa.Table]:
    def own(table: str) -> np.random.Generator:
        return stream(seed, "table", REGIONS[register.region], table)

    offsets = draw_offsets(stream(seed, "documents"))
    return {
        "patients": patients_table(own("patients"), register, offsets),
        "conditions": conditions(register),
        "medications": medications(own("medications"), register),
        "allergies": allergies(own("allergies"), register),
        "immunizations": immunizations(own("immunizations"), register),
        "observations": observations(own("observations"), register),
        "encounters": encounters(own("encounters"), register),
    }


def _truth(register: Register) -> pa.Table:
    return pa.table(
        {
            "region": pa.array([REGIONS[register.region]] * len(register)),
            "patient_id": register.ids,
            "human_id": pa.array(register.people.human),
        }
    )
