from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.cosignatures import add_cosignatures
from dataspace.audit.cosigning import Cosigner
from dataspace.audit.notes import parse_note, parse_vkey, verifier_key
from dataspace.audit.quorum import Quorum
from dataspace.errors import DataspaceError, Malformed, Unverified

from .cosigners import (
    GUANGZHOU,
    HONGKONG,
    MACAO,
    WITNESSES,
    RegionWitness,
    cosigned,
    rule,
)
from .samples import KEY, ORIGIN, OTHER_PRIVATE_KEY, PRIVATE_KEY, new_log

ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(ORIGIN, 7, ROOT)
OWNERS = ("broker", *WITNESSES)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("count", range(4))
def test_two_regions_other_than_the_owner_make_a_quorum(owner: str, count: int) -> None:
    for names in combinations(WITNESSES, count):
        note = cosigned(7, ROOT, *(WITNESSES[name] for name in names))
        others = set(names) - {owner}
        if len(others) >= 2:
            found = rule(owner).check(note)
            assert (found.checkpoint, set(found.by_region)) == (CHECKPOINT, others)
        else:
            with pytest.raises(Unverified) as caught:
                rule(owner).check(note)
            assert caught.value.code == "not-cosigned"


def test_a_region_counts_once_whichever_of_its_keys_signed() -> None:
    for number in (0, 1):
        one_key = replace(MACAO, keys=(MACAO.keys[number],))
        found = rule("broker").check(cosigned(7, ROOT, GUANGZHOU, one_key))
        assert set(found.by_region) == {"guangzhou", "macao"}
    with pytest.raises(Unverified, match="cosigned by guangzhou, and 2 must"):
        rule("broker").check(cosigned(7, ROOT, GUANGZHOU))


def test_a_suspended_region_does_not_count() -> None:
    note = cosigned(7, ROOT, GUANGZHOU, MACAO)
    rule("broker").check(note)
    with pytest.raises(Unverified, match="and 2 must"):
        rule("broker", without=["macao"]).check(note)


def test_a_key_of_the_wrong_region_does_not_count() -> None:
    # Macao's witness signs in its own name, while the list gives macao another key.
    impostor = RegionWitness(MACAO.name, HONGKONG.keys)
    listed = {"guangzhou": GUANGZHOU.vkeys, "macao": MACAO.vkeys}
    with pytest.raises(Unverified, match="cosigned by guangzhou, and 2 must"):
        Quorum(KEY, "hongkong", listed).check(cosigned(7, ROOT, GUANGZHOU, impostor))


def test_a_key_listed_for_two_regions_makes_no_rule() -> None:
    twice = {"guangzhou": MACAO.vkeys, "macao": MACAO.vkeys}
    with pytest.raises(Unverified, match="speaks for guangzhou and for macao"):
        Quorum(KEY, "broker", twice)


def test_the_logs_own_key_is_no_witness() -> None:
    own = RegionWitness("gba.example/witness/macao", (PRIVATE_KEY,))
    with pytest.raises(Unverified, match="speaks for the log and for macao"):
        Quorum(KEY, "broker", {"macao": own.vkeys})


def test_without_the_owners_signature_cosignatures_say_nothing() -> None:
    note = parse_note(cosigned(7, ROOT, GUANGZHOU, MACAO))
    stripped = replace(note, signatures=note.signatures[1:]).to_text()
    with pytest.raises(Unverified, match="not signed by"):
        rule().check(stripped)


def test_one_line_of_a_known_key_that_does_not_hold_spoils_the_note() -> None:
    # signed-note: a signature of a known key that fails is the mark of a malformed note.
    note = parse_note(cosigned(7, ROOT, GUANGZHOU, MACAO))
    bad = replace(note.signatures[-1], signature=note.signatures[-1].signature[:-1] + b"\xff")
    with pytest.raises(Unverified, match="does not hold"):
        rule().check(replace(note, signatures=(*note.signatures[:-1], bad)).to_text())


def test_a_cosignature_without_a_time_does_not_count() -> None:
    note = add_cosignatures(cosigned(7, ROOT, GUANGZHOU), MACAO.lines(CHECKPOINT, 0))
    with pytest.raises(Unverified, match="and 2 must"):
        rule().check(note)


@given(st.lists(st.integers(1, 2**40), min_size=3, max_size=3))
def test_the_quorum_stood_when_its_second_region_had_cosigned(times: list[int]) -> None:
    # So one witness alone can neither make a checkpoint older than it is, nor, beside two
    # others, newer.
    note = sign_checkpoint(CHECKPOINT, PRIVATE_KEY)
    for witness, at_s in zip(WITNESSES.values(), times, strict=True):
        note = add_cosignatures(
            note, replace(witness, keys=witness.keys[:1]).lines(CHECKPOINT, at_s)
        )
    assert rule("broker").check(note).at_s == sorted(times)[1]


