"""Who stands now: a new list goes out to every stream, and ends the streams and calls it hits. Rim.

What was verified when a stream or call began is looked at again on every change of what is in
force; what passed then and would not pass now is over. For one event loop.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from broker.attached import AttachedNode
from broker.signers import AttachedSigner
from broker.witnesses import AttachedWitness
from dataspace.errors import Refused
from dataspace.in_force import InForce, lost_standing
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2

_LOG = structlog.get_logger("broker.standing")

Stream = AttachedNode | AttachedWitness | AttachedSigner
Check = Callable[[], object]
End = Callable[[Refused], None]

AWAIT_SECONDS = 5.0  # for lists, when a party attaches before any signer has
_LOOK_SECONDS = 0.05


class Standing:
    """The streams and calls that are open, each with what it has to pass again."""

    def __init__(self, in_force: InForce) -> None:
        self.in_force = in_force
        self._held: dict[int, tuple[Check, End]] = {}
        self._streams: set[Stream] = set()
        self._numbers = itertools.count()

    @contextmanager
    def stream(self, stream: Stream, check: Check) -> Iterator[None]:
        """Keep a stream told of new lists; it is closed once `check` refuses it.

        Raises that `Refused` where it does so by now: a handshake takes a while.
        """

        def end(error: Refused) -> None:
            _LOG.warning("stream.ended", region=stream.region, rule=error.rule)
            stream.close()

        error = lost_standing(check)
        if error is not None:
            raise error
        self._streams.add(stream)
        try:
            with self._hold(check, end):
                yield
        finally:
            self._streams.discard(stream)

    @contextmanager
    def call(self, check: Check) -> Iterator[None]:
        """Run a call; it ends with the `Refused` of `check` once that refuses it."""
        task = asyncio.current_task()
        ended: list[Refused] = []

        def end(error: Refused) -> None:
            if task is not None and not ended:
                ended.append(error)
                task.cancel()

        with self._hold(check, end):
            try:
                yield
            except asyncio.CancelledError:
                if not ended or task is None:
                    raise
                task.uncancel()
        if ended:
            _LOG.warning("call.ended", rule=ended[0].rule)
            raise ended[0]

    def take(self, signer: AttachedSigner, frame: broker_pb2.NodeFrame) -> None:
        """A signer's new list; every stream is told of what is accepted."""
        if frame.WhichOneof("body") == "revocation_list":
            problems = self.in_force.take([frame.revocation_list])
            if problems:
                _LOG.error("revocations.refused", region=signer.region, code=problems[0].code)

    def look_again(self) -> None:
        """Hand the lists in force to every stream, and end what does not stand any more."""
        # First handed on: whoever is put out learns at least why.
        frame = broker_pb2.BrokerFrame(revocations=self.in_force.handed_on())
        for stream in list(self._streams):
            if stream.outgoing.full():
                stream.close()
            else:
                stream.outgoing.put_nowait(frame)
        for check, end in list(self._held.values()):
            error = lost_standing(check)
            if error is not None:
                end(error)

    def signers(self) -> set[str]:
        """Regions whose revocation signer is there."""
        return {each.region for each in self._streams if isinstance(each, AttachedSigner)}

    def close(self) -> None:
        """The broker stops: every stream ends."""
        for stream in list(self._streams):
            stream.close()

    async def await_lists(self, regions: set[str]) -> None:
        """Wait a little until there are current lists of `regions`, where any are needed."""
        until = asyncio.get_running_loop().time() + AWAIT_SECONDS
        while not self._has_lists(regions) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(_LOOK_SECONDS)

    def _has_lists(self, regions: set[str]) -> bool:
        trust = self.in_force.trust()
        lists = trust.revocations.lists
        return not trust.revocation_signers or all(
            region in lists and lists[region].is_current(now_ms()) for region in regions
        )

    @contextmanager
    def _hold(self, check: Check, end: End) -> Iterator[None]:
        number = next(self._numbers)
        self._held[number] = (check, end)
        try:
            yield
        finally:
            del self._held[number]
