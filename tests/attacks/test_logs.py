"""What a log's owner, with its own key and machine, may try against its own history.

Each attack is made as well as the owner can make it, all hashes and signatures anew; what
stops it is what others hold: a checkpoint seen before, or witnesses that saw it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.audit.checkpoints import verify_checkpoint
from dataspace.audit.cosignatures import add_cosignatures
from dataspace.audit.merkle import leaf_hash, prove_consistency
from dataspace.audit.notes import parse_note
from dataspace.audit.proofs import make_proof, verify_proof
from dataspace.audit.quorum import Quorum
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.verify import verify_log
from dataspace.audit.witness import AddCheckpoint, Verdict, Witness
from dataspace.audit.witness_store import MemoryWitnessStore
from dataspace.errors import Unverified
from tests.unit.audit.cosigners import MACAO, NOW_S, WITNESSES, RegionWitness, rule
from tests.unit.audit.foreign import write_foreign
from tests.unit.audit.histories import History
from tests.unit.audit.samples import KEY, ORIGIN, entry

TRUTH = [entry(number) for number in range(300)]
CHANGED_AT = 120
LIE = [*TRUTH[:CHANGED_AT], entry(999), *TRUTH[CHANGED_AT + 1 :]]


class Space:
    """The three regions' witnesses, each with its own memory, and what they tell an owner."""

    def __init__(self, owner: str) -> None:
        self.rule = rule(owner)
        self.witnesses = {
            region: Witness(each.name, each.keys, {ORIGIN: KEY}, MemoryWitnessStore())
            for region, each in WITNESSES.items()
            if region != owner
        }

    def ask(self, history: History, old: int, size: int, *regions: str) -> dict[str, Verdict]:
        """Have witnesses cosign: all of them, or those named."""
        request = history.request(old, size)
        asked = regions or tuple(self.witnesses)
        return {region: self.witnesses[region].judge(request, NOW_S) for region in asked}

    def note(self, history: History, size: int, verdicts: dict[str, Verdict]) -> str:
        """The checkpoint with all the cosignatures that were given."""
        lines = [each.body.decode() for each in verdicts.values() if each.status == 200]
        return add_cosignatures(history.note(size), lines)


def rewritten(directory: Path, entries: list[bytes]) -> DirectoryReader:
    """A log written anew, sound in itself."""
    write_foreign(directory, entries)
    verify_log(DirectoryReader(directory), KEY)
    return DirectoryReader(directory)


def test_truncating_the_tail_is_found_by_whoever_saw_it(tmp_path: Path) -> None:
    seen = verify_checkpoint(write_foreign(tmp_path / "log", TRUTH), KEY)
    with pytest.raises(Unverified) as caught:
        verify_log(rewritten(tmp_path / "cut", TRUTH[:-1]), KEY, seen=seen)
    assert caught.value.code == "log-truncated"


def test_truncating_the_tail_alarms_the_witnesses_once_it_grows_again() -> None:
    space = Space("hongkong")
    assert space.ask(History(TRUTH), 0, 300)["macao"].status == 200
    cut = History([*TRUTH[:200], entry(7777)])
    for verdict in space.ask(cut, 200, 201).values():
        assert (verdict.status, verdict.alarm and verdict.alarm.rule) == (409, "log-rollback")


def test_an_entry_edited_with_every_hash_anew_is_found_by_whoever_saw_a_checkpoint(
    tmp_path: Path,
) -> None:
    for size in (CHANGED_AT + 1, 256, 300):
        seen = verify_checkpoint(write_foreign(tmp_path / str(size), TRUTH[:size]), KEY)
        with pytest.raises(Unverified) as caught:
            verify_log(rewritten(tmp_path / "lie", LIE), KEY, seen=seen)
        assert caught.value.code == "log-rewritten"


@pytest.mark.parametrize("owner", ["hongkong", "broker"])
def test_an_edited_entry_never_gets_a_quorum_and_is_told_on(owner: str) -> None:
    space, truth, lie = Space(owner), History(TRUTH), History(LIE)
    cosigned = space.note(truth, 250, space.ask(truth, 0, 250))
    assert space.rule.check(cosigned).size == 250
    for verdicts in (
        space.ask(lie, 250, 250),
        space.ask(lie, 0, 250),
        space.ask(lie, 250, 300),
        space.ask(lie, 200, 300),
    ):
        assert all(each.status != 200 for each in verdicts.values())
    told = {each.alarm.rule for each in space.ask(lie, 250, 250).values() if each.alarm}
    assert told == {"log-fork"}
    with pytest.raises(Unverified):
        space.rule.check(space.note(lie, 250, space.ask(lie, 250, 250)))


