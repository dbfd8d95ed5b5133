"""What whoever joins a space fetches over HTTP: trust lists and charters, as they were signed. Rim.

    GET /trust/<N>.dsse       version N of the trust list
    GET /charters/<N>.dsse    version N of the charter

They are signed and public. Version 1 is believed by its digest alone, which somebody in the space
gives; what is fetched without one proves nothing.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dataspace.charter_files import FOLDER as CHARTERS

_FOLDERS = ("trust", CHARTERS)
_NAME = re.compile(r"[1-9][0-9]{0,5}\.dsse")


def paper_routes(home: Path) -> list[Route]:
    """The routes over a party's directory."""

    async def file(request: Request) -> Response:
        folder, name = request.path_params["folder"], request.path_params["name"]
        # SECURITY: nothing of the home but these two folders, and no name that leads elsewhere.
        if folder not in _FOLDERS or not _NAME.fullmatch(name):
            return _none()
        try:
            data = await asyncio.to_thread((home / folder / name).read_bytes)
        except OSError:
            return _none()
        return Response(data, media_type="application/octet-stream")

    return [Route("/{folder}/{name}", file, methods=["GET"])]


def _none() -> Response:
    return PlainTextResponse("not found\n", status_code=404)
