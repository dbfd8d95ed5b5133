"""Evidence of a question across regions, altered, mixed or told wrong: each fails, named."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.audit.entries import Entry
from dataspace.evidence.logged import place_of
from dataspace.query.overlap_cells import OverlapCell
from dataspace.v1 import evidence_pb2, linkage_pb2, query_pb2
from tests.attacks import evidence_case
from tests.attacks.evidence_case import Alter, each_byte_changed, one_byte_changed, record
from tests.unit.evidence.overlap_world import A, C, Telling, linked, release_across
from tests.unit.evidence.world import Case, make_world, part, release, verify
from tests.unit.identity.world import NOW_MS


@cache
def case() -> Case:
    return release_across(linked(make_world(Path(mkdtemp(prefix="gba-across-")))))


@cache
def other() -> Case:
    """Another round of the same space, for the same question."""
    return release_across(case().world)


@cache
def whole() -> bytes:
    verify(case().file(), case().world).require()
    return case().file()


def altered(alter: Alter) -> bytes:
    return evidence_case.altered(alter, whole())


def told(**telling: Any) -> bytes:
    return release_across(case().world, Telling(**telling)).file()


def fails_at(data: bytes, step: str) -> str:
    return evidence_case.fails_at(data, step, case())


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_changed_byte_fails_even_where_the_digest_is_made_anew(data: st.DataObject) -> None:
    place, changed = one_byte_changed(whole(), data)
    assert verify(changed, case().world).failed is not None, place


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_every_changed_byte_fails_even_where_the_digest_is_made_anew() -> None:
    for place, changed in each_byte_changed(whole()):
        assert verify(changed, case().world).failed is not None, place


# --- another round's


def test_the_release_of_another_round_is_refused() -> None:
    fails_at(altered(lambda e: e.release.CopyFrom(other().bundle)), "release")


def test_a_partial_of_another_round_is_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        evidence.release.answers[1].CopyFrom(other().bundle.answers[1])

    fails_at(altered(swap), "answers")


def test_a_partial_of_another_transcript_is_refused() -> None:
    """The node signs and logs it, for this request: it is of no round that the others held."""

    def twist(region: str, partial: linkage_pb2.OverlapPartial) -> None:
        if region == "macao":
            partial.transcript = bytes(32)

    assert "of another round" in fails_at(told(twist=twist), "round")

    def change(owner: str, _: str, fields: dict[str, Any]) -> None:
        if owner == "macao" and "transcript" in fields:
            fields["transcript"] = bytes(32).hex()

    assert "different transcripts" in fails_at(told(twist=twist, change=change), "round")


@pytest.mark.parametrize("owner", ["broker", "macao"])
def test_the_commitment_of_another_round_is_refused(owner: str) -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        at = 1 if owner == "broker" else 0
        record(evidence, owner, at).CopyFrom(record(other().evidence(), owner, at))
        rest = sorted(evidence.records, key=_order)
        del evidence.records[:]
        evidence.records.extend(rest)

    fails_at(altered(swap), "request")


def test_two_partials_in_each_others_place_are_refused() -> None:
    def swap(evidence: evidence_pb2.Evidence) -> None:
        first, second = evidence.release.answers[:2]
        mine = query_pb2.NodeAnswer.FromString(first.SerializeToString())
        first.CopyFrom(second)
        second.CopyFrom(mine)

    fails_at(altered(swap), "answers")


# --- what is missing, late, or of others


@pytest.mark.parametrize("region", ["guangzhou", "macao"])
def test_a_side_that_is_missing_is_refused(region: str) -> None:
    def drop(evidence: evidence_pb2.Evidence) -> None:
        for each in [each for each in evidence.records if each.owner == region]:
            evidence.records.remove(each)

    fails_at(altered(drop), "answers")
    fails_at(altered(lambda e: e.release.answers.__delitem__(0)), "answers")

    def unoffered(evidence: evidence_pb2.Evidence) -> None:
        evidence.catalogues.remove(next(e for e in evidence.catalogues if e.region == region))

    assert region in fails_at(altered(unoffered), "questions")


@pytest.mark.parametrize(("owner", "at"), [("guangzhou", 0), ("macao", 0), ("broker", 1)])
def test_a_missing_entry_on_the_round_is_refused(owner: str, at: int) -> None:
    def drop(evidence: evidence_pb2.Evidence) -> None:
        evidence.records.remove(record(evidence, owner, at))

    assert "another entry of its round" in fails_at(altered(drop), "round")


def test_a_commitment_that_no_answer_names_is_refused() -> None:
    def change(owner: str, kind: str, fields: dict[str, Any]) -> None:
        if (owner, kind) == ("macao", "overlap.released"):
            del fields["committed"]

    assert "another entry of its round" in fails_at(told(change=change), "round")


def test_a_commitment_after_the_answer_is_refused() -> None:
    words = fails_at(told(late=frozenset({"macao"})), "round")
    assert "after its answer" in words


def test_a_match_after_the_release_is_refused() -> None:
    """The broker's log names an entry of this round that it wrote when all was over."""
    broker = case().world.parties["broker"].recorder

    def change(_: str, kind: str, fields: dict[str, Any]) -> None:
        if kind == "query.released":
            fields["matched"] = broker.log.size + 1

    made = release_across(case().world, Telling(change))
    records = made.parts["broker"].records
    matched = next(each for each in records if b"overlap.matched" in each.entry)
    told_of = Entry.from_bytes(matched.entry)
    again = broker.record("overlap.matched", told_of.at_ms, told_of.fields)
    records.remove(matched)
    records.append(_sealed(part(made.world, "broker", [again.index]).records[0]))
    assert "after its answer" in fails_at(made.file(), "round")


