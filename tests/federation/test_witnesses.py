"""Witnesses of a running space: they cosign, refuse what is rewritten, and are missed."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataspace.audit.entries import Entry
from dataspace.audit.notes import parse_vkey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.audit.tiles import tiles_of
from dataspace.cli.supervising import start_party
from dataspace.evidence.cosigned import quorum_of
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_private_key
from dataspace.identity.names import REGIONS
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, stop
from tests.spaces import Space

SQL = "SELECT sex, count(*) AS n FROM patients GROUP BY sex"
OWNERS = ("broker", *REGIONS)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("witnessed")) as running:
        yield running


def cosigned_size(space: Space, owner: str) -> int:
    """How much of a log a quorum has cosigned, as anybody would verify it."""
    home = PartyHome(space.home / owner)
    text = DirectoryReader(home.path / "log").cosigned()
    if text is None:
        return 0
    trust = home.trust(time.time_ns() // 1_000_000)
    return quorum_of(trust, home.config.log_origin).check(text).size


def entries(space: Space, owner: str) -> list[Entry]:
    """A log's entries."""
    reader = DirectoryReader(space.home / owner / "log")
    bundles = [tile for tile in tiles_of(size(space, owner)) if tile.level is None]
    found = []
    for tile in bundles:
        data = reader.read(tile)
        while data:
            length = int.from_bytes(data[:2], "big")
            found.append(Entry.from_bytes(data[2 : 2 + length]))
            data = data[2 + length :]
    return found


def await_cosigned(space: Space, owner: str) -> None:
    """Wait until witnesses have cosigned the whole of a log."""
    await_true(
        lambda: cosigned_size(space, owner) == size(space, owner) > 0,
        f"the log of {owner} is not cosigned",
    )


def await_published(space: Space, owner: str, url: str) -> None:
    """Wait until the public checkpoint is the owner's latest."""
    await_true(
        lambda: fetch(url).split(b"\n")[1] == str(size(space, owner)).encode(),
        "the public copy does not follow",
    )


def await_alarm(space: Space, region: str, origin: str) -> None:
    """Wait until a region's node has recorded an alarm about another's log."""
    await_true(
        lambda: any(
            each.kind == "alarm.raised" and each.fields.get("origin") == origin
            for each in entries(space, region)
        ),
        f"{region} recorded no alarm",
    )


def size(space: Space, owner: str) -> int:
    """How many entries a log's public checkpoint has."""
    return int(DirectoryReader(space.home / owner / "log").checkpoint().split("\n")[1])


def test_every_log_is_cosigned_up_to_its_last_entry(space: Space) -> None:
    ran = space.query(SQL)
    assert ran.json["provisional"] is False
    for owner in OWNERS:
        await_cosigned(space, owner)


def test_anybody_reads_the_logs_over_http_but_no_entry(space: Space) -> None:
    space.query(SQL)
    prefix = f"http://{PartyHome(space.home / 'broker').config.http}/logs"
    listed = json.loads(fetch(prefix))
    assert set(listed) == set(OWNERS)
    for owner in OWNERS:
        await_published(space, owner, f"{prefix}/{owner}/checkpoint")
        reader = DirectoryReader(space.home / owner / "log")
        for tile in tiles_of(size(space, owner)):
            if tile.level is None:
                with pytest.raises(urllib.error.HTTPError) as caught:
                    fetch(f"{prefix}/{owner}/{tile.path}")
                assert caught.value.code == 404
            else:
                assert fetch(f"{prefix}/{owner}/{tile.path}") == reader.read(tile)
        parse_vkey(listed[owner]["vkey"])


@pytest.mark.parametrize(
    "path",
    ["../broker/party.toml", "macao/../../party.toml", "macao/tile/0/x", "nobody/checkpoint",
     "broker/journal", "macao/staging", "%2e%2e/party.toml"],
)  # fmt: skip
def test_nothing_else_is_served(space: Space, path: str) -> None:
    prefix = f"http://{PartyHome(space.home / 'broker').config.http}/logs"
    with pytest.raises(urllib.error.HTTPError) as caught:
        fetch(f"{prefix}/{path}")
    assert caught.value.code == 404


def fetch(url: str) -> bytes:
    """A file over HTTP."""
    with urllib.request.urlopen(url, timeout=5) as reply:
        data: bytes = reply.read()
    return data


