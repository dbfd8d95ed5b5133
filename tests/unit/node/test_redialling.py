"""A stream is opened anew for renewed certificates: late, idle, and not without any."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from node import redialling


@dataclass
class Held:
    """Stands for `Credentials`."""

    ends: datetime
    signing: object = field(default_factory=object)
    shown: object = field(default_factory=object)

    def current(self) -> object:
        return self.signing

    def tls(self) -> object:
        return self.shown

    def until(self) -> dict[str, datetime]:
        return {"signing": self.ends + timedelta(days=1), "tls": self.ends}

    def renew(self) -> None:
        self.signing, self.shown = object(), object()
        self.ends = datetime.now(UTC) + timedelta(days=365)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(redialling, "LOOK_SECONDS", 0.01)
    yield


def ends_stream(left: timedelta, *, renewed: bool, idle: bool) -> bool:
    held: Any = Held(datetime.now(UTC) + left)

    async def run() -> bool:
        waiting = asyncio.create_task(redialling.until_renewed(held, lambda: idle))
        await asyncio.sleep(0)
        if renewed:
            held.renew()
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        waiting.cancel()
        return bool(done)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("left", "idle", "ends"),
    [
        (timedelta(days=30), True, False),  # it holds for long: nothing is interrupted
        (timedelta(hours=5), True, True),
        (timedelta(hours=5), False, False),  # a question runs
        (timedelta(minutes=1), False, True),  # or the broker would end it
        (timedelta(minutes=-1), True, True),
    ],
)
def test_a_stream_is_opened_anew_late_and_idle(left: timedelta, idle: bool, ends: bool) -> None:
    assert ends_stream(left, renewed=True, idle=idle) is ends


@pytest.mark.parametrize("left", [timedelta(days=30), timedelta(minutes=1), timedelta(minutes=-1)])
def test_without_newer_certificates_no_stream_is_ended(left: timedelta) -> None:
    assert not ends_stream(left, renewed=False, idle=True)
