"""A running party follows its own files: what fits is used, what does not changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import dataspace.credentials as module
from dataspace.credentials import Credentials
from dataspace.errors import DataspaceError, Malformed
from dataspace.identity.algorithms import ED25519, generate
from dataspace.identity.keystore import (
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    find_private_key,
    next_key,
    take_next_key,
    write_chain,
    write_private_key,
)
from dataspace.identity.names import ActorUri
from dataspace.identity.reading import read_certificate
from tests.unit.identity import world
from tests.unit.identity.world import NOW, Authority, make_member, make_root

ANA = "gba://hongkong/h1/researcher/ana"
EVE = "gba://hongkong/h1/researcher/eve"


class Clock:
    """Stands still at the world's time, in two clocks."""

    def __init__(self) -> None:
        self.now, self.ticks = NOW, 0.0

    def pass_on(self, seconds: float = 2.0) -> None:
        self.ticks += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()

    class Now:
        @staticmethod
        def now(_: Any) -> Any:
            return clock.now

    monkeypatch.setattr(module, "datetime", Now)
    monkeypatch.setattr("dataspace.credentials.time.monotonic", lambda: clock.ticks)
    yield clock


@pytest.fixture
def authority() -> Authority:
    return make_member(make_root("hongkong"), "hongkong")


def put(
    home: Path, authority: Authority, uri: str = ANA, *, waiting: bool = False, **more: Any
) -> Any:
    """A new pair of each kind; `waiting` beside the keys in use."""
    signing = world.make_signing(authority, uri, ED25519, **more)
    tls = world.make_tls(authority, uri)
    for file, key in ((SIGNING_KEY, signing.private_key), (TLS_KEY, tls.key)):
        place = next_key(home / file) if waiting else home / file
        place.unlink(missing_ok=True)
        write_private_key(place, key)
    if not waiting:
        settle(home, authority, signing, tls)
    return signing, tls


def settle(home: Path, authority: Authority, signing: Any, tls: Authority) -> None:
    write_chain(home / SIGNING_CHAIN, [read_certificate(each) for each in signing.chain_der])
    write_chain(home / TLS_CHAIN, [tls.certificate, authority.certificate])


def credentials(home: Path) -> Credentials:
    return Credentials(home, ActorUri.parse(ANA), find_private_key)


def test_a_renewed_pair_serves_the_next_signature_and_the_next_dial(
    tmp_path: Path, authority: Authority, clock: Clock
) -> None:
    before = put(tmp_path, authority)
    held = credentials(tmp_path)
    used, shown = held.current(), held.tls()
    assert used.leaf_sha256 == before[0].leaf_sha256
    clock.pass_on()
    assert held.current() is used
    assert held.tls() is shown
    after = put(tmp_path, authority)
    assert held.current() is used  # looked at less than a second ago
    clock.pass_on()
    assert held.current().leaf_sha256 == after[0].leaf_sha256
    assert held.tls() != shown


def test_at_no_step_of_a_swap_is_a_key_used_with_anothers_certificate(
    tmp_path: Path, authority: Authority, clock: Clock
) -> None:
    old, _ = put(tmp_path, authority)
    held = credentials(tmp_path)
    new, tls = put(tmp_path, authority, waiting=True)
    chain = [read_certificate(each) for each in new.chain_der]
    steps: list[Callable[[], None]] = [
        lambda: None,
        lambda: write_chain(tmp_path / SIGNING_CHAIN, chain),
        lambda: write_chain(tmp_path / TLS_CHAIN, [tls.certificate, authority.certificate]),
        lambda: take_next_key(tmp_path / SIGNING_KEY, new.private_key.public_key()),
        lambda: take_next_key(tmp_path / TLS_KEY, tls.key.public_key()),
    ]
    for number, step in enumerate(steps):
        step()
        clock.pass_on()
        leaf = new.leaf_sha256 if number else old.leaf_sha256
        assert held.current().leaf_sha256 == leaf, number
        assert credentials(tmp_path).current().leaf_sha256 == leaf, number  # who starts just now
        assert credentials(tmp_path).tls().key_pem


def test_while_files_are_swapped_again_and_again_whoever_reads_gets_a_pair(
    tmp_path: Path, authority: Authority
) -> None:
    put(tmp_path, authority, not_before=NOW - timedelta(days=9000))
    stop, problems = threading.Event(), []

    def swap() -> None:
        while not stop.is_set():
            new, tls = put(tmp_path, authority, waiting=True)
            settle(tmp_path, authority, new, tls)
            take_next_key(tmp_path / SIGNING_KEY, new.private_key.public_key())
            take_next_key(tmp_path / TLS_KEY, tls.key.public_key())

    swapping = threading.Thread(target=swap)
    swapping.start()
    until = time.monotonic() + 1.5
    try:
        while time.monotonic() < until:
            try:
                credentials(tmp_path).current()  # a `SigningIdentity` checks that they fit
            except DataspaceError as error:
                problems.append(error)
    finally:
        stop.set()
        swapping.join()
    assert not problems


@pytest.mark.parametrize(
    "what", ["another's key", "another party", "no certificate", "ended", "gone"]
)
def test_files_that_do_not_fit_change_nothing_and_are_told_of_once(
    tmp_path: Path, authority: Authority, clock: Clock, what: str
) -> None:
    put(tmp_path, authority)
    held = credentials(tmp_path)
    used, shown = held.current(), held.tls()
    match what:
        case "another's key":
            (tmp_path / SIGNING_KEY).unlink()
            write_private_key(tmp_path / SIGNING_KEY, generate(ED25519))
        case "another party":
            put(tmp_path, authority, EVE)
        case "no certificate":
            (tmp_path / TLS_CHAIN).write_text("no PEM")
        case "ended":
            put(tmp_path, authority, not_after=NOW - timedelta(minutes=1))
        case "gone":
            (tmp_path / SIGNING_CHAIN).unlink()
    with capture_logs() as logs:
        for _ in range(4):
            clock.pass_on()
            assert held.current() is used
            assert held.tls() is shown
    assert [each["event"] for each in logs] == ["certificate.not_taken"]
    fresh = put(tmp_path, authority)
    clock.pass_on()
    assert held.current().leaf_sha256 == fresh[0].leaf_sha256


def test_a_party_does_not_start_as_another(tmp_path: Path, authority: Authority) -> None:
    put(tmp_path, authority, EVE)
    with pytest.raises(Malformed) as caught:
        credentials(tmp_path).current()
    assert caught.value.code == "bad-identity"


def test_an_end_that_comes_near_is_told_of_once_a_day(
    tmp_path: Path, authority: Authority, clock: Clock
) -> None:
    put(tmp_path, authority, not_after=NOW + timedelta(days=40))
    held = credentials(tmp_path)
    with capture_logs() as logs:
        held.look()  # nothing was used yet, so nothing was read
        assert not logs
        held.current()
        clock.now = NOW - timedelta(days=1)
        held.look()
        assert not [each for each in logs if each.get("use") == "signing"]
        for days, level in ((11, "warning"), (35, "error")):
            logs.clear()
            clock.now = NOW + timedelta(days=days)
            for _ in range(3):
                clock.pass_on(24 * 3600.0 / 3 + 1)
                held.look()
            told = [each for each in logs if each["use"] == "signing"]
            assert [each["log_level"] for each in told] == [level]
            assert told[0]["days"] == 40 - days
            assert ANA not in str(told)
    assert held.days_left(NOW) == pytest.approx(30, abs=0.1)
