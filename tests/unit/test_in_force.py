"""What a party believes now: kept over restarts, never rolled back, told to whoever watches."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dataspace.cli.founding import found_space
from dataspace.errors import Refused, Unavailable, Unverified
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.keystore import load_private_key
from dataspace.identity.names import REGIONS
from dataspace.identity.revoked import STALE_RULE
from dataspace.identity.trustlist import seal_trust_list
from dataspace.in_force import InForce, lost_standing
from dataspace.processes import now_ms
from dataspace.v1 import trust_pb2
from dataspace.v1.revocation_pb2 import RevocationLists
from tests.revocations import fresh_lists


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("in-force") / "space"
    found_space(home)
    return home


@pytest.fixture
def space(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "space", symlinks=True))


def numbers(in_force: InForce) -> dict[str, int]:
    lists = in_force.trust().revocations.lists
    return {region: each.number for region, each in lists.items()}


def test_lists_are_kept_over_a_restart_and_a_lower_number_is_refused_after_it(
    space: Path,
) -> None:
    home = PartyHome(space / "macao")
    assert numbers(InForce(home)) == {}
    assert InForce(home).take(fresh_lists(space, now_ms(), 5)) == []
    again = InForce(home)
    assert numbers(again) == dict.fromkeys(REGIONS, 5)
    problems = again.take(fresh_lists(space, now_ms(), 4))
    assert [each.code for each in problems] == ["revocation-rollback"] * 3
    assert numbers(again) == numbers(InForce(home)) == dict.fromkeys(REGIONS, 5)


def test_one_bad_list_keeps_no_other_from_being_taken(space: Path) -> None:
    lists = fresh_lists(space, now_ms())
    lists[0].signatures[0].sig += b"x"
    in_force = InForce(PartyHome(space / "macao"))
    problems = in_force.take(lists)
    assert [type(each) for each in problems] == [Unverified]
    assert set(numbers(in_force)) == {"hongkong", "macao"}


def test_a_kept_list_that_was_changed_counts_for_nothing(space: Path) -> None:
    home = PartyHome(space / "macao")
    InForce(home).take(fresh_lists(space, now_ms()))
    file = home.path / "revocations" / "macao.dsse"
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)
    assert set(numbers(InForce(home))) == {"guangzhou", "hongkong"}


def test_whoever_watches_hears_of_changes_and_of_nothing_else(space: Path) -> None:
    in_force, heard = InForce(PartyHome(space / "macao")), []
    lists = fresh_lists(space, now_ms())
    with in_force.watched(lambda: heard.append(numbers(in_force))):
        in_force.take(lists)
        in_force.take(lists)
        in_force.look()
    in_force.take(fresh_lists(space, now_ms(), 2))
    assert heard == [dict.fromkeys(REGIONS, 1)]


def test_a_next_trust_list_is_taken_while_the_party_runs(space: Path) -> None:
    home = PartyHome(space / "macao")
    in_force = InForce(home)
    in_force.take(fresh_lists(space, now_ms()))
    heard = []
    in_force.watch(lambda: heard.append(in_force.trust().version))
    _suspend(space, "guangzhou")
    in_force.look()
    in_force.look()
    assert heard == [2]
    assert in_force.trust().is_suspended("guangzhou")
    assert set(numbers(in_force)) >= {"hongkong", "macao"}


def test_a_next_trust_list_that_does_not_verify_changes_nothing(space: Path) -> None:
    in_force = InForce(PartyHome(space / "macao"))
    before = in_force.trust()
    _suspend(space, "guangzhou", signers=("hongkong",))
    in_force.look()
    assert in_force.trust() is before


def _suspend(space: Path, region: str, signers: tuple[str, ...] = ("hongkong", "macao")) -> None:
    """Put version 2 of the trust list, with a region suspended, into macao's directory."""
    folder = space / "macao" / "trust"
    wire = trust_pb2.TrustList.FromString(parse_envelope((folder / "1.dsse").read_bytes()).payload)
    wire.version = 2
    wire.previous_sha256 = InForce(PartyHome(space / "broker")).trust().payload_sha256
    next(each for each in wire.regions if each.region == region).suspended = True
    keys = [
        (f"{signer}-1", load_private_key(space / signer / "authority" / "trust.key"))
        for signer in signers
    ]
    (folder / "2.dsse").write_bytes(seal_trust_list(wire, keys).SerializeToString())


def test_only_a_lost_standing_ends_what_is_open() -> None:
    revoked = Refused("no", code="identity-revoked", rule="identity-revoked", basis="b")
    stale = Refused("no", code=STALE_RULE, rule=STALE_RULE, basis="b")

    def raising(error: Exception) -> None:
        raise error

    assert lost_standing(lambda: raising(revoked)) is revoked
    assert lost_standing(lambda: raising(stale)) is None
    assert lost_standing(lambda: raising(Unavailable("x", code="x"))) is None
    assert lost_standing(lambda: None) is None


def test_a_trust_list_that_is_delivered_is_taken_kept_and_handed_on(space: Path) -> None:
    giver, taker = InForce(PartyHome(space / "macao")), InForce(PartyHome(space / "hongkong"))
    giver.take(fresh_lists(space, now_ms()))
    assert giver.handed_on().trust_lists == []
    _suspend(space, "guangzhou")
    giver.look()
    handed = giver.handed_on()
    assert taker.receive(handed) == []
    assert taker.receive(handed) == []
    assert taker.trust().is_suspended("guangzhou")
    assert set(numbers(taker)) >= {"hongkong", "macao"}
    assert InForce(PartyHome(space / "hongkong")).trust().version == 2
    assert giver.handed_on(2).trust_lists == []


def test_a_trust_list_that_does_not_follow_is_never_written(space: Path) -> None:
    """A file that does not follow would stop the party at its next start."""
    taker = InForce(PartyHome(space / "hongkong"))
    _suspend(space, "guangzhou", signers=("hongkong",))
    forged = parse_envelope((space / "macao/trust/2.dsse").read_bytes())
    problems = taker.receive(RevocationLists(trust_lists=[forged], lists=fresh_lists(space, 1)))
    assert problems[0].code == "trust-list-quorum"
    assert not (space / "hongkong/trust/2.dsse").exists()
    assert InForce(PartyHome(space / "hongkong")).trust().version == 1


def test_a_home_that_several_use_at_once_never_shows_half_a_list(space: Path) -> None:
    home = PartyHome(space / "macao")
    lists = [fresh_lists(space, now_ms(), number) for number in range(1, 30)]
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(lambda: [InForce(home).take(each) for each in lists]) for _ in range(4)]
        while not all(each.done() for each in done):
            for file in (home.path / "revocations").glob("*.dsse"):
                parse_envelope(file.read_bytes())
        assert [each.exception() for each in done] == [None] * 4
