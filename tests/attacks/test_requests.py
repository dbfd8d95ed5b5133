"""Requests that nobody may send: stale, used, altered, forged, made for somebody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dataspace.client import connect
from dataspace.errors import DataspaceError
from dataspace.exits import exit_code
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.v1 import broker_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.attacks.forgery import (
    COUNT,
    EVERYBODY,
    Asker,
    Stranger,
    log_sizes,
    make_request,
    sign_payload,
    speak_for,
)
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, restart
from tests.spaces import Space

MINUTE = 60_000


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("requests")) as running:
        yield running


@pytest.fixture(scope="module")
def asker(space: Space) -> Iterator[Asker]:
    asker = Asker.of(space)
    with asker.session:
        yield asker


def code_of(asker: Asker, envelope: Envelope) -> int:
    """The exit code that `gba` would end with, where the broker itself says no."""
    with pytest.raises(DataspaceError) as caught:
        asker.session.send(envelope, 30)
    return exit_code(caught.value)


@pytest.mark.parametrize(
    ("issued", "life", "rule"),
    [
        (-2 * MINUTE, MINUTE, "freshness-expired"),
        (2 * MINUTE, MINUTE, "freshness-future"),
        (0, 6 * MINUTE, "freshness-lifetime"),
    ],
)
def test_a_request_out_of_its_time_is_refused_and_recorded(
    space: Space, asker: Asker, issued: int, life: int, rule: str
) -> None:
    before = log_sizes(space)
    envelope = asker.seal(make_request(issued=issued, life=life))
    assert asker.hear(envelope) == {"broker": f"refused {rule}"}
    assert code_of(asker, envelope) == 4
    after = log_sizes(space)
    assert after["broker"] == before["broker"] + 2
    assert all(after[region] == before[region] for region in REGIONS)


@pytest.mark.parametrize(
    ("audience", "told", "code"),
    [
        ([], "malformed bad-freshness", 3),
        (["macao", "guangzhou", "broker"], "malformed bad-freshness", 3),
        (REGIONS, "refused freshness-audience", 4),
        (["broker"], "malformed audience", 3),
        (["broker", "macao"], "malformed audience", 3),
        (["atlantis", "broker", *REGIONS], "malformed audience", 3),
    ],
)
def test_a_request_for_another_audience_is_not_answered(
    asker: Asker, audience: list[str], told: str, code: int
) -> None:
    envelope = asker.seal(make_request(audience=audience))
    assert asker.hear(envelope) == {"broker": told}
    assert code_of(asker, envelope) == code


@pytest.mark.parametrize("nonce", [b"", b"short", b"x" * 17])
def test_a_nonce_of_another_length_is_malformed(asker: Asker, nonce: bytes) -> None:
    assert asker.hear(asker.seal(make_request(nonce=nonce))) == {
        "broker": "malformed bad-freshness"
    }


@pytest.mark.parametrize("part", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_request_changed_by_one_byte_is_unverified(asker: Asker, part: float) -> None:
    envelope = asker.seal(make_request())
    payload = bytearray(envelope.payload)
    payload[int(part * len(payload))] ^= 1
    envelope.payload = bytes(payload)
    assert asker.hear(envelope) == {"broker": "unverified bad-signature"}
    assert code_of(asker, envelope) == 6


def test_a_signature_changed_by_one_byte_is_unverified(asker: Asker) -> None:
    envelope = asker.seal(make_request())
    sig = bytearray(envelope.signatures[0].sig)
    sig[-1] ^= 1
    envelope.signatures[0].sig = bytes(sig)
    assert asker.hear(envelope) == {"broker": "unverified bad-signature"}


def test_a_message_of_another_type_is_no_request(asker: Asker) -> None:
    hello = broker_pb2.Hello(region="macao")
    envelope = seal(hello, asker.home.identity.current())
    assert asker.hear(envelope) == {"broker": "malformed wrong-payload-type"}
    envelope.payload_type = asker.seal(make_request()).payload_type
    assert asker.hear(envelope) == {"broker": "unverified bad-signature"}


@pytest.mark.parametrize("addition", [b"\xf8\x07\x01", b"\xfa\x07\x03abc"])
def test_a_request_with_an_unknown_field_is_malformed_though_signed(
    asker: Asker, addition: bytes
) -> None:
    sealed = asker.seal(make_request())
    envelope = sign_payload(sealed.payload + addition, sealed, asker.home.identity.current())
    assert asker.hear(envelope) == {"broker": "malformed unknown-field"}
    assert code_of(asker, envelope) == 3


def test_signed_bytes_that_are_no_message_are_malformed(asker: Asker) -> None:
    sealed = asker.seal(make_request())
    envelope = sign_payload(b"\xff" * 40, sealed, asker.home.identity.current())
    assert asker.hear(envelope) == {"broker": "malformed bad-message"}


def test_a_key_outside_the_trust_list_is_refused(space: Space, asker: Asker) -> None:
    stranger = Stranger.claiming(asker.home.uri)
    before = log_sizes(space)["broker"]
    envelope = seal(make_request(), stranger.signing)
    assert asker.hear(envelope) == {"broker": "refused identity-unlisted"}
    assert code_of(asker, envelope) == 4
    assert log_sizes(space)["broker"] == before + 2


def test_an_actor_may_not_speak_for_another_region_or_member(space: Space, asker: Asker) -> None:
    members = space.home / "hongkong/authority/members"
    abroad = ActorUri("macao", "university", "researcher", "researcher-1")
    envelope = seal(make_request(), speak_for(abroad, members, "university"))
    assert asker.hear(envelope) == {"broker": "refused identity-chain-region"}
    assert code_of(asker, envelope) == 4
    elsewhere = ActorUri("hongkong", "hospital", "clinician", "clinician-1")
    envelope = seal(make_request(), speak_for(elsewhere, members, "university"))
    assert asker.hear(envelope) == {"broker": "refused identity-chain-member"}


def test_a_request_that_another_signed_is_not_delivered(space: Space, asker: Asker) -> None:
    colleague = PartyHome(space.home / "actors/guangzhou-researcher")
    envelope = seal(make_request(), colleague.identity)
    assert asker.hear(envelope) == {"broker": "unverified channel-peer"}


@pytest.mark.parametrize("party", ["macao", "broker"])
def test_a_node_or_broker_does_not_ask(space: Space, asker: Asker, party: str) -> None:
    envelope = seal(make_request(), PartyHome(space.home / party).identity)
    assert asker.hear(envelope) == {"broker": "refused identity-role"}


@pytest.mark.parametrize(
    "sql",
    [
        "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT " + "-" * 20_000 + "1",
        "SELECT count(*) FROM patients WHERE " + "NOT " * 4_000 + "smoker",
        "SELECT count(*) FROM patients WHERE " + " OR ".join(["age > 1"] * 3_000),
        "SELECT count(*) FROM patients WHERE age IN (" + ",".join(["1"] * 25_000) + ")",
        "\x00",
        "",
        "select 'unfinished",
        "SELECT count(*) FROM patients WHERE district = '" + "\U0001f4a3" * 9_000 + "'",
    ],
    ids=["parentheses", "minus", "not", "or", "in", "nul", "empty", "quote", "text"],
)
def test_sql_made_to_break_the_parser_is_malformed_and_harms_nobody(asker: Asker, sql: str) -> None:
    heard = asker.hear(asker.seal(make_request(sql)))
    assert heard.keys() == {"broker"}
    assert heard["broker"].startswith("malformed ")


def test_a_request_over_the_size_limit_is_malformed(asker: Asker) -> None:
    envelope = asker.seal(make_request("SELECT 1 --" + "x" * 70_000))
    assert asker.hear(envelope) == {"broker": "malformed too-large"}


@pytest.mark.parametrize("fields", [{"purpose": "P" * 50_000}, {"project": "P" * 50_000}])
def test_an_oversized_purpose_or_project_is_malformed_and_recorded(
    space: Space, asker: Asker, fields: dict[str, Any]
) -> None:
    before = log_sizes(space)["broker"]
    heard = asker.hear(asker.seal(make_request(**fields)))
    assert heard == {"broker": "malformed request"}
    assert log_sizes(space)["broker"] == before + 1


def test_a_query_is_still_answered_after_all_that(space: Space) -> None:
    assert space.query(COUNT).code == 0
    assert space.gba("space", "status").code == 0


def test_a_replay_is_refused_before_and_after_the_nodes_restart(space: Space, asker: Asker) -> None:
    envelope = asker.seal(make_request())
    assert asker.hear(envelope) == dict.fromkeys(REGIONS, "released")
    before = log_sizes(space)
    assert asker.hear(envelope) == dict.fromkeys(REGIONS, "refused replay")
    after = log_sizes(space)
    assert all(after[region] == before[region] + 1 for region in REGIONS)
    for region in REGIONS:
        restart(space, region, kill=region == "macao")
    await_ready(space)
    assert asker.hear(envelope) == dict.fromkeys(REGIONS, "refused replay")


def test_a_request_sent_twice_at_once_is_answered_at_most_once_by_each_node(space: Space) -> None:
    askers = [Asker.of(space) for _ in range(4)]
    for asker in askers:
        asker.session.catalogue()  # channels are open before the race
    envelope = askers[0].seal(make_request())
    start = threading.Barrier(len(askers))

    def hear(asker: Asker) -> dict[str, str]:
        start.wait()
        with asker.session:
            return asker.hear(envelope)

    with ThreadPoolExecutor(len(askers)) as pool:
        heard = list(pool.map(hear, askers))
    for region in REGIONS:
        told = sorted(each[region] for each in heard)
        assert told == ["refused replay"] * (len(askers) - 1) + ["released"]


def test_thirty_questions_at_once_all_get_their_own_right_answer(space: Space) -> None:
    questions = [f"{COUNT} WHERE age >= {age}" for age in range(10, 70, 10)]
    with connect(space.home, "macao/researcher") as session:
        alone = {sql: session.query(sql, purpose="HRESCH").answer.rows for sql in questions}
        assert len(set(alone.values())) == len(questions)
        with ThreadPoolExecutor(30) as pool:
            asked = [questions[number % len(questions)] for number in range(30)]
            answers = pool.map(lambda sql: session.query(sql, purpose="HRESCH").answer.rows, asked)
            assert list(answers) == [alone[sql] for sql in asked]


def test_every_log_verifies_after_the_attacks(space: Space) -> None:
    verified = space.gba("audit", "verify", "--format", "json")
    assert verified.code == 0
    sizes = {log["owner"]: log["size"] for log in verified.json["logs"]}
    recorded = log_sizes(space)
    assert set(sizes) == set(EVERYBODY)
    assert all(sizes[owner] >= recorded[owner] > 0 for owner in EVERYBODY)
