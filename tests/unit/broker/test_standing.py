"""A new list goes to every stream, and ends the streams and calls that it hits."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broker.signers import AttachedSigner
from broker.standing import Standing
from broker.witnesses import AttachedWitness
from dataspace.cli.founding import found_space
from dataspace.errors import Refused
from dataspace.home import PartyHome
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from tests.revocations import fresh_lists


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("standing") / "space"
    found_space(home)
    return home


class Holder:
    """Somebody who stands until it does not."""

    def __init__(self) -> None:
        self.rule = ""

    def check(self) -> None:
        if self.rule:
            raise Refused("no", code=self.rule, rule=self.rule, basis="b")


def standing_of(home: Path) -> Standing:
    standing = Standing(InForce(PartyHome(home / "broker")))
    standing.in_force.watch(standing.look_again)
    return standing


def test_a_list_reaches_every_stream_and_closes_those_it_hits(home: Path) -> None:
    async def run() -> None:
        standing, good, bad = standing_of(home), Holder(), Holder()
        signer, witness = AttachedSigner("macao"), AttachedWitness("w", "hongkong")
        with standing.stream(signer, good.check), standing.stream(witness, bad.check):
            bad.rule = "identity-revoked"
            standing.in_force.take(fresh_lists(home, now_ms()))
            assert len(signer.outgoing.get_nowait().revocations.lists) == 3
            assert len(witness.outgoing.get_nowait().revocations.lists) == 3
            assert (signer.ended.is_set(), witness.ended.is_set()) == (False, True)
        standing.look_again()
        assert signer.outgoing.empty()

    asyncio.run(run())


def test_a_call_ends_with_the_rule_that_it_breaks_and_others_go_on(home: Path) -> None:
    async def run() -> None:
        standing, good, bad = standing_of(home), Holder(), Holder()
        over = asyncio.Event()

        async def call(holder: Holder) -> str:
            with standing.call(holder.check):
                await over.wait()
            return "answered"

        tasks = [asyncio.create_task(call(each)) for each in (good, bad)]
        await asyncio.sleep(0)
        bad.rule = "identity-revoked"
        standing.look_again()
        with pytest.raises(Refused) as caught:
            await tasks[1]
        assert caught.value.rule == "identity-revoked"
        over.set()
        assert await tasks[0] == "answered"

    asyncio.run(run())


def test_a_caller_who_goes_away_is_cancelled_and_not_refused(home: Path) -> None:
    async def run() -> None:
        standing = standing_of(home)

        async def call() -> None:
            with standing.call(Holder().check):
                await asyncio.sleep(60)

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_that_no_list_is_current_closes_no_stream(home: Path) -> None:
    async def run() -> None:
        standing, holder, stream = standing_of(home), Holder(), AttachedSigner("macao")
        with standing.stream(stream, holder.check):
            holder.rule = "revocation-stale"
            standing.look_again()
            assert not stream.ended.is_set()

    asyncio.run(run())


def test_a_stream_that_does_not_stand_by_the_time_it_is_kept_is_refused(home: Path) -> None:
    async def run() -> None:
        standing, holder, stream = standing_of(home), Holder(), AttachedSigner("macao")
        holder.rule = "identity-revoked"
        with pytest.raises(Refused), standing.stream(stream, holder.check):
            pytest.fail("it was kept")
        standing.look_again()
        assert stream.outgoing.empty()

    asyncio.run(run())
