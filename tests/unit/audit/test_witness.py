from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint, verify_checkpoint
from dataspace.audit.cosignatures import add_cosignatures
from dataspace.audit.merkle import EMPTY_ROOT, prove_consistency
from dataspace.audit.notes import VerifierKey, parse_note
from dataspace.audit.quorum import Quorum
from dataspace.audit.witness import (
    MAX_REQUEST_BYTES,
    AddCheckpoint,
    Alarm,
    Seen,
    Verdict,
    Witness,
)
from dataspace.audit.witness_store import MemoryWitnessStore

from .cosigners import GUANGZHOU, MACAO, NOW_S
from .histories import History
from .samples import KEY, ORIGIN, OTHER_PRIVATE_KEY, PRIVATE_KEY

# The example of C2SP tlog-witness.
EXAMPLE = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""  # noqa: E501  the specification's own lines

# Requests of filippo.io/torchwood's own tests, internal/witness/witness_test.go.
SIGSUM = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY = VerifierKey(
    SIGSUM,
    bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"),
)
ONE = f"""old 0

{SIGSUM}
1
KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

— {SIGSUM} UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=
"""  # noqa: E501  a signature
THREE = f"""old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{SIGSUM}
3
RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=

— {SIGSUM} UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=
"""  # noqa: E501  a signature
FIVE = f"""old 1
KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=
KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

{SIGSUM}
5
QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=

— {SIGSUM} UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=
"""  # noqa: E501  a signature


TRUE = History([b"entry %d" % number for number in range(20)])
FORK = History([b"entry %d" % (number if number < 5 else -number) for number in range(20)])


def new_witness(store: MemoryWitnessStore | None = None) -> Witness:
    return Witness(MACAO.name, MACAO.keys, {ORIGIN: KEY}, store or MemoryWitnessStore())


def witness_at(size: int) -> Witness:
    witness = new_witness()
    assert witness.judge(TRUE.request(0, size), NOW_S).status == 200
    return witness


def test_the_example_of_the_specification_is_read_and_written_byte_for_byte() -> None:
    request = AddCheckpoint.from_bytes(EXAMPLE.encode())
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert request.to_bytes() == EXAMPLE.encode()


def test_requests_of_another_implementation_are_judged_as_it_does() -> None:
    witness = Witness(MACAO.name, MACAO.keys, {SIGSUM: SIGSUM_KEY}, MemoryWitnessStore())
    assert witness.judge(ONE.encode(), NOW_S).status == 200
    assert witness.judge(FIVE.encode(), NOW_S).status == 200
    late = witness.judge(THREE.encode(), NOW_S)
    assert (late.status, late.body) == (409, b"5\n")
    other = Witness(MACAO.name, MACAO.keys, {SIGSUM: SIGSUM_KEY}, MemoryWitnessStore())
    assert other.judge(ONE.encode(), NOW_S).status == 200
    assert other.judge(THREE.encode(), NOW_S).status == 200


@given(st.integers(0, 20), st.integers(0, 20))
def test_a_request_is_read_back(one: int, other: int) -> None:
    data = TRUE.request(min(one, other), max(one, other))
    assert AddCheckpoint.from_bytes(data).to_bytes() == data


PROOF_LINE = "KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"old 0",
        b"old 0\n",
        ONE.replace("old 0", "old 00").encode(),
        ONE.replace("old 0", "old -1").encode(),
        ONE.replace("old 0", "old  0").encode(),
        ONE.replace("old 0", "Old 0").encode(),
        ONE.replace("old 0", "old 0 ").encode(),
        ONE.replace("old 0", "old ٠").encode(),
        ONE.replace("old 0", "old 99999999999999999999").encode(),
        ONE.replace("old 0\n", "old 0").encode(),
        ONE.replace("\n", "\r\n").encode(),
        THREE.replace("AAA=\n", "AAA\n").encode(),
        THREE.replace("AAA=\n", "AAB=\n").encode(),
        THREE.replace("AAA=\n", "=\n").encode(),
        THREE.replace("KgEAAAAA", "KgEA").encode(),
        ("old 1\n" + PROOF_LINE * 64 + ONE.removeprefix("old 0\n")).encode(),
        ONE.encode() + b"\xff",
        ONE.encode("utf-16"),
        ("old 0\n\n" + "x" * MAX_REQUEST_BYTES).encode(),
    ],
)
def test_a_request_in_any_other_spelling_is_refused(data: bytes) -> None:
    witness = Witness(MACAO.name, MACAO.keys, {SIGSUM: SIGSUM_KEY}, MemoryWitnessStore())
    assert witness.judge(data, NOW_S) == Verdict(400)


