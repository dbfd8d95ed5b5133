"""Erasing bodies: proofs stay whole, the log says so, the index forgets."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import Entry
from dataspace.audit.following import Follower
from dataspace.audit.index import AuditIndex
from dataspace.audit.index_search import Search
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.retention import Retention
from dataspace.audit.store import LogStore
from dataspace.audit.verify import verify_log
from dataspace.errors import Malformed, Unavailable
from dataspace.evidence.looks import COLUMNS
from dataspace.evidence.recording import Recorder
from tests.unit.audit.samples import KEY, ORIGIN, PRIVATE_KEY

ACTOR = "gba://macao/hospital/clinician/ann"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Recorder, Retention, list[str]]]:
    log = LogStore.create(tmp_path / "log", ORIGIN, PRIVATE_KEY)
    bodies = BodyStore(tmp_path / "bodies")
    keys = []
    for number in range(20):
        key = bodies.put(json.dumps({"actor": ACTOR}).encode(), secrets.token_bytes(32))
        keys.append(key)
        log.append(Entry("query.released", number * 1000, {"context": key}).to_bytes())
    recorder = Recorder(ORIGIN, log, bodies)
    follower = Follower(log, tmp_path / "log", bodies, AuditIndex(tmp_path / "i", ORIGIN, COLUMNS))
    follower.catch_up()
    retention = Retention(
        log, bodies, follower, lambda kind, fields: recorder.record(kind, 99_000, fields)
    )
    yield recorder, retention, keys
    log.close()


def by_actor(retention: Retention) -> int:
    return retention.follower.index.count(Search(1000, 1, {"actor": ACTOR}))


def test_old_bodies_go_and_every_proof_stays(
    kept: tuple[Recorder, Retention, list[str]], tmp_path: Path
) -> None:
    recorder, retention, keys = kept
    assert retention.erase_before(5_000) == 5
    assert [recorder.bodies.get(key) is None for key in keys] == [n < 5 for n in range(20)]
    assert by_actor(retention) == 15
    recorder.log.close()
    checked = verify_log(DirectoryReader(tmp_path / "log"), KEY)
    assert checked.size == checked.entries_checked == 21


def test_an_erasure_is_an_entry_with_counts(kept: tuple[Recorder, Retention, list[str]]) -> None:
    recorder, retention, keys = kept
    assert retention.erase_entry(3) == 1
    entry = Entry.from_bytes(recorder.log.read_entry(20))
    assert (entry.kind, entry.fields["count"], entry.fields["entry"]) == ("bodies.erased", 1, 3)
    assert ACTOR not in str(entry)
    assert recorder.bodies.get(keys[3]) is None
    assert by_actor(retention) == 19


def test_erasing_again_finds_nothing_and_records_nothing(
    kept: tuple[Recorder, Retention, list[str]],
) -> None:
    recorder, retention, _ = kept
    retention.erase_entry(3)
    size = recorder.log.size
    retention.follower.catch_up()
    assert retention.erase_entry(3) == 0
    assert retention.erase_before(0) == 0
    assert recorder.log.size == size


def test_nothing_is_erased_that_cannot_be_recorded(
    kept: tuple[Recorder, Retention, list[str]],
) -> None:
    recorder, retention, keys = kept
    recorder.log.close()
    with pytest.raises(Unavailable):
        retention.erase_before(5_000)
    assert all(recorder.bodies.get(key) is not None for key in keys)


def test_an_entry_that_is_not_there_is_malformed(
    kept: tuple[Recorder, Retention, list[str]],
) -> None:
    with pytest.raises(Malformed):
        kept[1].erase_entry(20)


def test_a_rebuilt_index_does_not_find_what_was_erased(
    kept: tuple[Recorder, Retention, list[str]], tmp_path: Path
) -> None:
    recorder, retention, _ = kept
    retention.erase_before(5_000)
    fresh = AuditIndex(tmp_path / "again", ORIGIN, COLUMNS)
    Follower(recorder.log, tmp_path / "log", recorder.bodies, fresh).catch_up()
    assert fresh.count(Search(21, 1, {"actor": ACTOR})) == 15
    assert fresh.bodies_before(5_000, 99) == []
