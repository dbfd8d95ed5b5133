"""What the broker shows of itself: its page, the calls that it serves, its gRPC health. Rim.

Calls are counted around the service, by an interceptor: nothing in their way knows of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from broker.service import BrokerService
from dataspace.audit.entries import FieldValue
from dataspace.home import PartyHome
from dataspace.observing.build import VERSION
from dataspace.observing.calls import Call, Calls
from dataspace.observing.clock import TIME_KEY, VERSION_KEY
from dataspace.observing.counts import Counts
from dataspace.observing.endpoint import Endpoint
from dataspace.observing.log import log_checks, log_readings
from dataspace.observing.party import open_page
from dataspace.observing.readiness import POLICY_REJECTED, holds
from dataspace.observing.readings import Reading, Values, single
from dataspace.observing.tracing import BROKER, CLIENT, open_tracer
from dataspace.v1 import broker_pb2

SERVICES = tuple(f"dataspace.v1.{name}" for name in broker_pb2.DESCRIPTOR.services_by_name)
_KINDS = {"Query": "query", "Catalogue": "catalogue", "Audit": "desk"}
_LOOK_SECONDS = 1.0


class Observed:
    """What the broker counts."""

    def __init__(self, home: PartyHome) -> None:
        self._home = home
        self.counts = Counts()
        self.calls = Calls(
            self.counts, BROKER, CLIENT,
            open_tracer("gba-broker", home.uri.region, home.config.traces),
        )  # fmt: skip
        self.health = health_aio.HealthServicer()
        self._watching: asyncio.Task[None] | None = None
        self._page: Endpoint | None = None

    def recorded(self, kind: str, fields: Mapping[str, FieldValue], index: int) -> None:
        """An entry of the broker's log is durable."""
        self.counts.recorded(kind, fields, index)
        self.calls.recorded(kind, str(fields.get("request_sha256", "")))

    def interceptors(self) -> list[grpc.aio.ServerInterceptor]:
        """What stands around the service."""
        return [_Counting(self.calls)]

    def serve_health(self, server: grpc.aio.Server) -> None:
        """Answer grpc.health.v1 on the same port: for the process and for each service."""
        health_pb2_grpc.add_HealthServicer_to_server(self.health, server)

    async def open(self, service: BrokerService) -> None:
        """Serve the page, and keep health current. Raises as `observing.party.open_page`."""
        federation, cosigner = service.federation, service.witnessing.cosigner
        checks = (
            holds(POLICY_REJECTED, lambda: federation.policies.error is None),
            *log_checks(cosigner, federation.check_witnessed),
        )
        self._page = open_page(
            self._home, service.standing.in_force.trust, self.counts, None,
            (*log_readings(cosigner), *_readings(service)), checks,
        )  # fmt: skip
        await self._tell_health()
        self._watching = asyncio.create_task(self._keep_health())

    async def stop(self) -> None:
        """The broker ends: health says so before the port goes."""
        if self._watching is not None:
            self._watching.cancel()
        await self.health.enter_graceful_shutdown()
        if self._page is not None:
            await self._page.stop()
        await asyncio.to_thread(self.calls.close)

    async def _keep_health(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._tell_health()

    async def _tell_health(self) -> None:
        assert self._page is not None
        ready = not await asyncio.to_thread(self._page.readiness.reasons)
        status = health_pb2.HealthCheckResponse
        for name in ("", *SERVICES):
            await self.health.set(name, status.SERVING if ready else status.NOT_SERVING)


def _readings(service: BrokerService) -> tuple[Reading, ...]:
    federation, trust = service.federation, service.standing.in_force.trust

    def nodes() -> Values:
        there = set(service.attached.regions())
        return [((region,), float(region in there)) for region in sorted(trust().regions)]

    def witnesses() -> Values:
        there = set(service.witnesses.names())
        return [((each.name,), float(each.name in there)) for each in trust().witnesses]

    def signers() -> Values:
        there = service.standing.signers()
        regions = sorted(signer.uri.region for signer in trust().revocation_signers)
        return [((region,), float(region in there)) for region in regions]

    def mirrors() -> Values:
        return [((each,), float(copy.size)) for each, copy in service.witnessing.mirrors.items()]

    return (
        Reading("gba_attached_nodes", "1 for each region whose node is there.", nodes, ("region",)),
        Reading(
            "gba_attached_witnesses", "1 for each witness that is there.", witnesses, ("witness",)
        ),
        Reading(
            "gba_attached_signers", "1 for each region whose revocation signer is there.",
            signers, ("region",),
        ),
        Reading("gba_mirror_entries", "Of the public copy of a log.", mirrors, ("region",)),
        single("gba_calls_running", "Members' calls under way.", lambda: service.admission.taken),
        single("gba_calls_most", "As many as there is room for.", lambda: service.admission.most),
        single(
            "gba_calls_turned_away", "Since the start: calls for which there was no room.",
            lambda: service.admission.refused,
        ),
        single(
            "gba_policy_accepted", "0 while the policy folder holds what was not taken.",
            lambda: federation.policies.error is None,
        ),
    )  # fmt: skip


class _Counting(grpc.aio.ServerInterceptor):
    """Counts members' calls, names their request in log lines, and tells the time to who asks
    for health."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        """See grpc.aio."""
        handler = await continuation(details)
        service, _, method = details.method.removeprefix("/").partition("/")
        if handler is None:
            return None
        if service == "grpc.health.v1.Health" and method == "Check":
            return _unary(handler, _timed(handler.unary_unary))
        if service != "dataspace.v1.Broker" or method not in _KINDS:
            return handler
        kind = _KINDS[method]
        if handler.unary_unary is not None:
            return _unary(handler, self._answered(kind, handler.unary_unary))
        return grpc.unary_stream_rpc_method_handler(
            self._told(kind, handler.unary_stream),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _begin(self, kind: str, request: Any) -> Call:
        call = self._calls.begin(kind, request.payload)
        # Each call is a task of its own; so are these.
        structlog.contextvars.bind_contextvars(request=call.digest.hex()[:16])
        return call

    def _answered(self, kind: str, answer: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        async def counted(request: Any, context: Any) -> Any:
            call = self._begin(kind, request)
            try:
                answered = await answer(request, context)
                call.outcome = "answered"
            except asyncio.CancelledError:
                call.outcome = "cancelled"
                raise
            finally:
                call.end()
            return answered

        return counted

    def _told(self, kind: str, tell: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        async def counted(request: Any, context: Any) -> AsyncIterator[Any]:
            call = self._begin(kind, request)
            try:
                async with aclosing(tell(request, context)) as events:
                    async for event in events:
                        outcome = _OUTCOMES.get(event.WhichOneof("event"))
                        if outcome is not None:
                            call.end(outcome)  # what follows are witnesses, for who waits for them
                        yield event
            except (asyncio.CancelledError, GeneratorExit):
                call.end("cancelled")
                raise
            finally:
                call.end()

        return counted


_OUTCOMES = {"release": "released", "refusal": "refused", "explanations": "explained"}


def _unary(handler: Any, behaviour: Callable[[Any, Any], Any]) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _timed(check: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    async def timed(request: Any, context: Any) -> Any:
        context.set_trailing_metadata(
            ((TIME_KEY, str(time.time_ns() // 1_000_000)), (VERSION_KEY, VERSION))
        )
        return await check(request, context)

    return timed
