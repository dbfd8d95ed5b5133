"""Local administration of a running node, through a Unix socket that only its owner opens. Rim.

One JSON object a line, one answer a line: {"do": "status"} and {"do": "publish",
"generation": "g000002"}.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dataspace.errors import DataspaceError, Malformed

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
_MAX_LINE = 8 * 1024 * 1024  # a charter with its trust list, in base64
POINTER = "admin.path"


async def serve(run_folder: Path, handle: Handler) -> asyncio.Server:
    """Listen; the socket's path is noted beside it, since such paths have to be short."""
    forget(run_folder)
    path = run_folder / "admin.sock"
    if len(os.fsencode(path)) > 100:
        path = Path(tempfile.mkdtemp(prefix="gba-")) / "admin.sock"
    path.unlink(missing_ok=True)
    previous = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(
            lambda reader, writer: _talk(reader, writer, handle), path=path, limit=_MAX_LINE
        )
    finally:
        os.umask(previous)
    (run_folder / POINTER).write_text(str(path))
    return server


def forget(run_folder: Path) -> None:
    """Take away the socket that was noted last, and the directory that was made for it."""
    pointer = run_folder / POINTER
    try:
        path = Path(pointer.read_text())
    except FileNotFoundError:
        return
    path.unlink(missing_ok=True)
    if path.parent != run_folder:
        with suppress(OSError):
            path.parent.rmdir()
    pointer.unlink()


async def _talk(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handle: Handler
) -> None:
    try:
        line = await reader.readline()
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise Malformed("send one JSON object", code="admin")
            reply = {"ok": True, **await handle(request)}
        except DataspaceError as error:
            reply = {"ok": False, "error": error.kind, "code": error.code, "message": error.message}
        except ValueError:
            reply = {"ok": False, "error": "malformed", "code": "admin", "message": "send JSON"}
        writer.write(json.dumps(reply).encode() + b"\n")
        await writer.drain()
    except (ConnectionError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()
