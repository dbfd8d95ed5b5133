"""Trust lists that must not be believed, in an actor's own home."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dataspace.errors import Unverified
from dataspace.exits import exit_code
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_private_key
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import cosign_trust_list
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.attacks.forgery import COUNT, Stranger, now_ms
from tests.federation.copies import running_copy
from tests.spaces import Ran, Space, run_gba


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("trust")) as running:
        yield running


def successor(space: Space, *signers: str, **changes: Any) -> Envelope:
    """Version 2 of the space's trust list, signed by the trust keys of these regions."""
    first = Envelope.FromString((space.home / "macao/trust/1.dsse").read_bytes())
    wire = trust_pb2.TrustList.FromString(first.payload)
    wire.version, wire.previous_sha256 = 2, hashlib.sha256(first.payload).digest()
    for name, value in changes.items():
        setattr(wire, name, value)
    envelope = Envelope(payload_type=first.payload_type, payload=wire.SerializeToString())
    for region in signers:
        key = load_private_key(space.home / region / "authority/trust.key")
        envelope = cosign_trust_list(envelope, f"{region}-1", key)
    return envelope


@pytest.fixture
def home(space: Space, tmp_path: Path) -> Path:
    """A copy of an actor's home, to spoil."""
    return Path(shutil.copytree(space.home / "actors/hongkong-researcher", tmp_path / "home"))


def ask(home: Path) -> Ran:
    return run_gba("query", COUNT, "--purpose", "HRESCH", "--format", "json", "--home", str(home))


def test_a_trust_list_of_two_regions_is_followed_and_of_one_is_not(
    space: Space, home: Path
) -> None:
    following = home / "trust/2.dsse"
    following.write_bytes(successor(space, "hongkong", "macao").SerializeToString())
    assert ask(home).code == 0
    (home / "trust/highest").unlink()
    following.write_bytes(successor(space, "macao").SerializeToString())
    asked = ask(home)
    assert (asked.code, asked.error["code"]) == (6, "trust-list-quorum")


def _rolled_back(space: Space) -> bytes:
    return (space.home / "macao/trust/1.dsse").read_bytes()


def _by_strangers(space: Space) -> bytes:
    envelope = successor(space, "macao")
    stranger = Stranger.claiming(PartyHome(space.home / "macao").uri)
    return cosign_trust_list(
        envelope, "hongkong-1", stranger.signing.private_key
    ).SerializeToString()


def _not_following(space: Space) -> bytes:
    return successor(space, *REGIONS, previous_sha256=bytes(32)).SerializeToString()


def _with_a_gap(space: Space) -> bytes:
    return successor(space, *REGIONS, version=3).SerializeToString()


def _half(space: Space) -> bytes:
    whole = successor(space, *REGIONS).SerializeToString()
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        (_rolled_back, "trust-list-rollback"),
        (_by_strangers, "bad-signature"),
        (_not_following, "trust-list-history"),
        (_with_a_gap, "trust-list-gap"),
        (_half, "trust-list-form"),
        (lambda _: b"", "trust-list-form"),
        (lambda _: b"\xff" * 99, "trust-list-form"),
    ],
    ids=["rolled back", "strangers", "history", "gap", "half", "empty", "noise"],
)
def test_a_trust_list_that_does_not_follow_is_unverified(
    space: Space, home: Path, forged: Callable[[Space], bytes], code: str
) -> None:
    (home / "trust/2.dsse").write_bytes(forged(space))
    with pytest.raises(Unverified) as caught:
        PartyHome(home).trust(now_ms())
    assert caught.value.code == code
    assert exit_code(caught.value) == 6


def test_a_first_trust_list_that_is_not_the_pinned_one_is_unverified(
    space: Space, home: Path
) -> None:
    file = home / "trust/1.dsse"
    file.write_bytes(successor(space, *REGIONS).SerializeToString())
    asked = ask(home)
    assert (asked.code, asked.error["code"]) == (6, "trust-list-pin")


def test_a_newer_trust_list_that_was_taken_away_is_missed(space: Space, home: Path) -> None:
    following = home / "trust/2.dsse"
    following.write_bytes(successor(space, "hongkong", "macao").SerializeToString())
    assert ask(home).code == 0
    following.unlink()
    asked = ask(home)
    assert (asked.code, asked.error["code"]) == (6, "trust-list-rollback")