def _sealed(found: evidence_pb2.Recorded) -> evidence_pb2.Recorded:
    found.salt = found.context = b""
    return found


def test_a_region_without_any_word_on_its_round_is_refused() -> None:
    def change(owner: str, kind: str, fields: dict[str, Any]) -> None:
        if owner == "macao":
            fields.pop("committed", None)

    made = release_across(case().world, Telling(change))
    del made.parts["macao"].records[0]
    assert "tells of no round" in fails_at(made.file(), "round")


def test_a_region_that_is_silent_has_no_cells_and_no_commitment_in_the_file() -> None:
    made = release_across(case().world, Telling(silent="macao"))
    kept = made.parts.pop("macao")
    report = verify(made.file(), case().world)
    assert report.failed is None, report.failed
    assert "not every region answered" in {e.name: e.words for e in report.steps}["round"]
    made.parts["macao"] = kept
    assert "did not answer" in fails_at(made.file(), "round")


@pytest.mark.parametrize(
    ("owner", "kind", "instead"),
    [
        ("macao", "overlap.committed", "overlap.matched"),
        ("broker", "overlap.matched", "overlap.committed"),
    ],
)
def test_an_entry_on_anothers_part_in_the_round_is_refused(
    owner: str, kind: str, instead: str
) -> None:
    assert "own part" in fails_at(told(kinds={(owner, kind): instead}), "round")


def test_two_commitments_of_one_region_are_refused() -> None:
    def add(evidence: evidence_pb2.Evidence) -> None:
        mine = [*evidence.records, record(other().evidence(), "macao", 0)]
        del evidence.records[:]
        evidence.records.extend(sorted(mine, key=_order))

    assert "its round once" in fails_at(altered(add), "inclusion")


def _order(each: evidence_pb2.Recorded) -> tuple[str, int]:
    return each.owner, place_of(each.proof)


def test_an_opened_commitment_is_refused() -> None:
    """What is beside it holds sizes, and is nobody else's to see."""
    macao = case().world.parties["macao"].recorder.bodies

    def open_(evidence: evidence_pb2.Evidence) -> None:
        mine = record(evidence, "macao", 0)
        opening = macao.opening(str(Entry.from_bytes(mine.entry).fields["context"]))
        assert opening is not None
        mine.salt, mine.context = opening

    assert "nobody else's to see" in fails_at(altered(open_), "contexts")


