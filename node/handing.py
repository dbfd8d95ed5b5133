"""What a node hands on to its brokers, so that each can lose all that it holds. Rim.

Agreements, charters, trust lists and revocation lists: signed by others, verified by whoever
takes them. A step or a charter that went through one broker comes to the others this way.
Sends on each stream what was not sent on it before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dataspace.evidence.agreeing import Registry
from dataspace.in_force import InForce
from dataspace.v1 import broker_pb2
from dataspace.v1.agreement_pb2 import AgreementChain
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists

LOOK_SECONDS = 1.0
_FRAME_BYTES = 1024 * 1024

Put = Callable[[broker_pb2.NodeFrame], None]


@dataclass(frozen=True)
class Handing:
    """One node's. `counts` counts what it has of agreements' steps and charters: more than
    before is news; `charters` gives every charter, in order."""

    region: str
    in_force: InForce
    agreements: Registry
    counts: Callable[[], tuple[int, ...]]
    charters: Callable[[], Sequence[Envelope]]

    async def use(self, put: Put, welcome: broker_pb2.Welcome) -> None:
        """Hand on over one stream what its broker did not show to have, until cancelled."""
        sent = {each.payload for each in (*welcome.charters, *welcome.revocations.lists)}
        sent |= {each.payload for each in welcome.revocations.trust_lists}
        sent |= {step.payload for chain in welcome.agreements for step in chain.steps}
        seen: tuple[object, ...] = ()
        while True:
            # What is cheap to look at says whether the rest has to be read.
            now = await asyncio.to_thread(self._marks)
            if now != seen:
                seen = now
                for held in await asyncio.to_thread(lambda: list(self._fresh(sent))):
                    put(broker_pb2.NodeFrame(held=held))
            await asyncio.sleep(LOOK_SECONDS)

    def _marks(self) -> tuple[object, ...]:
        trust = self.in_force.trust()
        numbers = sorted((name, each.number) for name, each in trust.revocations.lists.items())
        return self.counts(), trust.version, numbers

    def _fresh(self, sent: set[bytes]) -> Iterator[broker_pb2.Held]:
        """What is new, in the order that it takes to verify it."""
        handed = self.in_force.handed_on()
        lists = list(_new(handed.lists, sent))
        trust_lists = list(_new(handed.trust_lists, sent))
        if lists or trust_lists:
            yield broker_pb2.Held(revocations=RevocationLists(lists=lists, trust_lists=trust_lists))
        for charters in _by_size(list(_new(self.charters(), sent))):
            yield broker_pb2.Held(charters=charters)
        held = self.agreements.of_region(self.region)
        for chains in _by_size([each for each in held if list(_new(each.steps, sent))]):
            yield broker_pb2.Held(agreements=chains)


M = TypeVar("M", Envelope, AgreementChain)


def _by_size(messages: Sequence[M]) -> Iterator[list[M]]:
    """In order, as many to a frame as a broker takes; at least one."""
    frame: list[M] = []
    size = 0
    for each in messages:
        size += each.ByteSize()
        if frame and size > _FRAME_BYTES:
            yield frame
            frame, size = [], each.ByteSize()
        frame.append(each)
    if frame:
        yield frame


def _new(envelopes: Iterable[Envelope], sent: set[bytes]) -> Iterator[Envelope]:
    for each in envelopes:
        # The payload names its version or number: what was sent once is not sent again.
        if each.payload not in sent:
            sent.add(each.payload)
            yield each
