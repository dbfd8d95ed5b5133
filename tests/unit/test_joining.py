"""From an empty directory to certificates in force: join, issue, install, rotate."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataspace.cli.founding import found_space, mark_whole
from dataspace.cli.main import app
from dataspace.errors import DataspaceError
from dataspace.home import PartyHome
from dataspace.identity.drafting import draft_next
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
    load_private_key,
    load_tls,
    next_key,
)
from dataspace.identity.register import REGISTER, Register
from dataspace.identity.trusted import read_unverified
from dataspace.identity.trustlist import seal_trust_list
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2
from tests.spaces import Ran

MARIA = "gba://macao/university/researcher/maria"
BROKER = "127.0.0.1:20000"


class Stopped(BaseException):
    """The machine's sudden end."""


def gba(*arguments: str) -> Ran:
    done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("founded") / "space"
    found_space(home)
    mark_whole(home)
    return home


@pytest.fixture
def space(founded: Path, tmp_path: Path) -> Path:
    """A space that this test alone changes."""
    return Path(shutil.copytree(founded, tmp_path / "space", symlinks=True))


def join(space: Path, home: Path, uri: str = MARIA, *more: str) -> Ran:
    return gba(
        "join", BROKER, "--trust", str(space / "macao/trust/1.dsse"),
        "--charter", str(space / "macao/charters/1.dsse"), "--uri", uri, "--home", str(home), *more,
    )  # fmt: skip


def issue(space: Path, home: Path, to: Path, *more: str, region: str = "macao") -> Ran:
    authority = str(space / region / "authority")
    return gba("identity", "issue", str(home / "request.json"), "--authority", authority,
               "--out", str(to), *more)  # fmt: skip


def install(file: Path, home: Path) -> Ran:
    return gba("identity", "install", str(file), "--home", str(home))


def rotate(home: Path, *more: str) -> Ran:
    return gba("identity", "rotate", "--home", str(home), *more)


def with_authority(space: Path, region: str = "macao") -> tuple[str, str]:
    return "--authority", str(space / region / "authority")


@pytest.fixture
def maria(space: Path, tmp_path: Path) -> Iterator[Path]:
    """A researcher of Macao who has joined, with certificates."""
    home = tmp_path / "maria"
    assert join(space, home).code == 0
    assert issue(space, home, tmp_path / "maria.pem").code == 0
    assert install(tmp_path / "maria.pem", home).code == 0
    yield home


def speaks(home: Path, space: Path) -> None:
    """Sign as the party, and have another region's node believe it."""
    party = PartyHome(home)
    hello = broker_pb2.Hello(
        freshness=make_freshness(now_ms=now_ms(), nonce=b"n" * 16, audience=["broker"])
    )
    trust = InForce(PartyHome(space / "hongkong")).trust().for_kept()
    opened = open_envelope(seal(hello, party.identity), broker_pb2.Hello, trust, datetime.now(UTC))
    assert opened.signer.uri == party.uri
    assert party.tls.chain_pem


