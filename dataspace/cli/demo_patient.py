"""The part of `gba demo` that is about one patient: known where, and the record under consent."""

from __future__ import annotations

import datetime
from pathlib import Path

from dataspace.cli.output import out, print_rows
from dataspace.cli.records import print_record
from dataspace.cli.supervising import Tell
from dataspace.client import connect
from dataspace.client.consenting import ask_consents, consent_request
from dataspace.errors import Unverified
from dataspace.policy.terms import ALL

_WANT = ("conditions", "immunizations")
_DAYS = 30


def tell_of_a_patient(home: Path, patients: int, seed: int, step: Tell) -> None:
    """A clinician in Macao treats a patient of Hong Kong. Asks three nodes, then one."""
    document = somebody(patients, seed)
    step(f"a clinician in Macao treats a patient who shows {document}: who knows the patient?")
    with connect(home, "macao/clinician") as session:
        known = session.exists(document, purpose="TREAT")
        print_rows(["region", "known"], [(each.region, each.answer) for each in known.regions])
        if "hongkong" not in known.known_at:
            raise Unverified("Hong Kong does not know its own patient", code="demo")
        out.print("         asked blindly: no node saw who it is")
        step("the patient consents in Hong Kong, for treatment by that hospital, for a month")
        consent = consent_of(home, document)
        step("the record, from those who know the patient, readable by this clinician alone")
        record = session.record(document, want=_WANT, purpose="TREAT", consents=[consent])
        print_record(record, session.catalogue(), "en")


def somebody(patients: int, seed: int) -> str:
    """A patient of Hong Kong with an identity card and something on record."""
    from dataspace.synthetic import generate_region  # noqa: PLC0415 - Arrow: not for all parties

    tables = generate_region("hongkong", patients, seed)
    ill = set(tables["conditions"].column("patient_id").to_pylist())
    people = tables["patients"].select(["patient_id", "hkid"]).to_pylist()
    found = next(each for each in people if each["hkid"] and each["patient_id"] in ill)
    return f"hkid:{found['hkid']}"


def consent_of(home: Path, document: str) -> str:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=_DAYS)
    expires_ms = int(until.timestamp() * 1000)
    request = consent_request(document, "macao/hospital", ["TREAT"], [ALL], expires_ms)
    with connect(home, "hongkong/clinician") as session:
        (given,) = ask_consents(session, "hongkong", request)
    return given.id
