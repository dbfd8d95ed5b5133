"""A region's register: nothing is taken back, and no number is used twice."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dataspace.errors import Unavailable
from dataspace.identity.register import REGISTER, Issued, Register
from dataspace.identity.revoked import CertificateId, Revoked

from .world import NOW_MS

ANA = CertificateId(b"issuer", 2**158, bytes(32))
BO = CertificateId(b"issuer", 5, bytes(range(32)))


def revoked(certificate: CertificateId, reason: str = "superseded") -> Revoked:
    return Revoked(certificate, NOW_MS, reason)


def test_what_is_revoked_stays_so_under_its_first_reason(tmp_path: Path) -> None:
    register = Register(tmp_path / REGISTER)
    assert register.revoke([revoked(ANA)]) == 1
    assert register.revoke([revoked(ANA, "key-compromise"), revoked(BO)]) == 1
    register.close()
    again = Register(tmp_path / REGISTER)
    assert set(again.revoked()) == {revoked(ANA), revoked(BO)}


def test_a_running_signer_sees_what_the_operators_command_writes(tmp_path: Path) -> None:
    signer, command = Register(tmp_path / REGISTER), Register(tmp_path / REGISTER)
    assert signer.revoked() == ()
    command.revoke([revoked(BO)])
    assert signer.revoked() == (revoked(BO),)


def test_numbers_rise_over_restarts_and_above_what_others_have_seen(tmp_path: Path) -> None:
    register = Register(tmp_path / REGISTER)
    assert [register.next_number(), register.next_number()] == [1, 2]
    register.close()
    again = Register(tmp_path / REGISTER)
    assert again.next_number() == 3
    assert again.next_number(above=40) == 41
    assert again.next_number(above=7) == 42


def test_the_issued_are_listed_with_what_became_of_them(tmp_path: Path) -> None:
    register = Register(tmp_path / REGISTER)
    issued = [Issued(BO, "gba://b", "tls", NOW_MS), Issued(ANA, "gba://a", "signing", NOW_MS)]
    register.issue(issued)
    register.issue(issued)
    register.revoke([revoked(BO)])
    first, second = register.issued()
    assert first == issued[1]
    assert (second.certificate, second.revoked) == (BO, revoked(BO))


def test_the_register_is_its_owners_alone_and_says_where_it_cannot_be_used(
    tmp_path: Path,
) -> None:
    Register(tmp_path / REGISTER).close()
    assert stat.S_IMODE(os.stat(tmp_path / REGISTER).st_mode) == 0o600
    (tmp_path / "other").write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable) as caught:
        Register(tmp_path / "other")
    assert caught.value.code == "register"
