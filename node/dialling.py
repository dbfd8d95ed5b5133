"""Dialling out to the broker: attach, stay, and dial again. Rim.

A node and a witness listen on nothing: each keeps one stream that it opened itself.
Reconnects with exponential back-off and full jitter.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import grpc

from dataspace import __version__
from dataspace.channels import pinned_channel
from dataspace.errors import DataspaceError, Refused, Unavailable, Unverified
from dataspace.home import PartyHome
from dataspace.identity.envelopes import Identity, open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.in_force import InForce, lost_standing
from dataspace.observing.clock import ClockWatch, sampling
from dataspace.v1 import broker_pb2, broker_pb2_grpc
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.wire import spoken_with, stated_in_hello
from node.redialling import until_renewed

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
HANDSHAKE_SECONDS = 10.0
RENEWED = "the stream is opened anew with renewed certificates"

Stream: TypeAlias = Any  # grpc.aio's stream of frames, which has no types of its own
Use: TypeAlias = Callable[[Stream, broker_pb2.Welcome], Awaitable[None]]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Dialler:
    """Keeps one party attached to one broker: that at `address`, or the first that is named.

    `on_change(attached, reason)` hears of every change.
    """

    home: PartyHome
    identity: Identity
    in_force: InForce
    on_change: Callable[[bool, str], None]
    witness: str = ""  # its name, where a witness dials
    # What a party takes in of the welcome before it counts as attached and answers anything.
    take: Callable[[broker_pb2.Welcome], None] = lambda _welcome: None
    address: str = ""
    clock: ClockWatch | None = None  # held against the broker's while attached
    # Whether ending the stream now would interrupt nothing: see `node.redialling`.
    is_idle: Callable[[], bool] = lambda: True

    async def run(self, use: Use, offers: Callable[[], Sequence[Envelope]] = tuple) -> None:
        """Attach, `use` the stream until it ends, and attach again, until cancelled."""
        delay = FIRST_DELAY
        while True:
            was_attached = asyncio.Event()
            try:
                await self._attach_once(use, offers, was_attached)
                reason = RENEWED
            except DataspaceError as error:
                reason = error.message
            except grpc.aio.AioRpcError as error:
                reason = error.details() or error.code().name.lower()
            except TimeoutError:
                reason = "the broker did not answer in time"
            except Exception as error:
                # A stream that ends while it is written to raises what it likes; whoever dials
                # out for a region goes on.
                reason = f"the stream ended ({type(error).__name__})"
            if was_attached.is_set():
                delay = FIRST_DELAY
            self.on_change(False, reason)
            if reason == RENEWED:
                continue
            # Full jitter, so that nodes do not come back all at once.
            await asyncio.sleep(random.uniform(0, delay))  # noqa: S311 - no secret
            delay = min(delay * 2, LONGEST_DELAY)

    async def _attach_once(
        self, use: Use, offers: Callable[[], Sequence[Envelope]], was_attached: asyncio.Event
    ) -> None:
        trust = self.in_force.trust()
        parts = await asyncio.to_thread(
            pinned_channel, self.address or self.home.broker_address, self.home.tls, trust
        )
        async with grpc.aio.secure_channel(
            parts.address, parts.credentials, options=parts.options
        ) as channel:
            stub = broker_pb2_grpc.AttachmentStub(channel)  # type: ignore[no-untyped-call]  # generated
            stream = stub.Attach()
            welcome = await asyncio.wait_for(
                self._shake_hands(stream, list(offers())), HANDSHAKE_SECONDS
            )
            self.in_force.receive(welcome.revocations)
            self._check_broker(welcome)
            await asyncio.to_thread(self.take, welcome)
            was_attached.set()
            self.on_change(True, "")
            async with sampling(self.clock, channel):
                await self._while_it_stands(use, stream, welcome)

    async def _while_it_stands(self, use: Use, stream: Stream, welcome: broker_pb2.Welcome) -> None:
        """Use the stream until it is to be opened anew for renewed certificates, which is no
        error, or until it ends or the broker has lost its standing."""
        using = asyncio.ensure_future(use(stream, welcome))
        renewing = asyncio.ensure_future(until_renewed(self.home.credentials, self.is_idle))
        renewing.add_done_callback(lambda done: None if done.cancelled() else using.cancel())
        lost: list[Refused] = []

        def look() -> None:
            error = lost_standing(lambda: self._check_broker(welcome))
            if error is not None:
                lost.append(error)
                using.cancel()

        with self.in_force.watched(look):
            look()  # a list may have come, by another broker, since the welcome was verified
            try:
                await using
            except asyncio.CancelledError:
                if not lost and not renewing.done():
                    using.cancel()
                    raise
            finally:
                renewed = renewing.done()
                renewing.cancel()
        if lost:
            raise lost[0]
        if not renewed:
            raise Unavailable("the broker closed the stream", code="broker-ended")

    async def _shake_hands(self, stream: Stream, offers: list[Envelope]) -> broker_pb2.Welcome:
        first = await stream.read()
        if first is grpc.aio.EOF or first.WhichOneof("body") != "challenge":
            raise await _refused(stream)  # the status of the call says why
        wire = spoken_with(first.challenge.wire, first.challenge.oldest_wire)
        hello = broker_pb2.Hello(
            region=self.identity.uri.region,
            challenge=first.challenge.nonce,
            version=__version__,
            offers=offers,
            witness=self.witness,
            wire=stated_in_hello(wire),
            freshness=make_freshness(
                now_ms=_now_ms(), nonce=secrets.token_bytes(16), audience=["broker"]
            ),
        )
        await stream.write(broker_pb2.NodeFrame(hello=seal(hello, self.identity)))
        second = await stream.read()
        if second is grpc.aio.EOF or second.WhichOneof("body") != "welcome":
            raise await _refused(stream)
        welcome: broker_pb2.Welcome = second.welcome
        return welcome

    def _check_broker(self, welcome: broker_pb2.Welcome) -> None:
        trust = self.in_force.trust()
        at = datetime.fromtimestamp(_now_ms() / 1000, UTC)
        opened = open_envelope(welcome.broker, broker_pb2.BrokerHello, trust, at)
        if opened.signer.uri not in {broker.uri for broker in trust.brokers}:
            raise Unverified("who welcomed this node is no broker of the space", code="broker-key")


async def _refused(stream: Stream) -> Unavailable:
    code, details = await stream.code(), await stream.details()
    return Unavailable(details or code.name.lower(), code="attach-refused")
