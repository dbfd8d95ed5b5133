"""The table `patients`: documents, names, birth, and what statistics may use.

Who carries which document where (a travel permit is for Guangzhou; both cities know each
other's residents by their own cards):

    living in   in Guangzhou        in Hong Kong         in Macao
    guangzhou   ric                 ric for 70%          ric for 70%
    hongkong    mtp, hkid for 40%   hkid, mtp for 60%*   hkid, mtp for 10%*
    macao       mtp, bir for 40%    bir, mtp for 10%*    bir, mtp for 60%*

(* of those who hold a permit.)
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dataspace.synthetic import calendar, documents
from dataspace.synthetic.arrays import Floats, dates, labels, pick, where
from dataspace.synthetic.documents import Offsets
from dataspace.synthetic.names import given_names, surnames
from dataspace.synthetic.people import BLOOD_TYPES, People
from dataspace.synthetic.places import (
    AGE_BANDS,
    DISTRICT_WEIGHTS,
    DISTRICTS,
    GUANGZHOU,
    HONGKONG,
    MACAO,
)
from dataspace.synthetic.register import Register

RIC_ABROAD = 0.7
CARD_IN_GUANGZHOU = 0.4
PERMIT_AT_HOME = 0.6
PERMIT_ELSEWHERE = 0.1


def patients(rng: np.random.Generator, register: Register, offsets: Offsets) -> pa.Table:
    """One row a patient."""
    people, region, rows = register.people, register.region, len(register)
    family, family_roman = surnames(register.names, region)
    given, given_roman = given_names(register.names, region)
    district = pick(rng, DISTRICT_WEIGHTS[region], rows)
    return pa.table(
        {
            "patient_id": register.ids,
            **_documents(rng, register, offsets),
            "family": family,
            "given": given,
            "family_roman": family_roman,
            "given_roman": given_roman,
            "birth_date": dates(register.birth),
            "sex": labels("FM", people.male.astype(np.int64)),
            "district": labels(DISTRICTS[region], district),
            "age": pa.array(register.age.astype(np.int32)),
            "age_band": labels(AGE_BANDS, np.minimum(register.age // 10, 8)),
            "smoker": pa.array(people.health.smoker),
            "blood_type": labels(BLOOD_TYPES, people.blood),
        }
    )


def _documents(
    rng: np.random.Generator, register: Register, offsets: Offsets
) -> dict[str, pa.Array]:
    people, region = register.people, register.region
    shown = rng.random((3, len(register)))
    macao = people.home == MACAO
    card = shown[1] < (CARD_IN_GUANGZHOU if region == GUANGZHOU else 1.0)
    abroad = shown[0] < (1.0 if region == GUANGZHOU else RIC_ABROAD)
    return {
        "ric": where((people.home == GUANGZHOU) & abroad, _ric(people)),
        "hkid": where((people.home == HONGKONG) & card, documents.hkid(people.human, offsets.hkid)),
        "bir": where(macao & card, documents.bir(people.human, offsets.bir)),
        "mtp": where(
            people.permit & (shown[2] < _permit_share(register)),
            documents.mtp(people.human, offsets.mtp, macao),
        ),
    }


def _permit_share(register: Register) -> Floats:
    if register.region == GUANGZHOU:
        return np.ones(len(register))
    return np.where(register.visitor, PERMIT_ELSEWHERE, PERMIT_AT_HOME)


def _ric(people: People) -> pa.Array:
    """The number holds the true birth date, whatever a clerk wrote beside it."""
    year, month, day = calendar.civil(people.birth)
    return documents.ric(
        people.area, year * 10_000 + month * 100 + day, people.sequence, people.male
    )