@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        ("macao", "round_id", "00" * 32),
        ("macao", "tier", "keyed"),
        ("macao", "attempt", 1),
        ("macao", "attempt", True),
        ("macao", "attempt", "0"),
        ("macao", "regions", ["macao", "hongkong"]),
        ("macao", "join_sha256", "00" * 32),
        ("macao", "join_sha256", 7),
        ("macao", "transcript", "00" * 32),
        ("broker", "round_id", "00" * 32),
        ("broker", "tier", "keyed"),
        ("broker", "attempt", 1),
        ("broker", "transcript", "00" * 32),
        ("broker", "matched", 0),
    ],
)
def test_a_log_that_tells_of_another_round_is_refused(owner: str, name: str, value: object) -> None:
    def change(who: str, _: str, fields: dict[str, Any]) -> None:
        if who == owner and name in fields:
            fields[name] = value

    fails_at(told(change=change), "round")


def test_all_logs_together_tell_of_no_attempt_that_cannot_be() -> None:
    def change(_: str, __: str, fields: dict[str, Any]) -> None:
        if "attempt" in fields:
            fields["attempt"] = 2

    assert "no such round" in fails_at(told(change=change), "round")


def test_a_round_beside_a_plain_question_is_refused(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    plain = release(world)
    own = world.parties["macao"].recorder
    digest = Entry.from_bytes(plain.bundle.receipt.entry).fields["request_sha256"]
    index = own.record("overlap.committed", NOW_MS, {"request_sha256": digest}).index
    plain.parts["macao"].records.append(part(world, "macao", [index]).records[0])
    failed = verify(plain.file(), world).failed
    assert failed is not None
    assert (failed.name, "nobody asked for" in failed.words) == ("round", True)


# --- what nodes release


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        (lambda p: setattr(p, "min_subjects", 11), "other settings"),
        (lambda p: setattr(p, "round_to", 1), "other settings"),
        (lambda p: p.unused.append("[sex]"), "match lists"),
        (lambda p: p.cells.add(codes=[b"d" * 16, C], people=15), "under the threshold"),
    ],
)
def test_a_share_that_the_round_does_not_give_is_refused(
    twist: Callable[[linkage_pb2.OverlapPartial], None], words: str
) -> None:
    data = told(twist=lambda _, partial: twist(partial))
    assert words in fails_at(data, "round")


def test_nodes_that_release_different_counts_are_refused() -> None:
    differing = {"macao": (OverlapCell((A, C), 25),)}
    assert "another count" in fails_at(told(cells=differing), "combination")


def test_a_partial_of_another_product_is_refused() -> None:
    def twist(region: str, partial: linkage_pb2.OverlapPartial) -> None:
        if region == "macao":
            partial.product = "visits"

    assert "another partial" in fails_at(told(twist=twist), "answers")


def test_a_partial_that_cites_another_rule_is_refused() -> None:
    def twist(region: str, partial: linkage_pb2.OverlapPartial) -> None:
        if region == "macao":
            partial.rules[0] = "figures"

    assert "signed other rules" in fails_at(told(twist=twist), "decisions")


@pytest.mark.parametrize("owner", ["broker", "macao"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("columns", ["age"]), ("action", "aggregate"), ("product_region", "hongkong"),
     ("purpose", "PUBHLTH"), ("agreement", "valid")],
)  # fmt: skip
def test_a_question_that_request_and_products_do_not_give_is_refused(
    owner: str, name: str, value: object
) -> None:
    def beside(who: str, _: str, body: dict[str, Any]) -> None:
        if who == owner:
            for question in body.get("access_requests", []):
                question[name] = value

    fails_at(told(beside=beside), "questions")


def test_an_answer_that_the_partials_do_not_combine_to_is_refused() -> None:
    words = fails_at(told(answer_sha256=bytes(32)), "combination")
    assert "not what the partials combine to" in words


@pytest.mark.parametrize("owner", ["broker", "macao"])
def test_a_log_that_names_other_rules_than_decide_is_refused(owner: str) -> None:

    def change(who: str, _: str, fields: dict[str, Any]) -> None:
        if who == owner and "rules" in fields:
            fields["rules"] = ["figures"]

    assert "other rules" in fails_at(told(change=change), "decisions")
