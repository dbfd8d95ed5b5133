"""Asking a running node over its local socket. Rim; used by whoever administers it."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from dataspace.errors import KINDS, Unavailable

_SECONDS = 60.0


def ask_locally(run_folder: Path, request: dict[str, Any]) -> dict[str, Any] | None:
    """The answer of the process that runs from this directory; None when none runs.

    Raises the error that the process answered with.
    """
    try:
        path = (run_folder / "admin.path").read_text()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(_SECONDS)
            link.connect(path)
            link.sendall(json.dumps(request).encode() + b"\n")
            with link.makefile("rb") as stream:
                line = stream.readline()
    except (FileNotFoundError, ConnectionError):
        return None
    except OSError:
        raise Unavailable("the running process does not answer locally", code="admin") from None
    if not line:
        return None
    reply: dict[str, Any] = json.loads(line)
    if not reply.get("ok"):
        kind = KINDS.get(str(reply.get("error")), Unavailable)
        raise kind(str(reply.get("message")), code=str(reply.get("code")))
    return reply
