"""A restored log is confirmed by witnesses that speak now, and by nothing that a broker keeps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import sign_checkpoint
from dataspace.audit.cosignatures import add_cosignatures, cosigning_vkey
from dataspace.audit.quorum import Quorum
from dataspace.audit.recovery import recover
from dataspace.audit.witness import AddCheckpoint, Alarm, Witness
from dataspace.audit.witness_store import MemoryWitnessStore
from dataspace.errors import Unavailable
from dataspace.home import PartyHome
from dataspace.v1 import broker_pb2
from node.restored import _Confirmation
from tests.unit.audit.histories import History
from tests.unit.audit.samples import KEY, ORIGIN, PRIVATE_KEY, entry, reopen, write_batched

NAMES = ("w/guangzhou", "w/macao")
KEYS = {
    name: Ed25519PrivateKey.from_private_bytes(bytes([at]) * 32) for at, name in enumerate(NAMES, 1)
}
QUORUM = Quorum(
    KEY,
    "hongkong",
    {name[2:]: (cosigning_vkey(name, key),) for name, key in KEYS.items()},
)


@dataclass
class World:
    """A restored log of five entries, its witnesses, and the broker between them."""

    folder: Path
    clock: Callable[[], float] = time.time
    absent: set[str] = field(default_factory=set)
    alarms: list[Alarm] = field(default_factory=list)

    def __post_init__(self) -> None:
        write_batched(self.folder / "log", 5)
        self.history = History([entry(number) for number in range(9)])
        self.witnesses = {
            name: Witness(name, [key], {ORIGIN: KEY}, MemoryWitnessStore())
            for name, key in KEYS.items()
        }

    def judge(self, name: str, request: bytes) -> tuple[int, bytes]:
        verdict = self.witnesses[name].judge(request, int(self.clock()))
        if verdict.alarm is not None:
            self.alarms.append(verdict.alarm)
        return verdict.status, verdict.body

    def show(self, *sizes: int) -> None:
        """Have all witnesses see the log grow; what they cosigned last is kept beside it."""
        old = 0
        for size in sizes:
            lines = []
            for name in NAMES:
                status, body = self.judge(name, self.history.request(old, size))
                assert status == 200
                lines.append(body.decode())
            old = size
            if size <= 5:
                note = add_cosignatures(self.history.note(size), lines)
                with reopen(self.folder / "log") as log:
                    log.attach_cosignatures(note)

    def confirm(self) -> bool:
        """One round of asking."""
        found = recover(self.folder / "log", KEY)
        note = sign_checkpoint(found.acknowledged, PRIVATE_KEY)
        confirmation = _Confirmation(PartyHome(self.folder), found, note)
        confirmation._quorum = QUORUM
        return asyncio.run(confirmation._round(self.ask))

    async def ask(self, name: str, request: AddCheckpoint) -> broker_pb2.WitnessReply:
        if name in self.absent:
            return broker_pb2.WitnessReply(status=503)
        status, body = self.judge(name, request.to_bytes())
        return broker_pb2.WitnessReply(status=status, body=body)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("seen", [(), (3,), (2, 5), (5,)])
def test_a_log_that_is_not_behind_is_confirmed_and_nobody_is_alarmed(
    world: World, seen: tuple[int, ...]
) -> None:
    world.show(*seen)
    assert world.confirm()
    assert world.confirm()  # as often as it is asked
    assert world.alarms == []


@pytest.mark.parametrize("seen", [(5, 6), (3, 9)])
def test_a_log_that_witnesses_have_seen_grow_is_behind_and_nobody_is_alarmed(
    world: World, seen: tuple[int, ...]
) -> None:
    world.show(*seen)
    with pytest.raises(Unavailable) as caught:
        world.confirm()
    assert caught.value.code == "log-behind"
    assert "--catch-up" in caught.value.message
    assert world.alarms == []  # it went on as it should, and is asked about as it was


def test_one_witness_alone_confirms_nothing(world: World) -> None:
    world.show(5)
    world.absent = {NAMES[0]}
    assert not world.confirm()


def test_cosignatures_of_before_the_disk_was_lost_confirm_nothing(world: World) -> None:
    # SECURITY: a broker that keeps answers could hand them over again, and hide that more was seen.
    world.show(5)
    world.clock = lambda: time.time() - 60
    assert not world.confirm()


def test_what_no_witness_signed_confirms_nothing(world: World) -> None:
    world.show(5)
    honest = world.judge
    other = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
    liar = Witness(NAMES[0], [other], {ORIGIN: KEY}, MemoryWitnessStore())

    def judge(name: str, request: bytes) -> tuple[int, bytes]:
        status, body = honest(name, request)
        if name == NAMES[0] and status == 200:
            body = liar.judge(world.history.request(0, 5), int(time.time())).body
        return status, body

    world.judge = judge  # type: ignore[method-assign]
    assert not world.confirm()