def test_a_cosignature_holds_and_is_of_this_moment() -> None:
    witness = new_witness()
    verdict = witness.judge(TRUE.request(0, 7), NOW_S)
    note = add_cosignatures(TRUE.note(7), [verdict.body.decode()])
    found = Quorum.of_witnesses(KEY, MACAO.vkeys, 1).check(note)
    assert (found.size, found.at_s, verdict.alarm) == (7, NOW_S, None)
    assert len(found.by_region[MACAO.name]) == 2  # both kinds


def test_the_same_checkpoint_is_cosigned_anew() -> None:
    witness = witness_at(7)
    again = witness.judge(TRUE.request(7, 7), NOW_S + 9)
    assert again.status == 200
    note = add_cosignatures(TRUE.note(7), [again.body.decode()])
    assert Quorum.of_witnesses(KEY, MACAO.vkeys, 1).check(note).at_s == NOW_S + 9


def test_an_empty_log_is_cosigned_and_grows() -> None:
    witness = new_witness()
    empty = AddCheckpoint(0, (), sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), PRIVATE_KEY))
    for _ in range(2):
        assert witness.judge(empty.to_bytes(), NOW_S).status == 200
    assert witness.judge(TRUE.request(0, 3), NOW_S).status == 200


def test_a_proof_from_nothing_is_empty() -> None:
    request = AddCheckpoint(0, (bytes(32),), TRUE.note(3))
    assert new_witness().judge(request.to_bytes(), NOW_S) == Verdict(422, b"", ORIGIN)


def test_whoever_asks_from_another_size_is_told_the_size() -> None:
    witness = witness_at(7)
    for old in (0, 3, 6, 8):
        verdict = witness.judge(TRUE.request(old, 12), NOW_S)
        assert verdict == Verdict(409, b"7\n", ORIGIN)


def test_an_old_size_beyond_the_checkpoint_is_malformed() -> None:
    request = AddCheckpoint(9, (), TRUE.note(7))
    assert new_witness().judge(request.to_bytes(), NOW_S) == Verdict(400, b"", ORIGIN)


def test_an_unknown_log_is_unknown() -> None:
    witness = Witness(MACAO.name, MACAO.keys, {}, MemoryWitnessStore())
    assert witness.judge(TRUE.request(0, 3), NOW_S) == Verdict(404)


def test_a_log_that_is_named_later_is_cosigned_from_then_on_and_what_was_seen_is_kept() -> None:
    witness = Witness(MACAO.name, MACAO.keys, {}, MemoryWitnessStore())
    witness.know({ORIGIN: KEY})
    assert witness.judge(TRUE.request(0, 3), NOW_S).status == 200
    witness.know({})
    assert witness.judge(TRUE.request(3, 5), NOW_S).status == 404
    witness.know({ORIGIN: KEY})
    assert witness.judge(TRUE.request(0, 5), NOW_S).status == 409


def test_a_checkpoint_that_another_key_signed_is_refused() -> None:
    forged = History([b"entry %d" % number for number in range(9)], OTHER_PRIVATE_KEY)
    assert new_witness().judge(forged.request(0, 3), NOW_S) == Verdict(403, b"", ORIGIN)


def test_a_signature_line_of_the_logs_key_that_fails_is_refused() -> None:
    note = parse_note(TRUE.note(3))
    line = note.signatures[0]
    text = note.to_text().replace(line.line[-9:], "AAAAAAA=\n")
    verdict = new_witness().judge(AddCheckpoint(0, (), text).to_bytes(), NOW_S)
    assert verdict.status in {400, 403}


def test_a_fork_at_the_same_size_raises_an_alarm_with_both_checkpoints() -> None:
    witness = witness_at(7)
    verdict = witness.judge(AddCheckpoint(7, (), FORK.note(7)).to_bytes(), NOW_S)
    assert verdict == Verdict(
        409, b"7\n", ORIGIN, Alarm("log-fork", ORIGIN, TRUE.note(7), FORK.note(7))
    )
    assert witness.judge(TRUE.request(7, 9), NOW_S).status == 200  # the truth goes on


