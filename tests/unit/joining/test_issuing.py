"""Who gets a certificate: the authority looks at the request, the name and its keys."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path

from dataspace.identity.keystore import SIGNING_CHAIN, SIGNING_KEY, TLS_KEY
from dataspace.identity.register import REGISTER, Register
from tests.unit.joining.steps import MARIA, gba, install, issue, join, rotate


def test_an_authority_issues_for_its_own_region_member_and_profile(
    space: Path, tmp_path: Path
) -> None:
    home, to = tmp_path / "maria", tmp_path / "maria.pem"
    join(space, home)
    ran = issue(space, home, to, region="hongkong")
    assert (ran.code, ran.error["rule"]) == (4, "request-member")
    stranger = tmp_path / "stranger"
    join(space, stranger, "gba://macao/casino/researcher/maria")
    assert issue(space, stranger, to).error["rule"] == "request-member"
    node = tmp_path / "node"
    assert join(space, node, "gba://macao/health-authority/node/node-2", "--log-origin",
                "gba.dataspace/macao/2").code == 0  # fmt: skip
    assert issue(space, node, to, "--profile", "medico").error["rule"] == "request-profile"
    assert not to.exists()
    assert issue(space, home, to, "--profile", "medico").code == 0
    # It was issued; but the region maps this profile to another role, so it is of no use.
    ran = install(to, home)
    assert (ran.code, ran.error["rule"]) == (4, "role-unrecognised")
    assert not (home / SIGNING_CHAIN).exists()


def test_the_fingerprint_that_is_read_out_decides(space: Path, tmp_path: Path) -> None:
    home, to = tmp_path / "maria", tmp_path / "maria.pem"
    join(space, home)
    told = json.loads(gba("identity", "request", "--home", str(home), "--format", "json").out)
    ran = issue(space, home, to, "--fingerprint", "0000 " * 10)
    assert (ran.code, ran.error["rule"]) == (4, "request-fingerprint")
    assert issue(space, home, to, "--fingerprint", told["fingerprint"]).code == 0


def test_the_same_request_twice_gives_the_same_certificates(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    join(space, home)
    files = [tmp_path / "one.pem", tmp_path / "two.pem"]
    for file in files:
        assert issue(space, home, file).code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    files[0].write_text("something else")
    assert issue(space, home, files[0]).error["rule"] == "file-there"


def test_a_name_goes_to_another_key_only_with_the_old_key_or_a_persons_word(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    thief = tmp_path / "thief"
    join(space, thief)
    ran = issue(space, thief, tmp_path / "thief.pem")
    assert (ran.code, ran.error["rule"]) == (4, "request-name-in-use")
    assert not (tmp_path / "thief.pem").exists()
    assert rotate(maria).code == 0
    assert issue(space, maria, tmp_path / "second.pem").code == 0
    assert issue(space, thief, tmp_path / "lost.pem", "--replace").code == 0


def test_a_vouching_key_counts_only_while_it_holds(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    assert rotate(maria).code == 0
    assert gba("identity", "revoke", MARIA, "--reason", "key-compromise", "--home",
               str(space)).code == 0  # fmt: skip
    other = tmp_path / "other"
    join(space, other)
    assert issue(space, other, tmp_path / "other.pem").code == 0  # nobody holds the name now
    ran = issue(space, maria, tmp_path / "again.pem")
    assert ran.error["rule"] == "request-name-in-use"


def test_a_revoked_key_and_somebody_elses_are_not_certified(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    assert rotate(maria, "--same-keys").code == 0
    joao = tmp_path / "joao"
    join(space, joao, "gba://macao/university/researcher/joao")
    for file in (SIGNING_KEY, TLS_KEY):
        shutil.copy(maria / file, joao / file)
    assert join(space, joao, "gba://macao/university/researcher/joao").code == 0
    assert issue(space, joao, tmp_path / "joao.pem").error["rule"] == "request-key-in-use"
    gba("identity", "revoke", MARIA, "--reason", "key-compromise", "--home", str(space))
    ran = issue(space, maria, tmp_path / "renewed.pem")
    assert (ran.code, ran.error["rule"]) == (4, "request-key-revoked")


def test_a_register_knows_what_was_issued_before_the_file_does(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    join(space, home)
    ran = issue(space, home, tmp_path / "no/such/folder.pem")
    assert (ran.code, ran.error["code"]) == (5, "disk")
    with closing(Register(space / "macao/revocation" / REGISTER)) as register:
        assert any(each.uri == MARIA for each in register.issued())
    assert issue(space, home, tmp_path / "maria.pem").code == 0
