"""From an empty directory to a home of the space, and the trust lists that it follows."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dataspace.errors import DataspaceError
from dataspace.home import PartyHome
from dataspace.identity.drafting import draft_next
from dataspace.identity.keystore import SIGNING_KEY, load_identity, load_private_key
from dataspace.identity.trusted import read_unverified
from dataspace.identity.trustlist import seal_trust_list
from dataspace.processes import now_ms
from tests.unit.joining.steps import BROKER, MARIA, gba, install, issue, join, rotate, speaks


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
