"""The node's one stream to the broker: dialled out, kept, and dialled again. Rim.

Everything that arrives is a signed envelope that the gatekeeper opens for itself; the
stream is trusted with delivery alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import grpc
import structlog

from dataspace.errors import DataspaceError, Unavailable
from dataspace.evidence.answers import status_of
from dataspace.home import PartyConfig, PartyHome
from dataspace.identity.envelopes import check_signer
from dataspace.in_force import InForce, lost_standing
from dataspace.observing.calls import Calls, uncounted
from dataspace.observing.clock import ClockWatch
from dataspace.v1 import broker_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.dialling import HANDSHAKE_SECONDS, Dialler, Stream
from node.gatekeeper import Cancellation, Gatekeeper, now_ms
from node.handing import Handing
from node.linking.rounds import Rounds
from node.outbox import Outbox
from node.witnessing import Witnessing

_MOST_HELD = 8  # frames of what others hold, not taken in yet

_LOG = structlog.get_logger("node.attachment")

_BESIDE = 12  # calls that a node works on beside those whose query runs


@dataclass
class Bench:
    """The threads and places that a node's calls share, whichever broker they come through."""

    workers: ThreadPoolExecutor
    most: int
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def of(cls, config: PartyConfig) -> Bench:
        """As many as the configuration says."""
        # More than queries that run at once: those that are verified, decided and recorded
        # meanwhile share the log's flushes.
        count = config.running_queries + _BESIDE
        workers = ThreadPoolExecutor(count, thread_name_prefix="gate")
        return cls(workers, config.running_queries + config.waiting_queries)


