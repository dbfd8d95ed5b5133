"""Parties that die, stop, or cannot write: what the others say, and how it heals."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from dataspace.cli.supervising import SIGNERS, WITNESSES, start_party
from dataspace.client import connect
from dataspace.errors import DataspaceError, Unavailable
from dataspace.exits import exit_code
from dataspace.identity.names import REGIONS
from dataspace.processes import read_state
from tests.attacks.forgery import COUNT, EVERYBODY, Asker, log_sizes, make_request
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, gone, process_of, stop
from tests.federation.shell import gba_in, query
from tests.spaces import Space, contents

GROUPED = "SELECT region, count(distinct person) AS n FROM patients GROUP BY region"
PLANT = "zq7-planted-literal"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("outages")) as running:
        yield running


@pytest.fixture(autouse=True)
def _whole_again(space: Space) -> Iterator[None]:
    """Every test leaves all four parties ready."""
    yield
    await_ready(space)


def answered(space: Space, require: str = "all") -> dict[str, tuple[str, str]]:
    """Status and reason by region of a question that is answered."""
    with connect(space.home, "hongkong/researcher") as session:
        release = session.query(GROUPED, purpose="HRESCH", require=require)
    assert {row[0] for row in release.answer.rows} == {
        node.region for node in release.nodes if node.status == "released"
    }
    return {node.region: (node.status, node.reason) for node in release.nodes}


def answers(space: Space) -> bool:
    try:
        return all(status == "released" for status, _ in answered(space).values())
    except DataspaceError:
        return False


def test_a_broker_that_was_killed_heals_within_seconds(space: Space) -> None:
    before = log_sizes(space)["broker"]
    with connect(space.home, "macao/researcher") as session:
        session.query(COUNT, purpose="HRESCH")
        stop(space, "broker", kill=True)
        with pytest.raises(Unavailable) as caught:
            session.query(COUNT, purpose="HRESCH")
        assert caught.value.code == "broker-unreachable"
        asked = space.query(COUNT)
        assert (asked.code, asked.error["code"]) == (5, "broker-unreachable")
        for region in REGIONS:
            assert process_of(space, region)
        start_party(space.home, "broker")
        await_true(lambda: answers(space), "the nodes did not attach again", 10)
        # A session that was open before goes on, too.
        assert session.query(COUNT, purpose="HRESCH").answer.rows
    assert log_sizes(space)["broker"] > before


def test_a_killed_node_is_named_and_comes_back(space: Space) -> None:
    stop(space, "macao", kill=True)
    asked = query(space, GROUPED)
    assert asked.code == 5
    assert "macao" in asked.error["message"]
    told = query(space, GROUPED, "--require", "any")
    assert told.code == 0
    nodes = {node["region"]: node for node in told.json["nodes"]}
    assert nodes["macao"]["status"] == "unreachable"
    assert "(per broker)" in nodes["macao"]["reason"]
    assert nodes["guangzhou"]["status"] == nodes["hongkong"]["status"] == "released"
    assert {row[0] for row in told.json["rows"]} == {"guangzhou", "hongkong"}
    assert gba_in(space, "space", "status").code == 5
    start_party(space.home, "macao")
    await_ready(space)
    assert answers(space)


def test_a_node_that_dies_while_it_answers_leaves_no_question_hanging(space: Space) -> None:
    process = process_of(space, "guangzhou")
    asker = Asker.of(space)
    asker.session.catalogue()
    before = log_sizes(space)["macao"]
    process.suspend()
    with asker.session, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asker.hear, asker.seal(make_request()))
        await_true(lambda: log_sizes(space)["macao"] > before, "nobody was asked")
        assert not asked.done()
        stop(space, "guangzhou", kill=True)
        heard = asked.result(30)
    assert heard == {"guangzhou": "unreachable", "hongkong": "released", "macao": "released"}
    start_party(space.home, "guangzhou")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_each_process_cleanly(space: Space, number: signal.Signals) -> None:
    sockets = [Path((space.home / region / "run/admin.path").read_text()) for region in REGIONS]
    assert all(socket.is_socket() for socket in sockets)
    assert {oct(socket.stat().st_mode & 0o777) for socket in sockets} == {"0o600"}
    for party in (*REGIONS, *WITNESSES, *SIGNERS, "broker"):
        process = process_of(space, party)
        process.send_signal(number)
        await_true(partial(gone, process), f"{party} did not end")
        assert read_state(space.home / party / "run")["stage"] == "stopped"
    assert not any(socket.exists() for socket in sockets)
    assert gba_in(space, "audit", "verify").code == 0
    assert gba_in(space, "space", "up", "--detach").code == 0


# --- recorded before released -----------------------------------------------------------


@contextmanager
def log_out_of_order(space: Space, party: str) -> Iterator[None]:
    """A party whose log cannot be written: what it stages files in is no directory.

    It finds out when it publishes an entry that its journal holds, and that one stays.
    """
    staging = space.home / party / "log/staging"
    aside = staging.with_name("staging.aside")
    staging.rename(aside)
    staging.touch()
    try:
        await_true(lambda: query(space, COUNT).code == 5, f"{party} goes on")
        yield
    finally:
        staging.unlink()
        aside.rename(staging)
        stop(space, party)
        start_party(space.home, party)


def test_a_node_that_cannot_record_releases_nothing(space: Space) -> None:
    asker = Asker.of(space)
    with log_out_of_order(space, "macao"), asker.session:
        before = log_sizes(space)
        bundle = asker.session.send(asker.seal(make_request(GROUPED)))
        assert len(bundle.answers) == 2
        assert b"macao" not in b"".join(each.body.payload[:400] for each in bundle.answers)
        told = answered(space, require="any")
        assert told["macao"][0] == "unreachable"
        with pytest.raises(Unavailable) as caught:
            answered(space)
        assert exit_code(caught.value) == 5
        denied = asker.hear(asker.seal(make_request(purpose="TREAT")))
        assert denied == {"broker": "refused policy"}
    after = log_sizes(space)
    assert after["macao"] == before["macao"]
    assert after["hongkong"] == before["hongkong"] + 3


def test_a_broker_that_cannot_record_forwards_and_tells_nothing(space: Space) -> None:
    asker = Asker.of(space)
    with log_out_of_order(space, "broker"), asker.session:
        before = log_sizes(space)
        assert asker.hear(asker.seal(make_request())) == {"broker": "unavailable log-stopped"}
        stale = asker.seal(make_request(issued=-600_000))
        assert asker.hear(stale) == {"broker": "unavailable log-stopped"}
    assert log_sizes(space) == before


def test_a_denial_is_recorded_before_it_is_told(space: Space) -> None:
    before = log_sizes(space)
    asked = query(space, COUNT, "--purpose", "TREAT", actor="macao/researcher")
    assert (asked.code, asked.error["rule"]) == (4, "default-deny")
    assert log_sizes(space) == {**before, "broker": before["broker"] + 1}


# --- what is written down ----------------------------------------------------------------


def test_no_sql_and_no_identity_is_in_logs_entries_or_process_titles(space: Space) -> None:
    for sql in (
        f"{COUNT} WHERE district = '{PLANT}'",
        f"SELECT count(*) AS n FROM patients WHERE hkid = '{PLANT}'",
        f"SELECT count(*) AS n FROM patients WHERE '{PLANT}",
        f"SELECT {PLANT.replace('-', '_')}(age) FROM patients",
    ):
        query(space, sql, "--project", PLANT)
    query(space, COUNT, "--purpose", PLANT)
    plants = [text.encode() for text in (PLANT, PLANT.replace("-", "_"), "SELECT", "gba://")]
    plants += [b"researcher-1", b"clinician-1"]
    for party in EVERYBODY:
        home = space.home / party
        written = contents(home / "run") | contents(home / "log") | contents(home / "witness/run")
        assert home / "run/log.jsonl" in written
        for file, content in written.items():
            assert not [plant for plant in plants if plant in content], file
        title = " ".join(process_of(space, party).cmdline()).encode()
        assert not [plant for plant in plants if plant in title]
        # That the plants were there to be found: bodies hold them, apart from the log.
        if party == "broker":
            assert any(PLANT.encode() in body for body in contents(home / "bodies").values())


def test_every_line_of_a_partys_own_log_is_one_json_object(space: Space) -> None:
    for party in EVERYBODY:
        for line in (space.home / party / "run/log.jsonl").read_text().splitlines():
            if line.startswith("{"):
                assert {"event", "level", "timestamp"} <= json.loads(line).keys()
            else:
                # gRPC's own notes, of handshakes and goodbyes.
                assert line[:1] in "IWE", line
