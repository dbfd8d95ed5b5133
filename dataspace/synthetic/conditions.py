"""The table `conditions`: one row for each illness that the region knows of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataspace.synthetic.arrays import Ints, dates, labels
from dataspace.synthetic.illness import CATEGORIES, CODE_WEIGHTS, CODES, ILLNESSES, Illness
from dataspace.synthetic.register import Register


def conditions(register: Register) -> pa.Table:
    """`brca` is of the patient: a known variant of BRCA1 or BRCA2."""
    found, illness = (axis.astype(np.int64) for axis in np.nonzero(register.known))
    health, male = register.people.health, register.people.male.astype(np.int64)
    code = _CODE_OF[illness, male[found], health.code[found]]
    return pa.table(
        {
            "patient_id": register.ids.take(pa.array(found)),
            "icd10": labels(CODES, code),
            "category": labels(CATEGORIES, illness),
            "onset_date": dates(register.onset(found, illness)),
            "brca": pa.array(health.brca[found]),
        }
    )


def _codes(illness: Illness, male: bool) -> list[int]:
    codes = illness.codes if male else illness.women_codes or illness.codes
    return [CODES.index(codes[draw % len(codes)]) for draw in range(len(CODE_WEIGHTS))]


_CODE_OF: Ints = np.array(
    [[_codes(illness, male) for male in (False, True)] for illness in ILLNESSES], dtype=np.int64
)
"""Index into `CODES` by illness, sex and draw."""
