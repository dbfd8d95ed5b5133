"""Progress, Ctrl-C and deadlines: what runs at the nodes ends, is recorded, and harms nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from dataspace.audit.entries import Entry
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import Tile, decode_bundle
from dataspace.client import connect
from dataspace.errors import Unavailable
from dataspace.identity.names import REGIONS
from tests.attacks.forgery import COUNT, EVERYBODY, log_sizes
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, process_of
from tests.federation.shell import query
from tests.spaces import Space

# Permitted, and far more than an engine can do in any deadline here.
SLOW = (
    "SELECT o.loinc, p.loinc AS other, count(distinct q.loinc) AS n, count(distinct r.unit) AS u "
    "FROM observations o JOIN observations p ON o.person = p.person "
    "JOIN observations q ON q.person = o.person JOIN observations r ON r.person = o.person "
    "GROUP BY o.loinc, p.loinc"
)


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("cancelling")) as running:
        yield running


@pytest.fixture(autouse=True)
def _answers_afterwards(space: Space) -> Iterator[None]:
    """Every test leaves a space that answers at once."""
    yield
    await_ready(space)
    assert query(space, COUNT, "--deadline", "10").code == 0


def last_entry(space: Space, party: str) -> Entry:
    """What a party recorded last."""
    size = log_sizes(space)[party]
    number, width = divmod(size, 256)
    if width == 0:
        number, width = number - 1, 256
    bundle = Tile(None, number, width)
    reader = DirectoryReader(space.home / party / "log")
    return Entry.from_bytes(decode_bundle(bundle, reader.read(bundle))[-1])


def await_entries(space: Space, wanted: dict[str, int], seconds: float) -> None:
    await_true(
        lambda: all(log_sizes(space)[party] >= size for party, size in wanted.items()),
        f"not recorded: {wanted}, {log_sizes(space)}",
        seconds,
    )


def test_progress_comes_in_order_from_every_node(space: Space) -> None:
    heard: dict[str, list[tuple[str, float]]] = {region: [] for region in REGIONS}
    with connect(space.home, "macao/researcher") as session:
        session.query(
            COUNT, purpose="HRESCH", on_progress=lambda region, *told: heard[region].append(told)
        )
        for told in heard.values():
            stages = [stage for stage, _ in told]
            assert stages[:2] == ["received", "decided"]
            assert set(stages[2:-1]) == {"running"}
            assert stages[-1] == "released"
            fractions = [fraction for _, fraction in told]
            assert fractions == sorted(fractions)
            assert [fraction for stage, fraction in told if stage == "running"][-1] == 1
            told.clear()
        with pytest.raises(Unavailable):
            session.query(
                SLOW, purpose="HRESCH", seconds=1,
                on_progress=lambda region, *told: heard[region].append(told),
            )  # fmt: skip
    for told in heard.values():
        assert [stage for stage, _ in told][:3] == ["received", "decided", "running"]
        assert told[-1] == ("refused", 1)


def test_ctrl_c_ends_the_engines_within_a_second_and_is_recorded(space: Space) -> None:
    before = log_sizes(space)
    command = [sys.executable, "-m", "dataspace.cli.main", "query", SLOW, "--purpose", "HRESCH"]
    command += ["--home", str(space.home), "--as", "hongkong/researcher"]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    await_true(lambda: log_sizes(space)["broker"] == before["broker"] + 1, "not forwarded")
    time.sleep(1)  # every engine is at it
    assert {region: log_sizes(space)[region] for region in REGIONS} == {
        region: before[region] for region in REGIONS
    }
    asking.send_signal(signal.SIGINT)
    began = time.monotonic()
    await_entries(space, {region: before[region] + 1 for region in REGIONS}, 5)
    took = time.monotonic() - began
    await_entries(space, {"broker": before["broker"] + 2}, 5)
    out, err = asking.communicate(timeout=10)
    assert asking.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    for region in REGIONS:
        entry = last_entry(space, region)
        assert (entry.kind, entry.fields["code"]) == ("query.refused", "query-cancelled")
    assert last_entry(space, "broker").kind == "query.cancelled"
    print(f"engines ended {took:.2f} s after Ctrl-C")
    assert {party: log_sizes(space)[party] - before[party] for party in EVERYBODY} == {
        "broker": 2, **dict.fromkeys(REGIONS, 1)
    }  # fmt: skip


def test_a_deadline_travels_with_the_call(space: Space) -> None:
    before = log_sizes(space)
    began = time.monotonic()
    asked = query(space, SLOW, "--deadline", "1")
    print(f"told {time.monotonic() - began:.2f} s after it was asked")
    assert (asked.code, asked.error["code"]) == (5, "query-timeout")
    assert "guangzhou" in asked.error["message"]
    await_entries(space, {region: before[region] + 1 for region in REGIONS}, 5)
    for region in REGIONS:
        assert last_entry(space, region).fields["code"] == "query-timeout"
    # The regions' own words came back in time: the broker released what they said.
    assert last_entry(space, "broker").kind == "query.released"


def test_a_node_that_hangs_is_named_before_the_callers_deadline(space: Space) -> None:
    hung = process_of(space, "macao")
    hung.suspend()
    try:
        told = query(space, COUNT, "--require", "any", "--deadline", "3")
    finally:
        hung.resume()
    assert told.code == 0, told.err
    nodes = {node["region"]: node for node in told.json["nodes"]}
    assert nodes["macao"]["status"] == "timeout"
    assert "(per broker)" in nodes["macao"]["reason"]
    assert json.loads(told.out)["rows"]
