"""The page on loopback: where it may listen, and what it says."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge

from dataspace.errors import Malformed, Unavailable
from dataspace.observing.endpoint import ANY_PORT, Endpoint, address_in, loopback_address
from dataspace.observing.readiness import Check, Readiness, holds


@pytest.mark.parametrize(
    ("setting", "address"),
    [
        ("", ANY_PORT),
        ("off", None),
        ("127.0.0.1:9464", "127.0.0.1:9464"),
        ("127.9.9.9:1", "127.9.9.9:1"),
        ("[::1]:9464", "[::1]:9464"),
        ("localhost:9464", "127.0.0.1:9464"),
    ],
)
def test_loopback_is_taken(setting: str, address: str | None) -> None:
    assert loopback_address(setting) == address


@pytest.mark.parametrize(
    "setting",
    [
        "0.0.0.0:9464", "[::]:9464", ":9464", "9464", "192.168.1.2:9464", "10.0.0.1:1",
        "example.org:9464", "localhost.example.org:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
        "127.0.0.1:99999", "[::ffff:8.8.8.8]:9464", "0:9464", "127.0.0.1:٣", "OFF", "127.1:80",
    ],
)  # fmt: skip
def test_nothing_but_loopback_is_bound(setting: str) -> None:
    with pytest.raises(Malformed, match="loopback") as caught:
        loopback_address(setting)
    assert caught.value.code == "metrics-address"


def served(folder: Path, look: Callable[[str], Any], checks: tuple[Check, ...] = ()) -> Any:
    """What `look` returns of an endpoint's address while it is open."""

    async def run() -> Any:
        registry = CollectorRegistry()
        Gauge("gba_test", "Of this test.", registry=registry).set(7)
        endpoint = Endpoint("", folder, registry, Readiness(checks))
        address = address_in(folder)
        assert address is not None
        try:
            return await asyncio.to_thread(look, address)
        finally:
            await endpoint.stop()
            assert address_in(folder) is None

    return asyncio.run(run())


def fetch(address: str, path: str, host: str = "") -> tuple[int, str]:
    request = urllib.request.Request(f"http://{address}{path}", headers=_host(host))
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _host(host: str) -> dict[str, str]:
    return {"Host": host} if host else {}


def test_the_page_says_what_it_should(tmp_path: Path) -> None:
    def look(address: str) -> list[tuple[int, str]]:
        return [fetch(address, path) for path in ("/healthz", "/readyz", "/metrics", "/x")]

    health, ready, metrics, other = served(tmp_path, look)
    assert health == (200, '{"status":"ok"}')
    assert ready == (200, '{"ready":true,"reasons":[]}')
    assert metrics[0] == 200 and "gba_test 7.0" in metrics[1]
    assert other[0] == 404


def test_a_party_that_is_not_ready_says_why_by_codes(tmp_path: Path) -> None:
    def broken() -> Iterator[str]:
        yield from ()
        raise RuntimeError("Chan Tai Man")

    def closed() -> Iterator[str]:
        yield from ()
        raise Unavailable("the log is closed", code="log-stopped")

    checks = (holds("not-attached", lambda: False), holds("fine", lambda: True), broken, closed)
    status, text = served(tmp_path, lambda address: fetch(address, "/readyz"), checks)
    assert (status, text) == (
        503, '{"ready":false,"reasons":["internal","log-stopped","not-attached"]}'
    )  # fmt: skip


def test_a_page_of_another_name_is_refused(tmp_path: Path) -> None:
    """DNS rebinding: a browser's page whose name was given this address."""
    hosts = ("evil.example:80", "127.0.0.1.evil.example", "localhost.evil")
    found = served(
        tmp_path, lambda address: [fetch(address, "/metrics", host)[0] for host in hosts]
    )
    assert found == [400] * len(hosts)


def test_only_reading_is_possible(tmp_path: Path) -> None:
    def look(address: str) -> int:
        request = urllib.request.Request(f"http://{address}/metrics", data=b"x", method="POST")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=5)
        return caught.value.code

    assert served(tmp_path, look) == 405


def test_a_taken_port_is_said_with_the_setting_that_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        setting = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable, match="`metrics` in party") as caught:
            asyncio.run(_open(setting, tmp_path))
    assert caught.value.code == "port-taken"


async def _open(setting: str, folder: Path) -> None:
    Endpoint(setting, folder, CollectorRegistry(), Readiness(()))