def test_the_old_cosignatures_do_not_fit_the_edited_log() -> None:
    space, truth, lie = Space("hongkong"), History(TRUTH), History(LIE)
    note = parse_note(space.note(truth, 250, space.ask(truth, 0, 250)))
    own = parse_note(lie.note(250))
    moved = replace(own, signatures=(*own.signatures, *note.signatures[1:]))
    with pytest.raises(Unverified, match="does not hold"):
        space.rule.check(moved.to_text())


@pytest.mark.parametrize("owner", ["hongkong", "broker"])
def test_two_views_of_one_log_do_not_both_get_a_quorum(owner: str) -> None:
    # Whoever is shown which view first: of honest witnesses, too few are left for the other.
    regions = tuple(Space(owner).witnesses)
    for count in range(len(regions) + 1):
        for first in combinations(regions, count):
            space, views = Space(owner), (History(TRUTH), History(LIE))
            rest = tuple(each for each in regions if each not in first)
            answers: tuple[dict[str, Verdict], dict[str, Verdict]] = ({}, {})
            for view, to in ((0, first), (1, rest), (1, first), (0, rest)):
                if to:
                    answers[view].update(space.ask(views[view], 0, 300, *to))
            held = []
            for view in (0, 1):
                try:
                    space.rule.check(space.note(views[view], 300, answers[view]))
                except Unverified:
                    continue
                held.append(view)
            assert len(held) <= 1


def test_the_broker_with_one_witness_can_show_two_views_that_prove_it() -> None:
    # The limit of two of three, as the threat model says it: nothing stops this, but both
    # checkpoints bear the broker's signature, and side by side they are the proof.
    space, views = Space("broker"), (History(TRUTH), History(LIE))
    notes = []
    for view, honest in zip(views, ("guangzhou", "hongkong"), strict=True):
        signed = space.note(view, 300, space.ask(view, 0, 300, honest))
        notes.append(add_cosignatures(signed, MACAO.lines(view.checkpoint(300))))
    one, other = (space.rule.check(note).checkpoint for note in notes)
    assert (one.size, one.root != other.root) == (other.size, True)
    for region, note in (("guangzhou", notes[1]), ("hongkong", notes[0])):
        verdict = space.witnesses[region].judge(AddCheckpoint(300, (), note).to_bytes(), NOW_S)
        assert verdict.alarm is not None
        assert verdict.alarm.rule == "log-fork"


def test_a_node_with_one_witness_can_not() -> None:
    space, views = Space("hongkong"), (History(TRUTH), History(LIE))
    held = []
    for view, asked in zip(views, (("guangzhou",), ()), strict=True):
        verdicts = space.ask(view, 0, 300, *asked) if asked else {}
        note = space.note(view, 300, verdicts)
        note = add_cosignatures(note, MACAO.lines(view.checkpoint(300)))
        try:
            held.append(space.rule.check(note))
        except Unverified:
            continue
    assert len(held) == 1


def test_an_old_checkpoint_shown_again_is_found_by_whoever_saw_a_later(tmp_path: Path) -> None:
    later = verify_checkpoint(write_foreign(tmp_path / "log", TRUTH), KEY)
    old = rewritten(tmp_path / "old", TRUTH[:100])
    assert verify_log(old, KEY).size == 100  # true, and stale
    with pytest.raises(Unverified) as caught:
        verify_log(old, KEY, seen=later)
    assert caught.value.code == "log-truncated"


def test_an_old_checkpoint_sent_to_a_witness_again_is_not_cosigned_again() -> None:
    space, truth = Space("hongkong"), History(TRUTH)
    space.ask(truth, 0, 100)
    space.ask(truth, 100, 300)
    for old in (0, 100):
        for verdict in space.ask(truth, old, 100).values():
            assert verdict == Verdict(409, b"300\n", ORIGIN)