def test_a_fork_at_an_earlier_size_raises_an_alarm_with_both_checkpoints() -> None:
    witness = witness_at(7)
    assert witness.judge(TRUE.request(7, 12), NOW_S).status == 200
    for old in (0, 7, 12):
        verdict = witness.judge(AddCheckpoint(old, (), FORK.note(7)).to_bytes(), NOW_S)
        assert verdict.status == (400 if old == 12 else 409)
        assert verdict.alarm == Alarm("log-fork", ORIGIN, TRUE.note(7), FORK.note(7))


def test_the_notes_of_an_alarm_prove_a_fork_to_anybody() -> None:
    witness = witness_at(7)
    shown = add_cosignatures(FORK.note(7), GUANGZHOU.lines(FORK.checkpoint(7)))
    alarm = witness.judge(AddCheckpoint(7, (), shown).to_bytes(), NOW_S).alarm
    assert alarm is not None
    seen, told = verify_checkpoint(alarm.seen, KEY), verify_checkpoint(alarm.shown, KEY)
    assert (seen.size, seen.root != told.root) == (told.size, True)
    assert len(parse_note(alarm.shown).signatures) == 1  # what the log said, and no more


def test_a_log_that_was_rolled_back_raises_an_alarm() -> None:
    witness = witness_at(12)
    for old in (0, 9, 12):
        verdict = witness.judge(AddCheckpoint(old, (), FORK.note(9)).to_bytes(), NOW_S)
        assert verdict.status == (400 if old == 12 else 409)
        assert verdict.alarm == Alarm("log-rollback", ORIGIN, TRUE.note(12), FORK.note(9))


def test_an_old_checkpoint_replayed_is_refused_without_alarm() -> None:
    witness = witness_at(7)
    assert witness.judge(TRUE.request(7, 12), NOW_S).status == 200
    assert witness.judge(TRUE.request(0, 7), NOW_S) == Verdict(409, b"12\n", ORIGIN)


def test_a_log_without_a_proof_raises_an_alarm_and_gets_nothing() -> None:
    witness = witness_at(7)
    honest = prove_consistency(TRUE.tree, 7, 12)
    for proof in ((), honest[:-1], (*honest, bytes(32)), tuple(reversed(honest))):
        verdict = witness.judge(AddCheckpoint(7, proof, TRUE.note(12)).to_bytes(), NOW_S)
        assert verdict == Verdict(
            422, b"", ORIGIN, Alarm("log-inconsistent", ORIGIN, TRUE.note(7), TRUE.note(12))
        )
    rewritten = witness.judge(FORK.request(7, 12), NOW_S)
    assert rewritten.status == 422
    assert rewritten.alarm == Alarm("log-inconsistent", ORIGIN, TRUE.note(7), FORK.note(12))


def test_nothing_is_signed_unless_it_was_remembered() -> None:
    class Forgetful(MemoryWitnessStore):
        def advance(self, origin: str, old: Seen | None, new: Seen) -> bool:
            return False

    verdict = new_witness(Forgetful()).judge(TRUE.request(0, 7), NOW_S)
    assert verdict == Verdict(409, b"0\n", ORIGIN)


def test_of_two_requests_at_once_the_later_does_not_roll_the_earlier_back() -> None:
    # The race that tlog-witness warns of: both are checked, then both are stored.
    class Raced(MemoryWitnessStore):
        def advance(self, origin: str, old: Seen | None, new: Seen) -> bool:
            if new.size == 9:
                request = TRUE.request(7, 12)
                assert Witness(MACAO.name, MACAO.keys, {ORIGIN: KEY}, self).judge(
                    request, NOW_S
                ).status == 200  # fmt: skip
            return super().advance(origin, old, new)

    store = Raced()
    witness = new_witness(store)
    assert witness.judge(TRUE.request(0, 7), NOW_S).status == 200
    assert witness.judge(TRUE.request(7, 9), NOW_S) == Verdict(409, b"12\n", ORIGIN)
    seen = store.seen(ORIGIN)
    assert seen is not None
    assert seen.size == 12


@given(st.lists(st.integers(0, 20), min_size=1, max_size=10))
def test_an_honest_log_is_always_cosigned_and_never_accused(sizes: list[int]) -> None:
    witness = new_witness()
    known = 0
    for size in sorted(sizes):
        verdict = witness.judge(TRUE.request(known, size), NOW_S)
        assert (verdict.status, verdict.alarm) == (200, None)
        known = size
