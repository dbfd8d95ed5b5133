"""One HTTP application on one listening address, inside a process that does other things. Rim."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from dataspace.errors import Unavailable
from dataspace.observing.http_limits import HEADER_BYTES, BoundedProtocol


class _Quiet(uvicorn.Server):
    """A server that leaves signals to the process that it runs in."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """One listening address, served on the running event loop until it is stopped.

    `setting` names what in party.toml says the address. Raises `Unavailable` (`port-taken`).
    """

    def __init__(self, application: Starlette, address: str, setting: str = "http") -> None:
        self._socket = _listening(address, setting)
        self._server = _Quiet(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                http=BoundedProtocol,
                ws="none",
                h11_max_incomplete_event_size=HEADER_BYTES,
                timeout_graceful_shutdown=1,
            )
        )
        self._task = asyncio.create_task(self._server.serve([self._socket]))

    @property
    def address(self) -> str:
        """host:port that it listens on, where the system chose the port too."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Stop listening."""
        self._server.should_exit = True
        await asyncio.wait({self._task}, timeout=3)


def _listening(address: str, setting: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, int(port)))
    except (OSError, ValueError, OverflowError):
        listening.close()
        raise Unavailable(
            f"this process cannot listen on {address}: the port is taken or not allowed; "
            f"stop what uses it, or change `{setting}` in party.toml",
            code="port-taken",
        ) from None
    listening.listen(64)
    return listening
