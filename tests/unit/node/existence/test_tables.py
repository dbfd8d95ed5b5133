"""Tables: whole or none at any moment, one key an epoch, and nobody evaluated twice."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.bodies import BodyStore
from dataspace.audit.durable import sync_directory, write_synced
from dataspace.audit.entries import Entry
from dataspace.audit.store import LogStore
from dataspace.errors import Unavailable
from dataspace.evidence.existence import Epoch
from dataspace.evidence.recording import Recorder
from dataspace.linkage import oprf
from dataspace.linkage.buckets import bucket_of, is_known, name_of
from dataspace.linkage.documents import canonical
from node.existence import building, epochs
from node.existence.building import Source, Tables
from node.existence.epochs import POINTER, SECRET_BYTES, EpochStore, Known, Secrets, Served
from node.existence.opening import names

DAY = 86_400_000
NOW = 1_800_000_000_000


@dataclass
class Node:
    """Tables over a list of documents, with a clock of their own."""

    folder: Path
    documents: list[str] = field(default_factory=lambda: [f"A{n:07}" for n in range(50)])
    generation: int = 1
    at_ms: int = NOW
    broken: bool = False
    read: int = 0

    def __post_init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        log = LogStore.create(self.folder / "log", "test.space/node", key)
        self.recorder = Recorder("test.space/node", log, BodyStore(self.folder / "bodies"))
        self.tables = self.opened()

    def opened(self) -> Tables:
        store = EpochStore(self.folder / "existence")
        return Tables(store, self._source, self.recorder, lambda: self.at_ms, epoch_days=7)

    def _source(self) -> Source:
        return Source(f"g{self.generation}", self._batches)

    def _batches(self) -> Iterator[bytes]:
        for at in range(0, len(self.documents), 20):
            if self.broken and at:
                raise Unavailable("the engine could not answer", code="engine-error")
            self.read += 1
            yield b"".join(map(name, self.documents[at : at + 20]))

    def load(self, *more: str) -> None:
        self.documents += more
        self.generation += 1

    def entries(self) -> list[Entry]:
        log = self.recorder.log
        return [Entry.from_bytes(log.read_entry(index)) for index in range(log.size)]


def name(document: str) -> bytes:
    return name_of(canonical("other_id", document))


def knows(served: Served | None, document: str) -> bool:
    assert served is not None
    output = oprf.evaluate(served.secrets.key.secret, [name(document)])
    return is_known(output, served.table.row(bucket_of(name(document), served.bits)))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many names each pass evaluates."""
    counts: list[int] = []
    outputs = building._outputs

    def counting(secret: bytes, batches: Iterator[bytes], check: Any) -> Iterator[bytes]:
        def counted() -> Iterator[bytes]:
            for batch in batches:
                counts.append(len(batch) // 32)
                yield batch

        return outputs(secret, counted(), check)

    monkeypatch.setattr(building, "_outputs", counting)
    return counts


def test_there_is_no_answer_before_the_first_table_is_whole(node: Node) -> None:
    with pytest.raises(Unavailable) as caught:
        node.tables.require()
    assert caught.value.code == "existence-building"
    assert node.tables.refresh()
    assert knows(node.tables.require(), "A0000007")
    assert not knows(node.tables.require(), "B0000007")


def test_a_table_is_in_the_log_before_it_answers(node: Node) -> None:
    node.tables.refresh()
    served = node.tables.require()
    (entry,) = node.entries()
    assert Epoch.of_entry(entry) == served.epoch
    assert served.receipt is not None
    assert served.receipt.entry == entry.to_bytes()


def test_nothing_is_made_while_nothing_is_due(node: Node) -> None:
    assert [node.tables.refresh() for _ in range(3)] == [True, False, False]
    assert len(node.entries()) == 1


def test_a_load_keeps_the_key_and_evaluates_what_is_new_alone(
    node: Node, evaluated: list[int]
) -> None:
    node.tables.refresh()
    before = node.tables.require()
    evaluated.clear()
    node.load("C1", "A0000003", "C2", "C1")
    assert node.tables.refresh()
    after = node.tables.require()
    assert after.epoch.public == before.epoch.public
    assert (after.epoch.number, after.bits) == (before.epoch.number, before.bits)
    assert after.epoch.root != before.epoch.root
    assert sum(evaluated) == 3  # one of them twice in a batch
    assert knows(after, "C2")
    assert len(after.known.hashes) == 52


def test_who_is_gone_from_the_data_is_gone_from_the_table(node: Node) -> None:
    node.tables.refresh()
    del node.documents[:10]
    node.load()
    node.tables.refresh()
    assert not knows(node.tables.served, "A0000007")
    assert knows(node.tables.served, "A0000017")


def test_the_next_epoch_has_another_key_and_number(node: Node) -> None:
    node.tables.refresh()
    before = node.tables.require()
    node.at_ms += 7 * DAY
    assert node.tables.refresh()
    after = node.tables.require()
    assert after.epoch.public != before.epoch.public
    assert after.epoch.number > before.epoch.number
    assert after.secrets.filling != before.secrets.filling
    assert [each.name for each in node.tables.store._folder.iterdir() if each.is_dir()] == [
        str(after.epoch.number)
    ]


def test_the_old_table_serves_until_the_new_one_is_whole(node: Node) -> None:
    node.tables.refresh()
    before = node.tables.require()
    node.load("C1")
    node.broken = True
    with pytest.raises(Unavailable):
        node.tables.refresh()
    assert node.tables.require() is before
    assert node.opened().require().epoch == before.epoch
    node.broken = False
    assert node.tables.refresh()


def test_a_clock_set_back_begins_no_epoch_twice(node: Node) -> None:
    node.tables.refresh()
    first = node.tables.require().epoch.number
    node.tables.served = None
    node.at_ms -= DAY
    node.tables.refresh()
    assert node.tables.require().epoch.number > first


def test_an_epoch_outlives_the_process(node: Node, evaluated: list[int]) -> None:
    node.tables.refresh()
    evaluated.clear()
    again = node.opened()
    assert again.require().epoch == node.tables.require().epoch
    assert not again.refresh()
    assert evaluated == []


def test_what_is_kept_is_for_the_owner_alone(node: Node) -> None:
    node.tables.refresh()
    for path in (node.folder / "existence").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0 or path.is_dir(), path
    assert stat.S_IMODE((node.folder / "existence").stat().st_mode) == 0o700


class _Stop(BaseException):
    """The machine stops."""


@pytest.mark.parametrize("until", range(9))
def test_whoever_stops_at_any_moment_leaves_a_whole_table_or_none(
    node: Node, monkeypatch: pytest.MonkeyPatch, until: int
) -> None:
    node.tables.refresh()
    before = node.tables.require().epoch
    node.at_ms += 7 * DAY
    calls = iter(range(100))
    write, sync, rename = write_synced, sync_directory, Path.rename

    def half_written(path: Path, data: bytes) -> None:
        if next(calls) == until:
            path.write_bytes(data[: len(data) // 2])
            raise _Stop
        write(path, data)

    def unsynced(path: Path) -> None:
        if next(calls) == until:
            raise _Stop
        sync(path)

    def not_renamed(path: Path, target: Path) -> Path:
        if "existence" in path.parts and next(calls) == until:
            raise _Stop
        return rename(path, target)

    monkeypatch.setattr(epochs, "write_synced", half_written)
    monkeypatch.setattr(epochs, "sync_directory", unsynced)
    monkeypatch.setattr(Path, "rename", not_renamed)
    stopped = False
    try:
        node.tables.refresh()
    except _Stop:
        stopped = True
    monkeypatch.undo()
    assert stopped == (until < 8)
    found = EpochStore(node.folder / "existence").current()
    assert knows(found, "A0000007")
    if found is not None and found.epoch == before:
        assert node.opened().refresh()


@pytest.mark.parametrize("damage", [b"", b"{}", b"{}\n" + bytes(64)])
def test_a_damaged_table_is_made_anew(node: Node, damage: bytes) -> None:
    node.tables.refresh()
    number = (node.folder / "existence" / POINTER).read_text()
    file = node.folder / "existence" / number / "table"
    true = file.read_bytes()
    flipped = true[:200] + bytes([true[200] ^ 1]) + true[201:]
    for data in (damage, flipped, true[:-1]):
        file.write_bytes(data)
        assert EpochStore(node.folder / "existence").current() is None
    again = node.opened()
    assert again.refresh()
    assert knows(again.served, "A0000007")


def test_a_table_that_the_log_does_not_commit_to_is_made_anew(node: Node) -> None:
    node.tables.refresh()
    served = node.tables.require()
    other = Served(
        served.secrets, Known.none(), served.bits, served.ends_ms, served.source, served.receipt
    )
    node.tables.store.keep(other)
    assert EpochStore(node.folder / "existence").current() is None


def test_a_node_that_stops_gives_up_what_it_makes(node: Node) -> None:
    node.documents = [f"A{n:07}" for n in range(3000)]
    node.tables.stop()
    with pytest.raises(Unavailable):
        node.tables.refresh()


def test_many_documents_are_evaluated_by_processes_of_their_own(node: Node) -> None:
    node.documents = [f"A{n:07}" for n in range(3000)]
    node.tables.refresh()
    served = node.tables.require()
    assert served.bits == 1
    assert all(knows(served, f"A{n:07}") for n in range(0, 3000, 97))


def test_a_node_without_documents_says_so(node: Node) -> None:
    tables = Tables(
        EpochStore(node.folder / "none"), lambda: Source("g1", None), node.recorder,
        lambda: NOW, 7,
    )  # fmt: skip
    assert not tables.refresh()
    with pytest.raises(Unavailable) as caught:
        tables.require()
    assert caught.value.code == "existence-none"


def test_numbers_that_are_none_are_left_out_and_the_others_normalised() -> None:
    def read() -> Iterable[list[tuple[str, str]]]:
        return iter([[("hkid", "a123456 3"), ("hkid", "A123456(4)")], [("mtp", "nothing")]])

    assert list(names(read)) == [name_of(b"hkid:A1234563")]  # type: ignore[arg-type]  # an iterator


def test_secrets_show_nothing_when_printed() -> None:
    data = bytes(range(SECRET_BYTES))
    assert "\\x01" not in repr(Secrets(1, data))
    parts = {Secrets(1, data).filling, Secrets(1, data).index_key, data[:32]}
    assert len(parts) == 3


def test_entries_of_known_names_are_found_again() -> None:
    hashes = np.array([5, 3, 9, 3], np.uint64)
    known = Known.of([(hashes, hashes.astype(np.uint32), hashes * np.uint64(2))])
    entries, found = known.entries_of(np.array([3, 4, 9, 11], np.uint64))
    assert found.tolist() == [True, False, True, False]
    assert entries[found].tolist() == [6, 18]
