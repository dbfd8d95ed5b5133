"""Evidence that was made up, mixed, cut or altered: each fails, at the step that says why."""

from __future__ import annotations

import hashlib
import os
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.evidence.bundle import parse_evidence, serialise_evidence
from dataspace.evidence.logged import read_proof, write_proof
from dataspace.evidence.pinned import Pinned, pin
from dataspace.evidence.verification import verify_evidence
from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.policy.rules import load
from dataspace.v1 import evidence_pb2, query_pb2, trust_pb2
from tests.attacks.evidence_case import (
    altered,
    case,
    each_byte_changed,
    fails_at,
    one_byte_changed,
    other,
    record,
    rewrapped,
    whole,
)
from tests.unit.evidence.witnesses import cosign, quorum
from tests.unit.evidence.world import (
    OTHER_POLICIES,
    SEEN_MS,
    files,
    release,
    verify,
)
from tests.unit.identity.world import DAY_MS, NOW, NOW_MS, make_signing, make_space


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_changed_byte_of_the_file_fails_at_the_file(data: st.DataObject) -> None:
    content = bytearray(whole())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    fails_at(bytes(content), "file")


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_changed_byte_fails_even_where_the_digest_is_made_anew(data: st.DataObject) -> None:
    place, changed = one_byte_changed(whole(), data)
    assert verify(changed, case().world).failed is not None, place


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_every_changed_byte_fails_even_where_the_digest_is_made_anew() -> None:
    for place, changed in each_byte_changed(whole(), int(os.environ.get("GBA_FROM", "0"))):
        assert verify(changed, case().world).failed is not None, place


def test_a_file_that_is_cut_off_says_so() -> None:
    assert "cut off" in fails_at(whole()[:-1], "file")
    assert "cut off" in fails_at(whole()[:200], "file")
    assert "first line" in fails_at(whole()[:40], "file")
    assert "first line" in fails_at(b"", "file")


def test_a_file_with_more_at_its_end_says_so() -> None:
    assert "1 bytes follow" in fails_at(whole() + b"\n", "file")


def test_a_field_that_nobody_knows_is_refused() -> None:
    body = whole().split(b"\n", 1)[1]
    assert "does not know" in fails_at(rewrapped(body + b"\xfa\x3e\x01x"), "file")


def test_another_spelling_of_the_same_evidence_is_refused() -> None:
    evidence = parse_evidence(whole())
    turned = evidence_pb2.Evidence()
    turned.CopyFrom(evidence)
    del turned.records[:]
    turned.records.extend(reversed(evidence.records))
    assert "one form" in fails_at(serialise_evidence(turned), "file")
    twice = evidence_pb2.Evidence()
    twice.CopyFrom(evidence)
    twice.catalogues.append(evidence.catalogues[-1])
    assert "one form" in fails_at(serialise_evidence(twice), "file")


# ---- two releases in one bundle


def test_the_release_of_another_request_is_refused() -> None:
    fails_at(altered(lambda e: e.release.CopyFrom(other().bundle)), "release")


def test_the_records_of_another_request_are_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        theirs = other().evidence()
        record(evidence, "macao").CopyFrom(record(theirs, "macao"))

    assert "another request" in fails_at(altered(swap), "request")


def test_a_partial_of_another_request_is_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        evidence.release.answers[2].CopyFrom(other().bundle.answers[2])

    fails_at(altered(swap), "answers")


def test_two_partials_in_each_others_place_are_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        first, second = evidence.release.answers[:2]
        mine = query_pb2.NodeAnswer.FromString(first.SerializeToString())
        first.CopyFrom(second)
        second.CopyFrom(mine)

    fails_at(altered(swap), "answers")


def test_a_missing_record_is_refused() -> None:
    def drop(evidence: evidence_pb2.Evidence, owner: str, place: int = 0) -> None:
        evidence.records.remove(record(evidence, owner, place))

    fails_at(altered(lambda e: drop(e, "broker", 0)), "inclusion")
    fails_at(altered(lambda e: drop(e, "broker", 1)), "inclusion")
    assert "same regions" in fails_at(altered(lambda e: drop(e, "hongkong")), "answers")
    fails_at(altered(lambda e: e.records.__delitem__(slice(None))), "inclusion")


