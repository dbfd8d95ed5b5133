"""One contract for every shelf of agreements: in memory, in the ledger, in a directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dataspace.agreement_files import FileShelf
from dataspace.errors import Malformed, Unavailable
from dataspace.policy.shelves import MemoryShelf, Shelf
from node.agreements import LedgerShelf
from node.ledger import Ledger
from tests.contract.conftest import write_password
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import operators

Make = Callable[[Path], Shelf]


def _in_directory(folder: Path) -> Shelf:
    folder.joinpath("agreements").mkdir(exist_ok=True)
    return FileShelf(folder / "agreements")


MAKERS: dict[str, Make] = {
    "memory": lambda _: MemoryShelf(),
    "directory": _in_directory,
    "ledger in memory": lambda _: LedgerShelf(Ledger.in_memory()),
    "ledger in a file": lambda folder: LedgerShelf(Ledger.in_file(folder / "ledger.db")),
}
ON_POSTGRES = "ledger on PostgreSQL"
DURABLE = ("ledger in a file", "directory", ON_POSTGRES)


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the shelf of the kind that a test is for, on PostgreSQL too."""
    kind = request.node.callspec.params["kind"]
    if kind != ON_POSTGRES:
        return MAKERS[kind]
    server = request.getfixturevalue("postgres")
    url = server.url(server.database())

    def on_postgres(folder: Path) -> Shelf:
        write_password(folder, server)
        return LedgerShelf(Ledger.of_home(folder, url, "gba/hongkong"))

    return on_postgres


@pytest.fixture(params=[*MAKERS, ON_POSTGRES])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shelf(kind: str, make: Make, tmp_path: Path) -> Shelf:
    return make(tmp_path)


def test_what_was_put_is_found_whole(shelf: Shelf) -> None:
    agreement = operators().agreement()
    shelf.put(agreement, NOW_MS)
    held = shelf.find(agreement.id)
    assert held is not None
    assert held.agreement == agreement
    assert held.received_ms == (NOW_MS,) * 4
    assert held.used == 0
    assert shelf.find("0" * 64) is None


def test_each_step_keeps_the_time_at_which_it_came(shelf: Shelf) -> None:
    whole = operators().agreement()
    for number in range(1, 5):
        shelf.put(replace(whole, steps=whole.steps[:number]), NOW_MS + number)
    held = shelf.find(whole.id)
    assert held is not None
    assert held.received_ms == (NOW_MS + 1, NOW_MS + 2, NOW_MS + 3, NOW_MS + 4)
    assert held.agreement == whole


def test_a_step_that_was_kept_is_never_replaced(shelf: Shelf) -> None:
    them = operators()
    asked = them.agreement("requested")
    shelf.put(asked.extended(them.step("agreed", "guangzhou", asked)), NOW_MS)
    other = asked.extended(them.step("terminated", "hongkong", asked))
    for stale in (asked, other):
        if stale is asked:
            continue
        with pytest.raises(Unavailable) as caught:
            shelf.put(stale, NOW_MS)
        assert caught.value.code == "agreement-race"
    with pytest.raises(Unavailable):
        shelf.put(asked, NOW_MS)
    held = shelf.find(asked.id)
    assert held is not None
    assert held.agreement.state == "agreed"


def test_agreements_are_found_by_the_way_of_the_data(shelf: Shelf) -> None:
    there = operators().agreement()
    back = operators().agreement(provider="hongkong", consumer="guangzhou/hospital")
    for agreement in (there, back):
        shelf.put(agreement, NOW_MS)
    assert [each.id for each in shelf.of_pair("guangzhou", "hongkong")] == [there.id]
    assert [each.id for each in shelf.of_pair("hongkong", "guangzhou")] == [back.id]
    assert shelf.of_pair("macao", "hongkong") == []
    assert [each.id for each in shelf.all()] == sorted([there.id, back.id])


def test_uses_are_counted(shelf: Shelf) -> None:
    agreement = operators().agreement(budget=5)
    shelf.put(agreement, NOW_MS)
    for _ in range(3):
        shelf.count_use(agreement.id)
    held = shelf.find(agreement.id)
    assert held is not None
    assert held.used == 3
    with pytest.raises(Unavailable):
        shelf.count_use("0" * 64)


@pytest.mark.parametrize("kind", DURABLE)
def test_agreements_outlive_the_process(kind: str, make: Make, tmp_path: Path) -> None:
    agreement = operators().agreement("terminated")
    make(tmp_path).put(agreement, NOW_MS)
    held = make(tmp_path).find(agreement.id)
    assert held is not None
    assert held.agreement == agreement


def test_a_file_that_holds_no_agreement_is_named(tmp_path: Path) -> None:
    MAKERS["directory"](tmp_path).put(operators().agreement(), NOW_MS)
    (file,) = (tmp_path / "agreements").glob("*.chain")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(Malformed, match=file.name):
        MAKERS["directory"](tmp_path)
