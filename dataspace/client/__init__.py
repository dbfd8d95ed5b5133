"""The Python side of a member: `connect`, then `query`."""

from __future__ import annotations

from pathlib import Path

from dataspace.client.existence import Presence
from dataspace.client.homes import actor_home
from dataspace.client.release import Release
from dataspace.client.session import Session

__all__ = ["Presence", "Release", "Session", "connect"]


def connect(home: str | Path | None = None, actor: str | None = None) -> Session:
    """A session for an actor, `<region>/<role>` or a full name, from a home directory."""
    return Session(actor_home(Path(home) if home is not None else None, actor))