# ---- contexts, policies, catalogues


def test_a_swapped_context_is_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        mine, theirs = record(evidence, "macao"), record(evidence, "hongkong")
        mine.salt, mine.context = theirs.salt, theirs.context

    assert "not the one that was recorded" in fails_at(altered(swap), "contexts")


def test_a_rewritten_context_is_refused() -> None:
    def rewrite(evidence: evidence_pb2.Evidence) -> None:
        mine = record(evidence, "macao")
        mine.context = mine.context.replace(b"HRESCH", b"TREAT\x20")

    fails_at(altered(rewrite), "contexts")


def test_an_erased_context_is_no_evidence() -> None:
    def erase(evidence: evidence_pb2.Evidence) -> None:
        record(evidence, "macao").salt = b""

    assert "erased" in fails_at(altered(erase), "contexts")


def test_another_policy_set_is_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        evidence.policy_sets[0].CopyFrom(files(OTHER_POLICIES))

    assert "is not in the evidence" in fails_at(altered(swap), "decisions")


def test_a_policy_set_that_decided_nothing_is_refused() -> None:
    def add(evidence: evidence_pb2.Evidence) -> None:
        both = [*evidence.policy_sets, files(OTHER_POLICIES)]
        both.sort(key=lambda each: load({f.name: f.content for f in each.files}).sha256)
        del evidence.policy_sets[:]
        evidence.policy_sets.extend(both)

    assert "decided nothing" in fails_at(altered(add), "decisions")


def test_a_missing_catalogue_is_refused() -> None:
    fails_at(altered(lambda e: e.catalogues.__delitem__(0)), "questions")
    fails_at(altered(lambda e: e.catalogues[0].offers.__delitem__(0)), "catalogue")


def test_an_offer_that_its_operator_did_not_sign_is_refused() -> None:
    def forge(evidence: evidence_pb2.Evidence) -> None:
        mine = evidence.catalogues[0].offers[0]
        mine.signatures[0].sig = mine.signatures[0].sig[:-1] + b"\0"

    fails_at(altered(forge), "catalogue")


# ---- checkpoints, witnesses and times


def recosigned(owner: str, regions: list[str], at_ms: int = SEEN_MS) -> bytes:
    def alter(evidence: evidence_pb2.Evidence) -> None:
        for mine in evidence.records:
            if mine.owner == owner:
                index, path, _ = read_proof(mine.proof)
                note = case().world.parties[owner].recorder.log.checkpoint_text
                log = case().world.parties[owner].recorder.log
                path = log.prove_inclusion(index, log.size)
                mine.proof = write_proof(index, path, cosign(note, regions, at_ms))

    return altered(alter)


def test_a_checkpoint_that_nobody_cosigned_is_not_evidence() -> None:
    assert "not cosigned yet" in fails_at(recosigned("hongkong", []), "cosignatures")


def test_the_owners_own_witness_never_counts() -> None:
    assert verify(recosigned("hongkong", ["guangzhou", "macao"]), case().world).failed is None
    fails_at(recosigned("hongkong", ["hongkong"]), "cosignatures")
    fails_at(recosigned("hongkong", ["hongkong", "macao"]), "cosignatures")


def test_a_checkpoint_of_another_log_is_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        mine = record(evidence, "macao")
        index, path, _ = read_proof(mine.proof)
        theirs = read_proof(record(evidence, "guangzhou").proof)[2]
        mine.proof = write_proof(index, path, theirs)

    fails_at(altered(swap), "cosignatures")


def test_another_place_in_the_log_is_refused() -> None:
    def move(evidence: evidence_pb2.Evidence) -> None:
        mine = record(evidence, "macao")
        index, path, note = read_proof(mine.proof)
        mine.proof = write_proof(index - 1, path, note)

    fails_at(altered(move), "inclusion")


