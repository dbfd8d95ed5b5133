"""What a public copy says of a restored log: more than the log has, or another history."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dataspace.audit.checkpoints import sign_checkpoint
from dataspace.audit.cosignatures import add_cosignatures
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.recovery import recover
from dataspace.audit.witness import Witness
from dataspace.audit.witness_store import MemoryWitnessStore
from dataspace.backup.catching_up import fill_up
from dataspace.errors import Unavailable, Unverified
from dataspace.home import PartyHome
from node.restored import _Confirmation
from tests.unit.audit.histories import History
from tests.unit.audit.samples import KEY, ORIGIN, PRIVATE_KEY, entry, write_batched
from tests.unit.audit.test_lost import PublicCopy, older_and_newer
from tests.unit.node.test_restored import KEYS, QUORUM


@pytest.mark.parametrize(("mirrored", "behind"), [(4, False), (5, False), (6, True)])
def test_a_log_whose_public_copy_has_more_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirrored: int, behind: bool
) -> None:
    """Also where the broker would carry no witness's word of it."""
    write_batched(tmp_path / "log", 5)
    found = recover(tmp_path / "log", KEY)
    confirmation = _Confirmation(
        PartyHome(tmp_path), found, sign_checkpoint(found.acknowledged, PRIVATE_KEY)
    )
    rounds = 0

    async def confirmed(_ask: object) -> bool:
        nonlocal rounds
        rounds += 1
        return True

    monkeypatch.setattr(confirmation, "_round", confirmed)  # witnesses would agree

    async def run() -> None:
        confirmation._outcome = asyncio.get_running_loop().create_future()
        nobody: Any = None
        await confirmation._ask_all(nobody, mirrored, {})
        if behind:
            with pytest.raises(Unavailable) as caught:
                await confirmation._outcome
            assert caught.value.code == "log-behind"
        else:
            await confirmation._outcome

    asyncio.run(run())
    assert rounds == (0 if behind else 1)


class Cosigned(PublicCopy):
    """A copy with a cosigned checkpoint beside it."""

    note = ""

    def cosigned(self) -> str:
        return self.note


def cosigned_note(history: History, size: int) -> str:
    lines = []
    for name, key in KEYS.items():
        witness = Witness(name, [key], {ORIGIN: KEY}, MemoryWitnessStore())
        verdict = witness.judge(history.request(0, size), 1_700_000_000)
        assert verdict.status == 200
        lines.append(verdict.body.decode())
    return add_cosignatures(history.note(size), lines)


@pytest.mark.parametrize(("first", "whole"), [(0, True), (50, False)])
def test_a_cosigned_checkpoint_of_another_history_is_not_taken_from_a_copy(
    tmp_path: Path, first: int, whole: bool
) -> None:
    restored, lost = older_and_newer(tmp_path, 5, 9)
    copy = Cosigned(lost)
    copy.note = cosigned_note(History([entry(first + number) for number in range(9)]), 9)
    if whole:
        assert fill_up(restored, KEY, QUORUM, copy) == 9
        assert DirectoryReader(restored).cosigned() == copy.note
    else:
        with pytest.raises(Unverified) as caught:
            fill_up(restored, KEY, QUORUM, copy)
        assert caught.value.code == "log-fork"
        assert DirectoryReader(restored).cosigned() is None
