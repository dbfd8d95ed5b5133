"""Revoking in a running space: whoever holds the certificate is stopped, everywhere, in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.cli.supervising import start_party
from dataspace.errors import DataspaceError
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.keystore import load_chain
from dataspace.identity.names import REGIONS
from dataspace.identity.register import REGISTER, Register
from dataspace.identity.revocation import accept_list
from dataspace.identity.revoked import RevocationList
from dataspace.processes import read_state
from dataspace.v1.revocation_pb2 import RevocationList as Wire
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, process_of, restart, stop
from tests.spaces import Space

SQL = "SELECT count(*) AS n FROM patients"
SECONDS = 10.0  # in which a revocation acts, while lists are delivered
PEOPLE = "gba://{}/health-authority/{}"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("revoking")) as running:
        yield running


def revoke(space: Space, holder: str, reason: str = "key-compromise") -> None:
    ran = space.gba("identity", "revoke", holder, "--reason", reason)
    assert ran.code == 0, ran.err


def is_put_out(space: Space, party: str) -> bool:
    """Whether a party is not attached, since its certificate was revoked."""
    state = read_state(space.home / party / "run")
    return state.get("stage") == "waiting" and "revoked" in str(state.get("reason"))


def held(home: Path, region: str) -> RevocationList:
    """The list of a region that a party keeps, verified."""
    moment = time.time_ns() // 1_000_000
    envelope = parse_envelope((home / "revocations" / f"{region}.dsse").read_bytes())
    return accept_list(PartyHome(home).trust(moment), envelope, moment).revocations.lists[region]


def test_every_party_holds_the_current_list_of_every_region(space: Space) -> None:
    assert space.query(SQL).code == 0
    parties = ["broker", *REGIONS, "actors/hongkong-researcher"]
    parties += [f"{region}/{role}" for region in REGIONS for role in ("witness", "revocation")]
    for party in parties:
        for region in REGIONS:
            await_true(
                lambda home=space.home / party, region=region: bool(held(home, region)),  # type: ignore[misc]
                f"{party} has no list of {region}",
            )


def test_an_actor_is_stopped_within_ten_seconds_everywhere(space: Space) -> None:
    assert space.query(SQL, actor="macao/researcher").code == 0
    revoke(space, "gba://macao/university/researcher/researcher-1")
    began = time.monotonic()
    await_true(
        lambda: space.query(SQL, actor="macao/researcher").code == 4, "goes on asking", SECONDS
    )
    took = time.monotonic() - began
    refused = space.query(SQL, actor="macao/researcher")
    assert refused.error["rule"] == "identity-revoked"
    assert took < SECONDS
    for party in ("broker", *REGIONS):
        assert len(held(space.home / party, "macao").revoked) == 2, party
    assert space.query(SQL, actor="hongkong/researcher").code == 0
    assert space.query(SQL, actor="macao/public_health", purpose="PUBHLTH").code == 0


def test_a_call_that_runs_ends_when_its_caller_is_revoked(space: Space) -> None:
    actor = space.home / "actors/guangzhou-researcher"
    node = process_of(space, "macao")
    node.suspend()  # so that the call waits, for as long as the test does
    try:
        asking = subprocess.Popen(
            [sys.executable, "-m", "dataspace.cli.main", "query", SQL, "--purpose", "HRESCH",
             "--format", "json", "--home", str(actor)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        log = space.home / "hongkong/run/log.jsonl"
        before = log.read_text().count("query.released")
        await_true(lambda: log.read_text().count("query.released") > before, "nobody asked")
        revoke(space, "gba://guangzhou/university/researcher/researcher-1")
        _, err = asking.communicate(timeout=SECONDS)
    finally:
        node.resume()
    assert asking.returncode == 4
    assert json.loads(err.strip().splitlines()[-1])["rule"] == "identity-revoked"


def test_a_revoked_witness_is_let_go_and_cosigns_nothing(space: Space) -> None:
    revoke(space, PEOPLE.format("guangzhou", "witness/witness-1"), "superseded")
    await_true(lambda: is_put_out(space, "guangzhou/witness"), "stays", SECONDS)
    restart(space, "guangzhou/witness")
    await_true(lambda: is_put_out(space, "guangzhou/witness"), "is let in again", SECONDS)
    assert space.query(SQL).code == 0


def test_a_revoked_node_is_let_go_and_its_answers_are_believed_no_more(space: Space) -> None:
    await_ready(space, "guangzhou")
    revoke(space, PEOPLE.format("guangzhou", "node/node-1"), "cessation-of-operation")
    await_true(lambda: is_put_out(space, "guangzhou"), "stays attached", SECONDS)
    missing = space.query(SQL)
    assert (missing.code, missing.error["code"]) == (5, "node-unavailable")
    others = space.query(SQL, extra=["--require", "any"])
    told = {each["region"]: each["status"] for each in others.json["nodes"]}
    assert told == {"guangzhou": "unreachable", "hongkong": "released", "macao": "released"}


def test_a_certificate_in_a_file_is_revoked_by_its_issuer_and_serial_number(
    space: Space, tmp_path: Path
) -> None:
    chain = load_chain(space.home / "actors/hongkong-clinician/certs/signing.pem")
    file = tmp_path / "clinician.pem"
    file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    revoke(space, str(file), "affiliation-changed")
    revoke(space, str(file), "affiliation-changed")
    listed = space.gba("identity", "list", "--region", "hongkong", "--format", "json").json
    states = {
        (each["uri"], each["use"]): each["reason"]
        for each in listed["certificates"]
        if "/clinician/" in each["uri"]
    }
    uri = "gba://hongkong/hospital/clinician/clinician-1"
    assert states == {(uri, "signing"): "affiliation-changed", (uri, "tls"): None}


@pytest.mark.parametrize(
    ("holder", "reason"),
    [
        ("gba://macao/hospital/clinician/nobody", "superseded"),
        ("gba://macao/hospital/clinician/clinician-1", "because"),
        ("gba://lisbon/hospital/clinician/clinician-1", "superseded"),
        ("/etc/hostname", "superseded"),
        ("no-such-file.pem", "superseded"),
    ],
)
def test_what_names_no_certificate_revokes_nothing(space: Space, holder: str, reason: str) -> None:
    before = held(space.home / "broker", "macao").number
    ran = space.gba("identity", "revoke", holder, "--reason", reason)
    assert ran.code == 3, ran.out
    time.sleep(0.7)
    assert held(space.home / "broker", "macao").number == before


def test_numbers_rise_over_a_signers_restart_and_a_restored_register_takes_nothing_back(
    space: Space,
) -> None:
    home = space.home / "macao/revocation"
    before = held(space.home / "broker", "macao")
    stop(space, "macao/revocation")
    for file in home.glob(f"{REGISTER}*"):
        file.unlink()
    Register(home / REGISTER).close()
    start_party(space.home, "macao/revocation")
    await_ready(space, "macao/revocation")
    await_true(lambda: held(space.home / "broker", "macao").number > before.number, "no new list")
    after = held(space.home / "broker", "macao")
    assert {each.certificate for each in before.revoked} <= {
        each.certificate for each in after.revoked
    }


def test_a_broker_that_was_away_hands_out_nothing_older_than_it_had(space: Space) -> None:
    numbers = {region: held(space.home / "hongkong", region).number for region in REGIONS}
    restart(space, "broker", kill=True)
    await_ready(space, "broker", "hongkong", "macao")
    for region, number in numbers.items():
        assert held(space.home / "broker", region).number >= number
    assert Wire.FromString(held(space.home / "broker", "macao").envelope.payload).next_at_ms
    asked = space.query(SQL, extra=["--require", "any"])
    assert asked.code == 0, asked.err


def test_without_its_signer_a_region_stops_once_the_list_is_stale(space: Space) -> None:
    moment = time.time_ns() // 1_000_000
    late = moment + 601_000
    trust = PartyHome(space.home / "hongkong").trust(moment)
    envelope = held(space.home / "hongkong", "hongkong").envelope
    trust = accept_list(trust, envelope, moment)
    with pytest.raises(DataspaceError) as caught:
        trust.revocations.check("hongkong", (), late)
    assert caught.value.code == "revocation-stale"
