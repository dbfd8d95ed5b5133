"""Who dials out for a region goes on dialling, whatever ends a stream."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dataspace.errors import Unavailable
from node import dialling
from node.dialling import Dialler


@pytest.mark.parametrize(
    "error",
    [asyncio.InvalidStateError("RPC already finished."), Unavailable("x", code="x"), OSError("x")],
)
def test_a_stream_that_ends_with_an_error_is_dialled_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(dialling, "FIRST_DELAY", 0.001)
    heard: list[tuple[bool, str]] = []
    attempts = 0

    async def attach(*_: object) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 3:
            raise asyncio.CancelledError
        raise error

    monkeypatch.setattr(Dialler, "_attach_once", attach)
    anything: Any = Path()
    dialler = Dialler(anything, anything, anything, lambda *told: heard.append(told))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(dialler.run(anything))
    assert [attached for attached, _ in heard] == [False, False]
    assert all(reason for _, reason in heard)