@pytest.mark.parametrize("needed", [1, 2, 3])
def test_so_many_of_the_witnesses_given(needed: int) -> None:
    keys = [key for each in WITNESSES.values() for key in each.vkeys]
    chosen = Quorum.of_witnesses(KEY, keys, needed)
    for count in range(4):
        note = cosigned(7, ROOT, *list(WITNESSES.values())[:count])
        if count >= needed:
            assert len(chosen.check(note).by_region) == count
        else:
            with pytest.raises(Unverified, match=f"and {needed} must"):
                chosen.check(note)


def test_more_witnesses_than_are_known_cannot_be_asked_for() -> None:
    with pytest.raises(Malformed, match="keys of 1 are given"):
        Quorum.of_witnesses(KEY, GUANGZHOU.vkeys, 2)
    with pytest.raises(Unverified, match="at least one"):
        Quorum.of_witnesses(KEY, GUANGZHOU.vkeys, 0)


def test_the_public_witnesses_of_a_public_log_make_a_quorum() -> None:
    vectors = Path(__file__).parent / "vectors"
    log_key, *witnesses = map(parse_vkey, (vectors / "sigsum.vkeys").read_text().split())
    note = (vectors / "sigsum-cosigned.note").read_text()
    assert Quorum.of_witnesses(log_key, witnesses, 4).check(note).at_s == 1765558886
    stranger = verifier_key("witness.example", OTHER_PRIVATE_KEY)
    with pytest.raises(Unverified, match="and 5 must"):
        Quorum.of_witnesses(log_key, [*witnesses, stranger], 5).check(note)


ANSWERS = {
    "of-another-witness": "".join(HONGKONG.lines(CHECKPOINT)),
    "in-another-name": "".join(RegionWitness(GUANGZHOU.name, HONGKONG.keys).lines(CHECKPOINT)),
    "of-another-checkpoint": "".join(MACAO.lines(replace(CHECKPOINT, size=8))),
    "no-lines": "busy\n",
    "empty": "",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_of_an_answer_only_the_witness_own_lines_that_hold_are_taken(answer: str) -> None:
    note = sign_checkpoint(CHECKPOINT, PRIVATE_KEY)
    try:
        assert rule("broker").holding(note, MACAO.name, answer) == ()
    except Unverified:
        assert answer in {ANSWERS["no-lines"], ANSWERS["empty"]}
    good = "".join(MACAO.lines(CHECKPOINT))
    assert "".join(rule("broker").holding(note, MACAO.name, good)) == good


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_one_witness_that_answers_wrongly_does_not_keep_a_log_from_its_quorum(
    answer: str, tmp_path: Path
) -> None:
    async def run() -> None:
        async def ask(witness: str, request: bytes) -> tuple[int, bytes]:
            if witness == MACAO.name:
                return 200, answer.encode()
            await asyncio.sleep(0.02)  # the liar is first
            lines = next(each for each in WITNESSES.values() if each.name == witness)
            return 200, "".join(lines.lines(log.checkpoint)).encode()

        with new_log(tmp_path / "log", 7) as log:
            refused: list[str] = []
            broker = rule("broker")
            cosigner = Cosigner(log, broker, ask, lambda name, _: refused.append(name))
            task = asyncio.create_task(cosigner.run())
            for _ in range(200):
                if cosigner.cosigned_size == 7:
                    break
                await asyncio.sleep(0.02)
            task.cancel()
            assert set(broker.check(cosigner.cosigned_text).by_region) == {"guangzhou", "hongkong"}
            assert refused.count(MACAO.name) >= 1

    asyncio.run(run())


def test_an_owner_asks_the_witnesses_of_a_newer_rule_from_the_next_round_on(tmp_path: Path) -> None:
    async def run() -> None:
        asked: list[str] = []

        async def ask(witness: str, request: bytes) -> tuple[int, bytes]:
            asked.append(witness)
            lines = next(each for each in WITNESSES.values() if each.name == witness)
            return 200, "".join(lines.lines(log.checkpoint)).encode()

        with new_log(tmp_path / "log", 7) as log:
            cosigner = Cosigner(log, rule("broker", without=("macao", "guangzhou")), ask)
            task = asyncio.create_task(cosigner.run())
            await asyncio.sleep(0.1)
            assert cosigner.cosigned_size == 0
            assert set(asked) == {HONGKONG.name}
            cosigner.follow(rule("broker", without=("guangzhou",)))
            for _ in range(200):
                if cosigner.cosigned_size == 7:
                    break
                await asyncio.sleep(0.02)
            task.cancel()
            assert set(asked) == set(cosigner.cosigned_at) == {HONGKONG.name, MACAO.name}
            assert cosigner.cosigned_size == 7

    asyncio.run(run())


def test_a_checkpoint_of_another_log_of_the_same_owner_is_refused() -> None:
    other = sign_checkpoint(replace(CHECKPOINT, origin="gba.example/hongkong/other"), PRIVATE_KEY)
    with pytest.raises(DataspaceError):
        rule().check(other)