def test_without_a_quorum_releases_are_provisional_until_the_grace_ends(space: Space) -> None:
    for witness in ("guangzhou/witness", "hongkong/witness"):
        stop(space, witness)
    ran = space.query(SQL)
    assert (ran.code, ran.json["provisional"]) == (0, True)
    with grace_of(space, "macao", 0.5):
        space.query(SQL)
        time.sleep(0.6)
        refused = space.query(SQL)
        assert (refused.code, refused.error["code"]) == (5, "witnesses-absent")
        assert "macao" in refused.error["message"]
        others = space.query(SQL, extra=["--require", "any"])
        assert {each["region"]: each["status"] for each in others.json["nodes"]} == {
            "guangzhou": "released", "hongkong": "released", "macao": "unavailable",
        }  # fmt: skip
    for witness in ("guangzhou/witness", "hongkong/witness"):
        start_party(space.home, witness)
    await_ready(space)
    await_true(lambda: space.query(SQL).json["provisional"] is False, "cosigned no more")


def test_past_the_brokers_grace_all_stop(space: Space) -> None:
    for region in ("guangzhou", "hongkong"):
        stop(space, f"{region}/witness")
    with grace_of(space, "broker", 0.5):
        space.query(SQL)
        time.sleep(0.6)
        refused = space.query(SQL, extra=["--require", "any"])
        assert (refused.code, refused.error["code"]) == (5, "witnesses-absent")
    for region in ("guangzhou", "hongkong"):
        start_party(space.home, f"{region}/witness")
    await_ready(space)


class grace_of:
    """A party that runs with another grace period, for a while."""

    def __init__(self, space: Space, party: str, seconds: float) -> None:
        self.space, self.party = space, party
        self.file = space.home / party / "party.toml"
        self.before = self.file.read_text()
        self.seconds = seconds

    def __enter__(self) -> None:
        self._restart(self.before + f"witness_grace_seconds = {self.seconds}\n")

    def __exit__(self, *_: object) -> None:
        self._restart(self.before)

    def _restart(self, text: str) -> None:
        stop(self.space, self.party)
        self.file.write_text(text)
        start_party(self.space.home, self.party)
        await_ready(self.space, *OWNERS)


def test_a_rewritten_log_is_refused_and_every_other_region_records_the_alarm(
    space: Space, tmp_path: Path
) -> None:
    # The owner, with its key, takes back what it has shown and writes another history.
    stop(space, "macao")
    log = space.home / "macao" / "log"
    shutil.copytree(log, tmp_path / "before")
    start_party(space.home, "macao")
    await_ready(space)
    for _ in range(2):
        space.query(SQL)
    await_cosigned(space, "macao")
    stop(space, "macao")
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "before", log)
    home = PartyHome(space.home / "macao")
    key = load_private_key(home.path / "keys/log.key")
    now_ms = time.time_ns() // 1_000_000
    with LogStore.open(log, home.config.log_origin, key) as store:  # type: ignore[arg-type]  # Ed25519
        for number in range(6):
            store.append(Entry("query.released", now_ms + number, {"forged": True}))
    start_party(space.home, "macao")
    await_ready(space)
    before = cosigned_size(space, "macao")
    assert space.query(SQL).json["provisional"] is True
    for region in ("guangzhou", "hongkong"):
        await_alarm(space, region, home.config.log_origin)
    assert cosigned_size(space, "macao") == before


def test_a_node_whose_log_is_an_older_copy_releases_nothing(space: Space, tmp_path: Path) -> None:
    stop(space, "hongkong")
    log = space.home / "hongkong" / "log"
    shutil.copytree(log, tmp_path / "older")
    start_party(space.home, "hongkong")
    await_ready(space, *OWNERS)
    for _ in range(4):
        assert space.query(SQL, extra=["--require", "any"]).code == 0
    await_cosigned(space, "hongkong")
    stop(space, "hongkong")
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "older", log)
    start_party(space.home, "hongkong")
    await_ready(space, *OWNERS)

    def refused() -> bool:
        asked = space.query("SELECT count(*) AS n FROM hongkong.patients")
        # Until the witnesses have told the node, its receipts are held against what they saw.
        assert asked.code in {5, 6}, asked.out
        return asked.error["code"] == "log-behind"

    await_true(refused, "the older copy goes on")
