"""The page on loopback that says how a process is. Rim: listens.

    GET /healthz    200 while the process lives and its event loop turns
    GET /readyz     200, or 503 with the reasons as codes: {"ready": false, "reasons": [...]}
    GET /metrics    the process's own registry, in Prometheus' text format

SECURITY: bound to loopback and nothing else: a node listens on no port that others reach. A
page of another name is refused, so that no web page in a browser on this machine reads it by
giving its own name this address (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dataspace.errors import Malformed
from dataspace.observing.readiness import Readiness
from dataspace.observing.serving import HttpServer

OFF: Final = "off"
ANY_PORT: Final = "127.0.0.1:0"
ADDRESS_FILE: Final = "metrics.address"
_HOSTS: Final = ["127.0.0.1", "localhost", "[::1]"]


def loopback_address(text: str) -> str | None:
    """host:port to listen on; None for `off`. Raises `Malformed` for anything but loopback."""
    if text == OFF:
        return None
    if not text:
        return ANY_PORT
    host, _, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        # SECURITY: a name may mean another address tomorrow; numbers do not.
        loopback = bare == "localhost" or ipaddress.ip_address(bare).is_loopback
        fits = port.isascii() and port.isdigit() and int(port) < 65_536
    except ValueError:
        loopback = fits = False
    if not loopback or not fits:
        raise Malformed(
            f"metrics are served on loopback alone, and {text} is elsewhere; write "
            '`metrics = "127.0.0.1:9464"` or `metrics = "off"` in party.toml',
            code="metrics-address",
        )
    return f"127.0.0.1:{port}" if bare == "localhost" else text


def page(registry: CollectorRegistry, readiness: Readiness) -> Starlette:
    """The application."""

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        reasons = await asyncio.to_thread(readiness.reasons)
        return JSONResponse(
            {"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200
        )

    async def metrics(_: Request) -> Response:
        text = await asyncio.to_thread(generate_latest, registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", health, methods=["GET"]),
            Route("/readyz", ready, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS)],
    )


class Endpoint:
    """One process's page, for as long as it is open; its address stands in run/."""

    def __init__(
        self, setting: str, run_folder: Path, registry: CollectorRegistry, readiness: Readiness
    ) -> None:
        self._file = run_folder / ADDRESS_FILE
        self._file.unlink(missing_ok=True)
        self.readiness = readiness
        address = loopback_address(setting)
        self._server = (
            None
            if address is None
            else HttpServer(page(registry, readiness), address, setting="metrics")
        )
        if self._server is not None:
            self._file.write_text(self._server.address)

    async def stop(self) -> None:
        """Say that it ends, and stop listening."""
        self.readiness.stopping = True
        self._file.unlink(missing_ok=True)
        if self._server is not None:
            await self._server.stop()


def address_in(run_folder: Path) -> str | None:
    """Where the process that runs from a directory serves its page, or None."""
    try:
        return (run_folder / ADDRESS_FILE).read_text()
    except FileNotFoundError:
        return None
