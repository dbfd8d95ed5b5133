"""A broker that lies, with the real broker's keys and log: the client believes none of it.

`Lied` stands where the wire ends: the real space answers, the answer is altered, signed
anew and recorded as the broker could, and the client judges it as it judges any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dataspace.client.heard import refusal_in
from dataspace.client.session import Session
from dataspace.errors import Unavailable, Unverified
from dataspace.exits import exit_code
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.names import REGIONS
from dataspace.query.bind import bind_query
from dataspace.query.combine import combine
from dataspace.query.parse import parse_query
from dataspace.v1 import query_pb2
from tests.attacks.forgery import log_sizes, now_ms
from tests.attacks.lying_broker import Bundle, Desk, Lied, Release, released, resigned
from tests.federation.copies import running_copy
from tests.spaces import Space

GROUPED = "SELECT region, count(distinct person) AS n FROM patients GROUP BY region"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("tampering")) as running:
        yield running


@pytest.fixture(scope="module")
def broker(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(PartyHome(space.home / "broker"), tmp_path_factory.mktemp("broker"))


@pytest.fixture(scope="module")
def macao(space: Space, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk(PartyHome(space.home / "macao"), tmp_path_factory.mktemp("macao"))


@pytest.fixture
def lied(space: Space) -> Iterator[Callable[..., Any]]:
    """Ask through a lying broker."""
    sessions: list[Session] = []

    def ask(lie: Callable[[Bundle], None], sql: str = GROUPED, require: str = "any") -> Any:
        session = Lied(PartyHome(space.home / "actors/hongkong-researcher"), released(lie))
        sessions.append(session)
        return session.query(sql, purpose="HRESCH", require=require)

    yield ask
    for session in sessions:
        session.close()


def code_of(lied: Callable[..., Any], lie: Callable[[Bundle], None], **more: Any) -> str:
    """The code under which the client refuses to believe it; the exit code is 6."""
    with pytest.raises(Unverified) as caught:
        lied(lie, **more)
    assert exit_code(caught.value) == 6
    return caught.value.code


def outcome(release: Release, region: str) -> query_pb2.NodeOutcome:
    return next(node for node in release.nodes if node.region == region)


def drop(bundle: Bundle, *numbers: int) -> None:
    kept = [answer for number, answer in enumerate(bundle.answers) if number not in numbers]
    del bundle.answers[:]
    bundle.answers.extend(kept)


def test_the_true_answer_is_believed_and_so_is_one_signed_again(
    lied: Callable[..., Any], broker: Desk
) -> None:
    assert len(lied(lambda _: None, require="all").answer.rows) == 3
    assert len(lied(resigned(broker, lambda _: None), require="all").answer.rows) == 3


# --- the release -------------------------------------------------------------------


def _another_answer(release: Release) -> None:
    release.answer_sha256 = bytes(32)


def _another_request(release: Release) -> None:
    release.request_sha256 = bytes(32)


def _without_macao(release: Release) -> None:
    release.nodes.remove(outcome(release, "macao"))


def _macao_twice(release: Release) -> None:
    release.nodes.add().CopyFrom(outcome(release, "macao"))


def _with_a_fourth_region(release: Release) -> None:
    release.nodes.add(region="atlantis", status="unreachable", reason="sunk (per broker)")


def _refusal_of_nobody(release: Release) -> None:
    node = outcome(release, "macao")
    node.status, node.reason, node.body_sha256 = "refused", "macao: default-deny", b""


def _released_by_nobody(release: Release) -> None:
    outcome(release, "macao").body_sha256 = b""


def _swapped_regions(release: Release) -> None:
    one, other = outcome(release, "macao"), outcome(release, "hongkong")
    one.body_sha256, other.body_sha256 = other.body_sha256, one.body_sha256


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_another_answer, "release-answer"),
        (_another_request, "release-request"),
        (_without_macao, "release-nodes"),
        (_macao_twice, "release-nodes"),
        (_with_a_fourth_region, "release-nodes"),
        (_refusal_of_nobody, "release-nodes"),
        (_released_by_nobody, "release-nodes"),
        (_swapped_regions, "release-nodes"),
    ],
)
def test_a_release_that_the_broker_altered_is_unverified(
    lied: Callable[..., Any], broker: Desk, change: Callable[[Release], None], code: str
) -> None:
    assert code_of(lied, resigned(broker, change)) == code


def test_a_release_signed_by_a_node_is_unverified(lied: Callable[..., Any], macao: Desk) -> None:
    assert code_of(lied, resigned(macao, lambda _: None)) == "release-signer"


def test_one_changed_byte_in_the_release_is_unverified(lied: Callable[..., Any]) -> None:
    def lie(bundle: Bundle) -> None:
        payload = bytearray(bundle.release.payload)
        payload[-5] ^= 1
        bundle.release.payload = bytes(payload)

    assert code_of(lied, lie) == "bad-signature"


# --- the nodes' answers ---------------------------------------------------------------


@pytest.mark.parametrize("number", range(3))
def test_a_dropped_answer_is_missed(lied: Callable[..., Any], number: int) -> None:
    assert code_of(lied, lambda bundle: drop(bundle, number)) in {"release-nodes", "partial-signer"}


def test_swapped_and_doubled_answers_are_unverified(lied: Callable[..., Any]) -> None:
    def swap(bundle: Bundle) -> None:
        answers = [bundle.answers[1], bundle.answers[0], bundle.answers[2]]
        fresh = Bundle(release=bundle.release, receipt=bundle.receipt, answers=answers)
        bundle.CopyFrom(fresh)

    assert code_of(lied, swap) == "partial-signer"
    assert code_of(lied, lambda b: b.answers.add().CopyFrom(b.answers[0])) == "release-nodes"


def test_one_changed_byte_in_a_partial_is_unverified(lied: Callable[..., Any]) -> None:
    def lie(bundle: Bundle) -> None:
        payload = bytearray(bundle.answers[0].body.payload)
        payload[-5] ^= 1
        bundle.answers[0].body.payload = bytes(payload)

    assert code_of(lied, lie) == "bad-signature"


def forge_macao(desk: Desk, broker: Desk) -> Callable[[Bundle], None]:
    """A partial for macao that another signed, with a fitting release around it."""

    def lie(bundle: Bundle) -> None:
        answer = next(
            each for each in bundle.answers
            if query_pb2.Partial.FromString(each.body.payload).region == "macao"
        )  # fmt: skip
        partial = query_pb2.Partial.FromString(answer.body.payload)
        partial.cells[0].states[0].count += 1000
        answer.body.CopyFrom(seal(partial, desk.identity))
        answer.receipt.CopyFrom(desk.record(answer.body))

        def fit(release: Release) -> None:
            digest = hashlib.sha256(answer.body.payload).digest()
            outcome(release, "macao").body_sha256 = digest

        resigned(broker, fit)(bundle)

    return lie


def test_a_partial_that_another_than_the_node_signed_is_unverified(
    space: Space, lied: Callable[..., Any], broker: Desk, tmp_path: Path
) -> None:
    assert code_of(lied, forge_macao(broker, broker)) == "partial-signer"
    neighbour = Desk(PartyHome(space.home / "hongkong"), tmp_path)
    assert code_of(lied, forge_macao(neighbour, broker)) == "partial-signer"


def test_a_partial_in_another_log_than_the_regions_is_unverified(
    lied: Callable[..., Any], broker: Desk, macao: Desk
) -> None:
    class MacaosHandBrokersLog(Desk):
        def __init__(self) -> None:
            self.identity, self.recorder = macao.identity, broker.recorder

    assert code_of(lied, forge_macao(MacaosHandBrokersLog(), broker)) == "receipt-origin"


def test_an_old_partial_does_not_answer_a_new_question(
    space: Space, lied: Callable[..., Any]
) -> None:
    earlier = Lied(PartyHome(space.home / "actors/hongkong-researcher"), lambda _: None)
    with earlier:
        earlier.query(GROUPED, purpose="HRESCH")
    old = earlier.heard.release
    assert len(old.answers) == 3
    assert code_of(lied, lambda b: b.answers[0].CopyFrom(old.answers[0])) == "partial-request"
    assert code_of(lied, lambda b: b.CopyFrom(old)) == "release-request"


# --- receipts ------------------------------------------------------------------------


def _another_entry(receipt: query_pb2.Receipt) -> None:
    entry = json.loads(receipt.entry)
    entry["at_ms"] += 1
    receipt.entry = json.dumps(entry, separators=(",", ":"), sort_keys=True).encode()


def _another_index(receipt: query_pb2.Receipt) -> None:
    receipt.index += 1


def _another_path(receipt: query_pb2.Receipt) -> None:
    receipt.inclusion.append(bytes(32))


def _another_size(receipt: query_pb2.Receipt) -> None:
    lines = receipt.checkpoint.split("\n")
    lines[1] = str(int(lines[1]) + 1)
    receipt.checkpoint = "\n".join(lines)


def _no_signature(receipt: query_pb2.Receipt) -> None:
    receipt.checkpoint = receipt.checkpoint.partition("\n\n")[0] + "\n\n"


def _another_origin(receipt: query_pb2.Receipt) -> None:
    receipt.origin = "gba.dataspace/hongkong"


def _no_entry(receipt: query_pb2.Receipt) -> None:
    receipt.entry = b""


@pytest.mark.parametrize(
    "change",
    [
        _another_entry, _another_index, _another_path, _another_size, _no_signature,
        _another_origin, _no_entry, query_pb2.Receipt.Clear,
    ],
)  # fmt: skip
def test_a_receipt_that_was_altered_is_unverified(
    lied: Callable[..., Any], change: Callable[[query_pb2.Receipt], None]
) -> None:
    code_of(lied, lambda bundle: change(bundle.receipt))
    code_of(lied, lambda bundle: change(bundle.answers[2].receipt))


def test_a_receipt_for_another_body_is_unverified(lied: Callable[..., Any]) -> None:
    code = code_of(lied, lambda b: b.answers[0].receipt.CopyFrom(b.answers[1].receipt))
    assert code == "receipt-origin"

    def older(bundle: Bundle) -> None:
        bundle.receipt.CopyFrom(earlier[0])

    earlier: list[query_pb2.Receipt] = []
    lied(lambda bundle: earlier.append(query_pb2.Receipt.FromString(
        bundle.receipt.SerializeToString())))  # fmt: skip
    assert code_of(lied, older) == "receipt-body"


# --- refusals, and silence ---------------------------------------------------------------


def _silenced(release: Release, status: str = "unreachable", reason: str = "") -> None:
    node = outcome(release, "macao")
    node.status, node.reason, node.body_sha256 = status, reason, b""


@pytest.mark.parametrize("status", ["unreachable", "timeout"])
def test_a_region_for_which_the_broker_alone_speaks_is_shown_as_such(
    space: Space, lied: Callable[..., Any], broker: Desk, status: str
) -> None:
    def lie(bundle: Bundle) -> None:
        drop(bundle, 2)

        def claim(release: Release) -> None:
            _silenced(release, status, "gone (per broker)")

        resigned(broker, claim)(bundle)

    # The broker would have to combine anew: over a question that macao is not in.
    assert code_of(lied, lie) == "release-answer"
    sql = "SELECT count(distinct person) AS n FROM macao.patients"

    def only(bundle: Bundle) -> None:
        drop(bundle, 0)

        def claim(release: Release) -> None:
            _silenced(release, status, "gone (per broker)")
            release.answer_sha256 = empty_answer(space, sql)

        resigned(broker, claim)(bundle)

    with pytest.raises(Unavailable) as caught:
        lied(only, sql=sql, require="all")
    assert exit_code(caught.value) == 5
    assert "(per broker)" in caught.value.message


def empty_answer(space: Space, sql: str) -> bytes:
    """The digest of what no partial at all combines to."""
    with Session(PartyHome(space.home / "actors/hongkong-researcher")) as session:
        offers = session.catalogue().offers
    offer = next(each.offer for each in offers if each.offer.product == "patients")
    return combine(bind_query(parse_query(sql), offer), [], ["macao"]).digest()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("unreachable", "gone"),
        ("refused", "gone (per broker)"),
        ("malformed", "gone (per broker)"),
        ("released", "gone (per broker)"),
        ("", "gone (per broker)"),
    ],
)
def test_the_brokers_word_passes_for_nobody_elses(
    lied: Callable[..., Any], broker: Desk, status: str, reason: str
) -> None:
    def lie(bundle: Bundle) -> None:
        drop(bundle, 2)
        resigned(broker, lambda release: _silenced(release, status, reason))(bundle)

    assert code_of(lied, lie) == "release-nodes"


def test_the_brokers_own_no_is_recorded_and_reaches_no_node(
    space: Space,
) -> None:
    before = log_sizes(space)
    asked = space.query("SELECT brca, count(*) AS n FROM conditions GROUP BY brca")
    assert (asked.code, asked.error["error"]) == (4, "refused")
    after = log_sizes(space)
    assert after["broker"] == before["broker"] + 1
    assert all(after[region] == before[region] for region in REGIONS)


def test_a_refusal_that_the_broker_did_not_sign_is_unverified(space: Space, macao: Desk) -> None:
    refusal = query_pb2.Refusal(
        request_sha256=bytes(32), region="broker",
        status=query_pb2.ErrorStatus(error="refused", code="x", message="no"),
    )  # fmt: skip
    signed = seal(refusal, macao.identity)
    answer = query_pb2.NodeAnswer(body=signed, receipt=macao.record(signed))
    with Session(PartyHome(space.home / "actors/hongkong-researcher")) as session:
        error = refusal_in(answer, bytes(32), session.trust, now_ms())
    assert isinstance(error, Unverified)
    assert error.code == "refusal-signer"