@pytest.mark.parametrize("late", [-DAY_MS // 2, DAY_MS + 60_000])
def test_a_log_that_witnesses_saw_at_another_time_is_refused(late: int) -> None:
    fails_at(recosigned("macao", ["guangzhou", "hongkong"], NOW_MS + late), "times")


# ---- trust lists and certificates


def test_a_forged_trust_list_is_refused() -> None:
    forger = make_space()
    forged = forger.seal(forger.list(), "hongkong-1", "macao-1")
    fails_at(altered(lambda e: e.trust_lists[0].CopyFrom(forged)), "trust-list")


def test_a_forged_next_trust_list_is_refused() -> None:
    forger = make_space()
    first = case().world.trust_lists[0]
    digest = hashlib.sha256(first.payload).digest()
    forged = forger.seal(forger.list(version=2, previous_sha256=digest), "hongkong-1", "macao-1")
    fails_at(altered(lambda e: e.trust_lists.append(forged)), "trust-list")


def test_a_trust_list_signature_of_nobody_in_it_is_refused() -> None:
    def add(evidence: evidence_pb2.Evidence) -> None:
        stranger = evidence.trust_lists[0].signatures.add()
        stranger.sig, stranger.keyid = b"x" * 64, "nobody-1"

    assert "nobody in it" in fails_at(altered(add), "trust-list")


def test_a_trust_list_older_than_the_release_is_refused() -> None:
    world = case().world
    first = world.trust_lists[0]
    wire = world.space.list(version=2, previous_sha256=hashlib.sha256(first.payload).digest())
    wire.ClearField("logs")
    wire.logs.extend(trust_pb2.TrustList.FromString(first.payload).logs)
    second = world.space.seal(wire, "hongkong-1", "macao-1")
    pinned = pin([first, second], world.pinned.sha256)
    words = _failed_with(whole(), pinned, "release")
    assert "version 2 of the trust list was in force" in words


def _failed_with(data: bytes, pinned: Pinned, step: str) -> str:
    failed = verify_evidence(data, pinned, quorum).failed
    assert failed is not None
    assert failed.name == step
    return failed.words


def test_another_pinned_list_is_refused() -> None:
    _failed_with(whole(), Pinned(bytes(32)), "trust-list")


def expiring(uri: str) -> SigningIdentity:
    """A signer whose certificate ends after the decision and before anybody saw the log."""
    world = case().world
    region = uri.split("/")[2]
    return make_signing(world.space.members[region], uri, not_after=NOW + timedelta(seconds=2))


def test_a_request_whose_certificate_had_expired_when_it_was_seen_is_refused() -> None:
    signer = expiring("gba://hongkong/h1/researcher/ana")
    late = release(case().world, signer=signer)
    assert "expired" in fails_at(late.file(), "request")


def test_a_broker_whose_certificate_had_expired_when_it_was_seen_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = case().world.parties["broker"]
    monkeypatch.setattr(broker, "identity", expiring("gba://hongkong/h1/broker/main"))
    assert "expired" in fails_at(release(case().world).file(), "release")


def test_a_node_whose_certificate_had_expired_when_it_was_seen_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node = case().world.parties["macao"]
    monkeypatch.setattr(node, "identity", expiring("gba://macao/h1/node/node-1"))
    assert "expired" in fails_at(release(case().world).file(), "answers")


def test_a_request_that_a_service_signed_is_refused() -> None:
    world = case().world
    message = query_pb2.QueryRequest.FromString(case().request.payload)
    forged = seal(message, world.parties["macao"].identity)
    assert "does not ask" in fails_at(altered(lambda e: e.request.CopyFrom(forged)), "request")


def test_a_node_that_shows_two_answers_is_refused() -> None:
    def add(evidence: evidence_pb2.Evidence) -> None:
        mine = [*evidence.records, record(other().evidence(), "macao")]
        del evidence.records[:]
        evidence.records.extend(
            sorted(mine, key=lambda each: (each.owner, read_proof(each.proof)[0]))
        )

    assert "once" in fails_at(altered(add), "inclusion")
