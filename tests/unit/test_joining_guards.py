"""What keeps a party from being made, certified or installed where it must not be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dataspace.authority import Authority
from dataspace.cli.founding import found_space
from dataspace.cli.founding_trust import profile_of
from dataspace.errors import Malformed, Refused
from dataspace.home import PartyHome
from dataspace.identity.keystore import SIGNING_CHAIN, TLS_CHAIN, load_chain
from dataspace.identity.names import ActorUri
from dataspace.identity.reading import read_pem_certificates
from dataspace.identity.revocation import seal_revocation_list
from dataspace.identity.revoked import CertificateId, Revoked
from dataspace.identity.signing_requests import read_request
from dataspace.in_force import InForce
from dataspace.installing import install
from dataspace.joining import Invitation, make_home
from dataspace.processes import now_ms
from dataspace.requesting import first_request, rotation_request

MARIA = ActorUri.parse("gba://macao/university/researcher/maria")
OTHER = ActorUri.parse("gba://macao/university/researcher/other")
NODE = ActorUri.parse("gba://macao/health/node/another")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("founded") / "space"
    found_space(home)
    return home


def invitation(space: Path) -> Invitation:
    papers = [(space / "macao" / name / "1.dsse").read_bytes() for name in ("trust", "charters")]
    return Invitation.read("127.0.0.1:20000", papers[:1], "", papers[1:])


@dataclass
class Joined:
    """A party with what its authority issued, not installed yet."""

    home: PartyHome
    issued: bytes


def joined(space: Path, folder: Path, days: int = 365) -> Joined:
    places = make_home(folder, MARIA, invitation(space), now_ms())
    asked = read_request(first_request(places, now_ms()))
    authority = Authority.open(space / "macao/authority", folder.parent / "register.db")
    at = datetime.fromtimestamp(now_ms() / 1000, UTC)
    issued = authority.issue(asked, at, profile=profile_of(MARIA), days=days)
    return Joined(PartyHome(folder), issued.pem)


@pytest.mark.parametrize("which", [0, 2])
def test_certificates_that_are_revoked_already_are_not_taken_in(
    space: Path, tmp_path: Path, which: int
) -> None:
    """Either of the two: to sign with, or for TLS."""
    maria = joined(space, tmp_path / "maria")
    leaf = read_pem_certificates(maria.issued)[which]
    revoked = Revoked(CertificateId.of(leaf), now_ms(), "key-compromise")
    signer = PartyHome(space / "macao/revocation").identity
    with_list = seal_revocation_list(signer, "gba", 1, now_ms(), [revoked])
    assert not InForce(maria.home).take([with_list])
    with pytest.raises(Refused) as caught:
        install(maria.home, maria.issued, now_ms())
    assert caught.value.rule == "identity-revoked"
    assert not (maria.home.path / SIGNING_CHAIN).exists()
    assert not (maria.home.path / TLS_CHAIN).exists()


def test_who_decides_by_a_charter_joins_with_one(space: Path, tmp_path: Path) -> None:
    without = replace(invitation(space), charters=())
    with pytest.raises(Malformed) as caught:
        make_home(tmp_path / "node", NODE, without, now_ms())
    assert caught.value.code == "join-charter"
    assert not (tmp_path / "node").exists()


def test_a_certificate_ends_with_its_authority_at_the_latest(space: Path, tmp_path: Path) -> None:
    leaf, authority, *_ = read_pem_certificates(joined(space, tmp_path / "m", 365 * 80).issued)
    assert leaf.not_valid_after_utc == authority.not_valid_after_utc


def test_a_rotation_asks_for_nobody_but_who_is_certified(space: Path, tmp_path: Path) -> None:
    maria = joined(space, tmp_path / "maria")
    install(maria.home, maria.issued, now_ms())
    places = make_home(maria.home.path, MARIA, invitation(space), now_ms())
    assert read_request(rotation_request(places, now_ms())).uri == MARIA
    with pytest.raises(Malformed) as caught:
        rotation_request(replace(places, uri=OTHER), now_ms())
    assert caught.value.code == "bad-identity"
    assert load_chain(maria.home.path / SIGNING_CHAIN)