def test_a_new_researcher_joins_with_keys_that_never_left(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    speaks(maria, space)
    secret = {file.read_bytes() for file in (maria / "keys").iterdir()}
    assert all(file.stat().st_mode & 0o077 == 0 for file in (maria / "keys").iterdir())
    for file in tmp_path.rglob("*"):
        if file.is_file() and maria not in file.parents:
            assert not any(each in file.read_bytes() for each in secret)
    listed = json.loads(gba("identity", "list", "--region", "macao", "--format", "json",
                            "--home", str(space)).out)  # fmt: skip
    assert sum(each["uri"] == MARIA for each in listed["certificates"]) == 2


def test_joining_again_goes_on_with_the_same_keys(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    assert join(space, home).code == 0
    before = (home / SIGNING_KEY).read_bytes()
    assert join(space, home).code == 0
    assert (home / SIGNING_KEY).read_bytes() == before
    other = join(space, home, "gba://macao/university/researcher/joao")
    assert (other.code, other.error["code"]) == (4, "home-there")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.txt").touch()
    assert join(space, tmp_path / "full").error["code"] == "home-there"


def test_a_home_that_waits_for_its_certificates_says_so(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    join(space, home)
    asked = gba("catalog", "--home", str(home))
    assert (asked.code, asked.error["code"]) == (5, "key-missing")
    assert "gba identity install" in asked.error["message"]


def test_another_trust_list_than_the_one_meant_makes_no_home(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    ran = join(space, home, MARIA, "--trust-sha256", "0" * 64)
    assert (ran.code, ran.error["code"]) == (6, "trust-list-pin")
    assert not home.exists()
    file = (space / "macao/trust/1.dsse").read_bytes()
    (space / "macao/trust/1.dsse").write_bytes(file[:-3])
    assert join(space, home).error["code"] == "trust-list-form"
    fetched = gba("join", BROKER, "--trust", "http://127.0.0.1:1/trust/1.dsse", "--uri", MARIA,
                  "--home", str(home))  # fmt: skip
    assert fetched.error["code"] == "trust-list-pin"
    fetched = gba("join", BROKER, "--trust", "http://127.0.0.1:1/trust/1.dsse", "--uri", MARIA,
                  "--home", str(home), "--trust-sha256", "0" * 64)  # fmt: skip
    assert (fetched.code, fetched.error["code"]) == (5, "join-fetch")
    assert not home.exists()


@pytest.mark.parametrize("address", ["broker", ":1", "broker:", "broker:x", "broker:70000"])
def test_a_brokers_address_is_host_and_port(space: Path, tmp_path: Path, address: str) -> None:
    ran = gba("join", address, "--trust", str(space / "macao/trust/1.dsse"), "--uri", MARIA,
              "--home", str(tmp_path / "maria"))  # fmt: skip
    assert (ran.code, ran.error["code"]) == (3, "join-broker")


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


def test_a_new_nodes_request_brings_its_log_into_the_next_trust_list(
    space: Path, tmp_path: Path
) -> None:
    node = tmp_path / "node-2"
    origin = "gba.dataspace/macao/2"
    uri = "gba://macao/health-authority/node/node-2"
    assert join(space, node, uri, "--log-origin", origin).code == 0
    drafted = tmp_path / "next.json"
    ran = gba("trust", "draft", str(drafted), "--add", str(node / "request.json"),
              "--home", str(space / "macao"))  # fmt: skip
    assert ran.code == 0, ran.err
    assert "log gba.dataspace/macao/2 of macao" in ran.out
    wire = json.loads(drafted.read_text())
    assert [each["origin"] for each in wire["logs"]][-1] == origin
    assert wire["version"] == "2"
    assert issue(space, node, tmp_path / "node.pem").code == 0
    assert install(tmp_path / "node.pem", node).code == 0
    PartyHome(node).check_whole()


@pytest.mark.parametrize("role", ["witness", "revocation", "broker"])
def test_a_services_home_is_whole_once_it_is_certified(
    space: Path, tmp_path: Path, role: str
) -> None:
    member, region = ("exchange", "hongkong") if role == "broker" else ("health-authority", "macao")
    home = tmp_path / role
    uri = f"gba://{region}/{member}/{role}/{role}-2"
    done = join(space, home, uri, "--log-origin", "gba.dataspace/broker/2", "--dns", "b2.internal")
    assert done.code == 0, done.err
    drafted = gba("trust", "draft", str(tmp_path / "next.json"), "--add",
                  str(home / "request.json"), "--home", str(space / "macao"))  # fmt: skip
    assert drafted.code == (3 if role == "witness" else 0) or "witness" in drafted.out
    assert issue(space, home, tmp_path / "s.pem", region=region).code == 0
    if role == "witness":
        assert install(tmp_path / "s.pem", home).code == 0
        PartyHome(home).check_whole()
    else:  # nobody would talk to it before the list names its key
        assert install(tmp_path / "s.pem", home).error["rule"] == "install-pin"


def test_the_list_takes_no_second_key_for_a_log_and_nothing_from_people(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    node = tmp_path / "node-2"
    assert join(space, node, "gba://macao/health-authority/node/node-2").code == 0
    rotate(maria)
    for file in (node / "request.json", maria / "request.json"):
        ran = gba("trust", "draft", str(tmp_path / "n.json"), "--add", str(file),
                  "--home", str(space / "macao"))  # fmt: skip
        assert (ran.code, ran.error["code"]) == (3, "trust-draft")
    assert not (tmp_path / "n.json").exists()


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


def test_a_register_knows_what_was_issued_before_the_file_does(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    join(space, home)
    ran = issue(space, home, tmp_path / "no/such/folder.pem")
    assert (ran.code, ran.error["code"]) == (5, "disk")
    with closing(Register(space / "macao/revocation" / REGISTER)) as register:
        assert any(each.uri == MARIA for each in register.issued())
    assert issue(space, home, tmp_path / "maria.pem").code == 0


def test_a_request_is_made_before_a_home_knows_its_space(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "bare"
    made = gba("identity", "request", "--uri", MARIA, "--home", str(home))
    assert made.code == 0, made.err
    before = (home / SIGNING_KEY).read_bytes()
    (home / "request.json").rename(tmp_path / "request.json")
    assert join(space, home).code == 0
    assert (home / SIGNING_KEY).read_bytes() == before
    nobody = gba("identity", "request", "--home", str(tmp_path))
    assert (nobody.code, nobody.error["code"]) == (3, "actor")
    there = gba("identity", "request", "--home", str(space / "macao"))
    assert (there.code, there.error["rule"]) == (4, "identity-there")


def test_a_key_that_others_may_read_is_not_asked_for(space: Path, tmp_path: Path) -> None:
    home = tmp_path / "maria"
    join(space, home)
    (home / SIGNING_KEY).chmod(0o644)
    ran = gba("identity", "request", "--home", str(home))
    assert (ran.code, ran.error["rule"]) == (4, "keystore-key-mode")


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


def test_the_trust_list_that_a_home_stands_on_is_the_one_it_was_given(
    space: Path, maria: Path
) -> None:
    envelope = PartyHome(maria).trust_envelopes(now_ms())[0]
    digest = hashlib.sha256(envelope.payload).hexdigest()
    assert PartyHome(maria).config.trust_sha256 == digest
    assert PartyHome(maria).config.broker == BROKER
    assert read_unverified(envelope).version == 1
    assert load_private_key(maria / SIGNING_KEY)
    assert datetime.now(UTC) + timedelta(days=300) < PartyHome(maria).credentials.until()["tls"]
    with pytest.raises(DataspaceError):
        load_identity(maria.parent)


def next_list(space: Path, *regions: str, change: str = "") -> bytes:
    """Version 2 of the trust list, signed by these regions."""
    wire = draft_next(PartyHome(space / "macao").trust_envelopes(now_ms())[-1], now_ms())
    wire.expires_at_ms += 1
    if change:
        wire.space = change
    keys = [(f"{each}-1", load_private_key(space / each / "authority/trust.key"))
            for each in regions]  # fmt: skip
    return seal_trust_list(wire, keys).SerializeToString()


def test_a_home_that_was_away_takes_the_lists_that_follow_and_no_others(
    space: Path, tmp_path: Path, maria: Path
) -> None:
    file = tmp_path / "2.dsse"
    for content, code in (
        (next_list(space, "macao"), "trust-list-quorum"),
        (next_list(space, "macao", "hongkong", change="another"), "trust-list-history"),
        (b"no list", "trust-list-form"),
    ):
        file.write_bytes(content)
        ran = gba("trust", "update", str(file), "--home", str(maria))
        assert (ran.code, ran.error["code"]) == (6, code)
        assert not (maria / "trust/2.dsse").exists()
    file.write_bytes(next_list(space, "macao", "hongkong"))
    for _ in range(2):
        ran = gba("trust", "update", str(file), "--home", str(maria))
        assert ran.code == 0, ran.err
        assert "version 2" in ran.out
    assert PartyHome(maria).trust(now_ms()).version == 2
    assert gba("trust", "update", str(tmp_path / "no"), "--home", str(maria)).code == 3


def test_who_joins_later_gives_every_list_from_the_first(space: Path, tmp_path: Path) -> None:
    second = tmp_path / "2.dsse"
    second.write_bytes(next_list(space, "guangzhou", "hongkong"))
    assert join(space, tmp_path / "late", MARIA, "--trust", str(second)).code == 0
    assert PartyHome(tmp_path / "late").trust(now_ms()).version == 2
    ran = gba("join", BROKER, "--trust", str(second), "--uri", MARIA, "--home",
              str(tmp_path / "later"))  # fmt: skip
    assert ran.code == 6
    assert not (tmp_path / "later/party.toml").exists()