def test_an_index_used_twice_has_one_entry_under_a_quorum() -> None:
    # The owner gives two askers a proof of different entries at one index.
    space, truth, lie = Space("hongkong"), History(TRUTH), History(LIE)
    size = CHANGED_AT + 1
    first = space.note(truth, size, space.ask(truth, 0, size))
    second = space.note(lie, size, space.ask(lie, 0, size))
    honest = make_proof(truth.tree, CHANGED_AT, first)
    forged = make_proof(lie.tree, CHANGED_AT, second)
    assert verify_proof(forged, leaf_hash(LIE[CHANGED_AT]), KEY).size == size  # the owner's word
    assert space.rule.check(honest.note_text).size == size
    with pytest.raises(Unverified) as caught:
        space.rule.check(forged.note_text)
    assert caught.value.code == "not-cosigned"
    with pytest.raises(Unverified):
        verify_proof(replace(forged, note_text=first), leaf_hash(LIE[CHANGED_AT]), KEY)


def test_an_owner_cannot_cosign_its_own_log() -> None:
    truth = History(TRUTH)
    for owner in WITNESSES:
        lines = WITNESSES[owner].lines(truth.checkpoint(300))
        one = next(each for name, each in WITNESSES.items() if name != owner)
        note = add_cosignatures(truth.note(300), [*lines, *one.lines(truth.checkpoint(300))])
        with pytest.raises(Unverified) as caught:
            rule(owner).check(note)
        assert caught.value.code == "not-cosigned"


def test_an_owner_cannot_pass_for_another_regions_witness() -> None:
    truth, own = History(TRUTH), WITNESSES["hongkong"]
    checkpoint = truth.checkpoint(300)
    posing = RegionWitness(MACAO.name, own.keys)
    note = add_cosignatures(
        truth.note(300), [*WITNESSES["guangzhou"].lines(checkpoint), *posing.lines(checkpoint)]
    )
    with pytest.raises(Unverified):
        rule("hongkong").check(note)
    # Nor by another region's name and key id over a signature of its own.
    stolen = parse_note(add_cosignatures(truth.note(300), own.lines(checkpoint)))
    for key, line in zip(MACAO.vkeys, stolen.signatures[1:], strict=True):
        posed = replace(line, name=key.name, keyid=key.keyid)
        with pytest.raises(Unverified, match="does not hold"):
            rule("hongkong").check(
                replace(stolen, signatures=(stolen.signatures[0], posed)).to_text()
            )


def test_a_list_in_which_one_key_speaks_for_two_regions_is_no_rule() -> None:
    twice = {"guangzhou": MACAO.vkeys[:1], "macao": MACAO.vkeys}
    with pytest.raises(Unverified, match="speaks for"):
        Quorum(KEY, "hongkong", twice)


HISTORIES = [
    History([b"entry %d" % (number if number < cut else -number) for number in range(12)])
    for cut in (12, 1, 4, 8)
]
MOVES = st.tuples(
    st.integers(0, 3),  # whose checkpoint
    st.integers(0, 12),  # of which size
    st.integers(0, 3),  # whose proof
    st.integers(0, 12),  # from which size
    st.integers(0, 12),  # to which size
    st.integers(-1, 12),  # the old size that is told; -1: what the witness has seen
)


@settings(max_examples=300)
@given(st.lists(MOVES, min_size=1, max_size=25))
def test_whatever_a_malicious_log_does_what_is_cosigned_is_one_history(
    moves: list[tuple[int, int, int, int, int, int]],
) -> None:
    store = MemoryWitnessStore()
    witness = Witness(MACAO.name, MACAO.keys, {ORIGIN: KEY}, store)
    signed: list[tuple[History, int]] = []
    for whose, size, prover, start, end, old in moves:
        seen = store.seen(ORIGIN)
        told = old if old >= 0 else (seen.size if seen else 0)
        low, high = sorted((told if old < 0 else start, end))
        proof = prove_consistency(HISTORIES[prover].tree, low, high)
        request = AddCheckpoint(told, proof, HISTORIES[whose].note(size))
        verdict = witness.judge(request.to_bytes(), NOW_S)
        if verdict.status == 200:
            signed.append((HISTORIES[whose], size))
    sizes = [size for _, size in signed]
    assert sizes == sorted(sizes)
    for (one, less), (other, more) in combinations(signed, 2):
        assert one.leaves[:less] == other.leaves[:more][:less]
