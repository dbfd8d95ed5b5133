"""Certificates are taken in where they fit, and new keys take the place of old ones."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataspace.cli.founding import found_space
from dataspace.cli.main import app
from dataspace.home import PartyHome
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.keystore import (
    FORMER,
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    load_chain,
    load_identity,
    load_tls,
    next_key,
)
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2
from tests.unit.joining.steps import MARIA, install, issue, join, rotate, speaks, with_authority


class Stopped(BaseException):
    """The machine's sudden end."""


def test_certificates_are_taken_in_only_where_they_fit(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    before = {file: (maria / file).read_bytes() for file in (SIGNING_CHAIN, TLS_CHAIN)}
    joao = tmp_path / "joao"
    join(space, joao, "gba://macao/university/researcher/joao")
    issue(space, joao, tmp_path / "joao.pem")
    assert install(tmp_path / "joao.pem", maria).error["code"] == "install-party"
    twin = tmp_path / "twin"
    join(space, twin)
    issue(space, twin, tmp_path / "twin.pem", "--replace")
    assert install(tmp_path / "twin.pem", maria).error["code"] == "install-key"
    for content in (b"", b"no PEM", (maria / SIGNING_CHAIN).read_bytes(),
                    (tmp_path / "maria.pem").read_bytes() * 2,
                    (maria / SIGNING_CHAIN).read_bytes() * 2):  # fmt: skip
        (tmp_path / "odd.pem").write_bytes(content)
        ran = install(tmp_path / "odd.pem", maria)
        assert (ran.code, ran.error["code"]) == (3, "issued-file")
    assert install(tmp_path / "absent.pem", maria).error["code"] == "file"
    again = install(tmp_path / "maria.pem", maria)
    assert again.code == 0
    assert "already" in again.out
    assert {file: (maria / file).read_bytes() for file in before} == before


def test_certificates_of_an_authority_that_nobody_listed_are_not_taken_in(
    space: Path, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere"
    found_space(other)
    home, to = tmp_path / "maria", tmp_path / "maria.pem"
    join(space, home)
    assert issue(other, home, to).code == 0
    ran = install(to, home)
    assert (ran.code, ran.error["rule"]) == (4, "identity-unlisted")
    assert not (home / SIGNING_CHAIN).exists()


def test_rotation_brings_new_keys_at_once_and_keeps_the_old_chain(space: Path, maria: Path) -> None:
    before = load_chain(maria / SIGNING_CHAIN)
    old_key = (maria / SIGNING_KEY).read_bytes()
    assert rotate(maria, *with_authority(space)).code == 0
    after = load_chain(maria / SIGNING_CHAIN)
    assert after[0].public_key() != before[0].public_key()
    assert (maria / SIGNING_KEY).read_bytes() != old_key
    assert not next_key(maria / SIGNING_KEY).exists()
    assert not next_key(maria / TLS_KEY).exists()
    assert before in [load_chain(file) for file in (maria / FORMER).iterdir()]
    speaks(maria, space)


def test_until_the_answer_comes_the_keys_in_use_go_on(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    used = (maria / SIGNING_KEY).read_bytes()
    assert rotate(maria).code == 0
    assert rotate(maria).code == 0  # once more: the same new keys
    speaks(maria, space)
    assert (maria / SIGNING_KEY).read_bytes() == used
    assert issue(space, maria, tmp_path / "new.pem").code == 0
    assert install(tmp_path / "new.pem", maria).code == 0
    assert (maria / SIGNING_KEY).read_bytes() != used
    speaks(maria, space)
    # The answer to the request of before does not bring the old keys back.
    assert install(tmp_path / "maria.pem", maria).error["code"] == "install-key"


def test_renewing_keeps_the_keys_and_an_older_certificate_does_not_come_back(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    used = (maria / SIGNING_KEY).read_bytes()
    done = rotate(maria, "--same-keys", "--days", "400", *with_authority(space))
    assert done.code == 0, done.err
    assert (maria / SIGNING_KEY).read_bytes() == used
    assert install(tmp_path / "maria.pem", maria).error["rule"] == "install-older"


@pytest.mark.parametrize("stop_after", range(6))
def test_an_installation_that_ends_half_way_leaves_a_home_that_speaks(
    space: Path, tmp_path: Path, maria: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    rotate(maria)
    issue(space, maria, tmp_path / "new.pem")
    done = 0

    def stopping(name: str) -> None:
        import dataspace.installing as module

        real = getattr(module, name)

        def step(*arguments: Any) -> None:
            nonlocal done
            if done == stop_after:
                raise Stopped
            done += 1
            real(*arguments)

        monkeypatch.setattr(module, name, step)

    with monkeypatch.context() as patched:
        monkeypatch = patched
        stopping("write_chain")
        stopping("take_next_key")
        with pytest.raises(Stopped):
            CliRunner().invoke(
                app, ["identity", "install", str(tmp_path / "new.pem"), "--home", str(maria)],
                standalone_mode=False, catch_exceptions=False,
            )  # fmt: skip
    speaks(maria, space)
    assert install(tmp_path / "new.pem", maria).code == 0
    speaks(maria, space)
    assert not next_key(maria / TLS_KEY).exists()


def test_keys_that_the_trust_list_pins_stay_unless_the_list_names_the_new_one(
    space: Path, tmp_path: Path
) -> None:
    broker, signer = space / "broker", space / "macao/revocation"
    kept = [(broker / TLS_KEY).read_bytes(), (signer / SIGNING_KEY).read_bytes()]
    assert rotate(broker, *with_authority(space, "hongkong")).code == 0
    assert rotate(signer, *with_authority(space)).code == 0
    assert [(broker / TLS_KEY).read_bytes(), (signer / SIGNING_KEY).read_bytes()] == kept
    for home, region in ((broker, "hongkong"), (signer, "macao")):
        ran = rotate(home, "--pinned-too", *with_authority(space, region))
        assert (ran.code, ran.error["rule"]) == (4, "install-pin")
        load_identity(home)
        load_tls(home)
    assert [(broker / TLS_KEY).read_bytes(), (signer / SIGNING_KEY).read_bytes()] == kept


def test_what_was_signed_before_a_rotation_verifies_after_it(space: Path, maria: Path) -> None:
    party = PartyHome(maria)
    hello = broker_pb2.Hello(
        freshness=make_freshness(now_ms=now_ms(), nonce=b"n" * 16, audience=["broker"])
    )
    kept = seal(hello, party.identity)
    assert rotate(maria, *with_authority(space)).code == 0
    trust = InForce(PartyHome(space / "hongkong")).trust().for_kept()
    opened = open_envelope(kept, broker_pb2.Hello, trust, datetime.now(UTC))
    assert str(opened.signer.uri) == MARIA


def test_a_disk_that_takes_nothing_loses_nothing(
    space: Path, tmp_path: Path, maria: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate(maria)
    issue(space, maria, tmp_path / "new.pem")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr("dataspace.identity.keystore.os.fsync", full)
        ran = install(tmp_path / "new.pem", maria)
    assert (ran.code, ran.error["code"]) == (5, "disk")
    speaks(maria, space)
    assert install(tmp_path / "new.pem", maria).code == 0