@dataclass
class Attachment:
    """Keeps the node attached to the broker at `address`. `on_change(attached, reason)` hears of
    every change."""

    home: PartyHome
    address: str
    bench: Bench
    gatekeeper: Gatekeeper
    in_force: InForce
    witnessing: Witnessing
    handing: Handing
    on_change: Callable[[bool, str], None]
    # By payload type, for what is no query; whatever is not here is the gatekeeper's to answer
    # or to refuse.
    handlers: Mapping[str, Callable[[Envelope], query_pb2.NodeAnswer]] = field(default_factory=dict)
    take: Callable[[broker_pb2.Welcome], None] = lambda _welcome: None  # see `Dialler`
    rounds: Rounds | None = None  # where the node takes part in rounds of linkage
    calls: Calls = field(default_factory=uncounted)
    clock: ClockWatch = field(default_factory=ClockWatch)
    attached: asyncio.Event = field(default_factory=asyncio.Event)
    _outbox: Outbox | None = None
    _offers_replies: asyncio.Queue[broker_pb2.OffersReply] = field(default_factory=asyncio.Queue)
    _calls: dict[int, Cancellation] = field(default_factory=dict)
    _requests: dict[Cancellation, Envelope] = field(default_factory=dict)
    _taking: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Attach, and attach again, until cancelled."""
        gatekeeper = self.gatekeeper
        dialler = Dialler(
            self.home, gatekeeper.identity, self.in_force, self.on_change,
            take=self.take, address=self.address, clock=self.clock,
            is_idle=lambda: not self._calls and not (self.rounds and self.rounds.requests()),
        )  # fmt: skip
        await dialler.run(
            self._use, lambda: [each.offer for each in gatekeeper.catalogue.products.values()]
        )

    async def publish(self, offers: list[Envelope]) -> list[query_pb2.ErrorStatus]:
        """Offer products to the space; what it does not take comes back with a reason."""
        if self._outbox is None or not self.attached.is_set():
            raise Unavailable("the node is not attached to the broker", code="not-attached")
        while not self._offers_replies.empty():
            self._offers_replies.get_nowait()
        self._outbox.put(broker_pb2.NodeFrame(offers=broker_pb2.Offers(offers=offers)))
        try:
            reply = await asyncio.wait_for(self._offers_replies.get(), HANDSHAKE_SECONDS)
        except TimeoutError:
            raise Unavailable(
                "the broker does not say whether it takes the products; load again",
                code="publish-timeout",
            ) from None
        return list(reply.rejected)

    async def _use(self, stream: Stream, welcome: broker_pb2.Welcome) -> None:
        refused = {status.rule for status in welcome.rejected}
        for status in welcome.rejected:
            _LOG.error("offer.rejected", product=status.rule, message=status.message)
        self.gatekeeper.catalogue = self.gatekeeper.catalogue.without(refused)
        self._outbox = outbox = Outbox()
        self.attached.set()
        sender = asyncio.create_task(self._send(stream, outbox))
        mirroring = asyncio.create_task(self.witnessing.use(outbox.put, welcome.mirrored_size))
        handing = asyncio.create_task(self.handing.use(outbox.put, welcome))
        try:
            while (frame := await stream.read()) is not grpc.aio.EOF:
                self._receive(frame, outbox)
        finally:
            sender.cancel()
            mirroring.cancel()
            handing.cancel()
            self.attached.clear()
            self._outbox = None
            for cancellation in self._calls.values():
                cancellation.cancel()
            self._calls.clear()
            if self.rounds is not None:
                self.rounds.cancel_all()

    async def _send(self, stream: Stream, outbox: Outbox) -> None:
        while True:
            await stream.write(await outbox.next())

    def _receive(self, frame: broker_pb2.BrokerFrame, outbox: Outbox) -> None:
        match frame.WhichOneof("body"):
            case "ask":
                self._start(frame.call, frame.ask, outbox)
            case "round" if self.rounds is not None:
                self._receive_of_round(self.rounds, frame, outbox)
            case "cancel":
                outbox.drop(frame.call)
                if self.rounds is not None:
                    self.rounds.cancel(frame.call)
                cancellation = self._calls.get(frame.call)
                if cancellation is not None:
                    cancellation.cancel()
            case "credit":
                outbox.add_credit(frame.call, frame.credit.bytes)
            case "ping":
                outbox.put(broker_pb2.NodeFrame(pong=broker_pb2.Pong()))
            case "offers_reply":
                self._offers_replies.put_nowait(frame.offers_reply)
            case "witness_reply" | "log_mirrored":
                self.witnessing.receive(frame)
            case "revocations":
                self.in_force.receive(frame.revocations)
            case "held":
                self._take(frame.held)

    def _take(self, held: broker_pb2.Held) -> None:
        """What the broker had from others, as if it stood in the welcome."""
        # SECURITY: what a broker sends faster than it is verified comes again at the next attach.
        if len(self._taking) < _MOST_HELD:
            late = broker_pb2.Welcome(charters=held.charters, agreements=held.agreements)
            task = asyncio.create_task(asyncio.to_thread(self.take, late))
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    def _receive_of_round(
        self, rounds: Rounds, frame: broker_pb2.BrokerFrame, outbox: Outbox
    ) -> None:
        if frame.round.WhichOneof("body") == "invitation":
            rounds.start(frame.call, frame.round.invitation, outbox)
        else:
            rounds.receive(frame.call, frame.round)

    def stop_revoked(self) -> None:
        """End the calls that run for somebody who has lost its standing since they began."""
        trust, at = self.in_force.trust(), datetime.fromtimestamp(now_ms() / 1000, UTC)
        for cancellation, request in list(self._requests.items()):
            error = lost_standing(partial(check_signer, request, trust, at))
            if error is not None:
                cancellation.cancel(error)
        rounds = {} if self.rounds is None else self.rounds.requests()
        for call, request in rounds.items():
            error = lost_standing(partial(check_signer, request, trust, at))
            if error is not None and self.rounds is not None:
                self.rounds.cancel(call, error)

    def _start(self, call: int, ask: broker_pb2.Ask, outbox: Outbox) -> None:
        cancellation = Cancellation(ask.deadline_ms / 1000 if ask.deadline_ms > 0 else None)
        self._calls[call] = cancellation
        self._requests[cancellation] = ask.request
        outbox.open_call(call, ask.credit)
        task = asyncio.create_task(self._answer(call, ask, outbox, cancellation))
        self.bench.tasks.add(task)
        task.add_done_callback(self.bench.tasks.discard)

    async def _answer(
        self, call: int, ask: broker_pb2.Ask, outbox: Outbox, cancellation: Cancellation
    ) -> None:
        loop = asyncio.get_running_loop()
        handler = self.handlers.get(ask.request.payload_type)
        counted = self.calls.begin("query" if handler is None else "desk", ask.request.payload)

        def report(stage: str, fraction: float) -> None:
            counted.stage(stage)
            progress = query_pb2.Progress(
                region=self.gatekeeper.region, stage=stage, fraction=fraction
            )
            frame = broker_pb2.NodeFrame(call=call, progress=progress)
            loop.call_soon_threadsafe(outbox.put, frame)

        try:
            # Those that were cancelled count until they have ended.
            if len(self.bench.tasks) > self.bench.most:
                raise Unavailable("this node is busy; retry after 2 s", code="busy")
            if handler is not None:
                answer = await loop.run_in_executor(self.bench.workers, handler, ask.request)
                counted.outcome = "answered"
            else:
                answer = await loop.run_in_executor(
                    self.bench.workers, self.gatekeeper.answer, ask.request, report, cancellation
                )
            outbox.put_answer(call, answer.SerializeToString())
        except DataspaceError as error:
            # Not recorded, so not released and not signed: only the reason goes out.
            _LOG.error("gate.unrecorded", code=error.code)
            outbox.fail(call, status_of(error))
        except Exception as error:
            # SECURITY: the text of an unexpected error may hold anything.
            _LOG.error("gate.internal", kind=type(error).__name__)
            failure = Unavailable("the node failed inside", code="internal")
            outbox.fail(call, status_of(failure))
        finally:
            counted.end()
            self._requests.pop(cancellation, None)
            # A call of another stream may bear this number by now.
            if self._calls.get(call) is cancellation:
                del self._calls[call]
