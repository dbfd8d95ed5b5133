"""The rounds that a node takes part in now, by the calls of its stream. For one event loop. Rim.

A round that is over, however it ended, leaves nothing here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from dataspace.errors import DataspaceError, Unavailable
from dataspace.evidence.answers import status_of
from dataspace.observing.calls import Call, Calls, uncounted
from dataspace.v1 import broker_pb2, linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.blinding import BlindingPool
from node.gatekeeper import Cancellation
from node.linking.part import Part
from node.linking.session import RoundSession
from node.outbox import Outbox

_LOG = structlog.get_logger("node.linking")

_MOST_ROUNDS = 2  # each may hold half a gigabyte of others' streams
_STEP = 0.05  # progress is told in steps


class Invited(Protocol):
    """An invitation in the hands of the gate. Its methods run in threads."""

    def admit(self) -> Part | query_pb2.NodeAnswer:
        """Verify, decide and record all that this node has to; its part, or its answer where
        there is no round to be held. Raises a refusal."""

    def refuse(self, error: DataspaceError) -> query_pb2.NodeAnswer:
        """The signed and recorded no."""

    def abandon(self) -> None:
        """Nobody waits for an answer any more: say so in the log, where it says more already."""


Report = Callable[[str, float], None]
Gate = Callable[[linkage_pb2.RoundInvitation, Report, Cancellation], Invited]


@dataclass
class _Round:
    request: Envelope
    cancellation: Cancellation
    task: asyncio.Task[None] | None = None
    session: RoundSession | None = None


@dataclass
class Rounds:
    """`gate` decides and records; `pool` blinds. `ending` holds the rounds that have not ended;
    who has several streams shares it among them."""

    region: str
    gate: Gate
    pool: BlindingPool
    ending: set[asyncio.Task[None]] = field(default_factory=set)
    calls: Calls = field(default_factory=uncounted)
    _rounds: dict[int, _Round] = field(default_factory=dict)

    def start(self, call: int, invitation: linkage_pb2.RoundInvitation, outbox: Outbox) -> None:
        """Take part, or say why not; what comes of it goes into `outbox`."""
        outbox.open_call(call, invitation.credit)
        seconds = invitation.deadline_ms / 1000 if invitation.deadline_ms > 0 else None
        under_way = _Round(invitation.request, Cancellation(seconds))
        busy = len(self.ending) >= _MOST_ROUNDS
        self._rounds[call] = under_way
        under_way.task = asyncio.create_task(
            self._take_part(call, under_way, invitation, outbox, busy=busy)
        )
        self.ending.add(under_way.task)
        under_way.task.add_done_callback(self.ending.discard)

    def receive(self, call: int, frame: broker_pb2.RoundFrame) -> None:
        """A message of a round; those of rounds that are over are dropped."""
        found = self._rounds.get(call)
        if found is not None and found.session is not None:
            found.session.receive(frame)

    def cancel(self, call: int, reason: DataspaceError | None = None) -> None:
        """The broker has given a round up, or its requester may ask no more."""
        found = self._rounds.get(call)
        if found is not None and found.task is not None:
            found.cancellation.cancel(reason)
            found.task.cancel()

    def cancel_all(self) -> None:
        """The stream is gone."""
        for call in list(self._rounds):
            self.cancel(call)

    def requests(self) -> dict[int, Envelope]:
        """Whose rounds run, by call."""
        return {call: each.request for call, each in self._rounds.items()}

    async def _take_part(
        self,
        call: int,
        own: _Round,
        invitation: linkage_pb2.RoundInvitation,
        outbox: Outbox,
        *,
        busy: bool,
    ) -> None:
        counted = self.calls.begin("round", invitation.request.payload)
        report = _reporter(call, self.region, outbox, counted)
        invited = self.gate(invitation, report, own.cancellation)
        try:
            try:
                if busy:
                    raise Unavailable("this node is busy; retry after 10 s", code="busy")
                async with asyncio.timeout(own.cancellation.seconds):
                    answer = await self._answer(call, own, invited, outbox, report)
            except TimeoutError:
                error = Unavailable("the round took longer than its deadline", code="query-timeout")
                answer = await asyncio.to_thread(invited.refuse, error)
            except DataspaceError as error:
                answer = await asyncio.to_thread(invited.refuse, error)
            except asyncio.CancelledError:
                reason = own.cancellation.reason
                if reason is None:
                    await asyncio.to_thread(invited.abandon)
                    raise
                answer = await asyncio.to_thread(invited.refuse, reason)
            outbox.put_answer(call, answer.SerializeToString())
        except DataspaceError as error:
            _LOG.error("round.unrecorded", code=error.code)
            outbox.fail(call, status_of(error))
        except Exception as error:
            # SECURITY: the text of an unexpected error may hold anything.
            _LOG.error("round.internal", kind=type(error).__name__)
            outbox.fail(call, status_of(Unavailable("the node failed inside", code="internal")))
        finally:
            counted.end()
            if self._rounds.get(call) is own:
                del self._rounds[call]

    async def _answer(
        self, call: int, own: _Round, invited: Invited, outbox: Outbox, report: Report
    ) -> query_pb2.NodeAnswer:
        part = await asyncio.to_thread(invited.admit)
        if isinstance(part, query_pb2.NodeAnswer):
            return part

        def send(frame: broker_pb2.RoundFrame) -> None:
            outgoing = broker_pb2.NodeFrame(call=call, round=frame)
            large = frame.WhichOneof("body") in {"hop", "blinded"}
            (outbox.put_chunk if large else outbox.put)(outgoing)

        own.session = RoundSession(part, self.pool, send, report)
        return await own.session.run()


def _reporter(call: int, region: str, outbox: Outbox, counted: Call) -> Report:
    """Tells of progress from any thread, in steps."""
    loop = asyncio.get_running_loop()
    told: dict[str, float] = {}

    def report(stage: str, fraction: float) -> None:
        counted.stage(stage)
        if stage in told and fraction < told[stage] + _STEP and fraction < 1:
            return
        told[stage] = fraction
        progress = query_pb2.Progress(region=region, stage=stage, fraction=fraction)
        frame = broker_pb2.NodeFrame(call=call, progress=progress)
        loop.call_soon_threadsafe(outbox.put, frame)

    return report
