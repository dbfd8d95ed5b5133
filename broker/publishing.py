"""The logs' public files over HTTP, read-only: what C2SP tlog-tiles has a monitor read. Rim.

    GET /logs/<owner>/checkpoint             the latest, with cosignatures where they are there
    GET /logs/<owner>/checkpoint.cosigned    the latest that a quorum of witnesses cosigned
    GET /logs/<owner>/tile/<L>/<N>[.p/<W>]   hash tiles; a full tile never changes
    GET /logs                                the owners and verifier keys

Entries are not public: `tile/entries` is no path here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from broker.mirrors import COSIGNED
from dataspace.audit.reader import CHECKPOINT, DirectoryReader
from dataspace.audit.tiles import parse_tile_path
from dataspace.errors import DataspaceError

_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_BRIEFLY = {"Cache-Control": "no-cache"}


Logs = Callable[[], Mapping[str, tuple[Path, str]]]


def public_logs(logs: Logs, more: Sequence[Route] = ()) -> Starlette:
    """The application over `logs`: for each owner the directory and the verifier key."""

    async def index(_: Request) -> Response:
        return JSONResponse(
            {owner: {"path": f"/logs/{owner}", "vkey": vkey} for owner, (_, vkey) in logs().items()}
        )

    async def file(request: Request) -> Response:
        known = logs().get(request.path_params["owner"])
        if known is None:
            return _none()
        return await asyncio.to_thread(_file, known[0], request.path_params["path"])

    return Starlette(
        routes=[
            Route("/logs", index, methods=["GET"]),
            Route("/logs/{owner}/{path:path}", file, methods=["GET"]),
            *more,
        ]
    )


def _file(directory: Path, path: str) -> Response:
    if path in {CHECKPOINT, COSIGNED}:
        try:
            text = (directory / path).read_text()
        except OSError:
            return _none()
        return PlainTextResponse(text, headers=_BRIEFLY)
    try:
        # SECURITY: a path is parsed, never joined as it came; entries are not public.
        tile = parse_tile_path(path)
        if tile.level is None:
            return _none()
        data = DirectoryReader(directory).read(tile)
    except DataspaceError:
        return _none()
    return Response(data, media_type="application/octet-stream", headers=_FOREVER)


def _none() -> Response:
    return PlainTextResponse("not found\n", status_code=404)
