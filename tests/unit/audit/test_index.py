"""The search index finds what a full scan finds, forgets what is erased, and is built anew."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import Entry
from dataspace.audit.following import Follower
from dataspace.audit.index import AuditIndex, Column, Columns, Indexed
from dataspace.audit.index_search import Search
from dataspace.audit.store import LogStore
from dataspace.errors import Unavailable
from tests.unit.audit.samples import ORIGIN, OTHER_PRIVATE_KEY, PRIVATE_KEY

SALT = bytes(32)


def reads(name: str) -> Column:
    def read(source: Mapping[str, object]) -> Iterable[str]:
        value = source.get(name, ())
        return [value] if isinstance(value, str) else list(value)  # type: ignore[call-overload]

    return Column(name, name == "actor", read)


COLUMNS = Columns((reads("outcome"), reads("product"), reads("actor")))


def made(number: int, at_ms: int, outcome: str, products: list[str], actor: str) -> Indexed:
    fields = {"outcome": outcome, "product": products}
    body = {"actor": actor} if actor else None
    return Indexed(number, at_ms, f"query.{outcome}", fields, f"{number:064x}", body)


def new_index(folder: Path, name: str = "index.db") -> AuditIndex:
    return AuditIndex(folder / name, ORIGIN, COLUMNS)


entries = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.sampled_from(["released", "refused"]),
        st.lists(st.sampled_from(["patients", "conditions"]), unique=True),
        st.sampled_from(["", "ann", "bob"]),
    ),
    max_size=40,
)
terms = st.dictionaries(
    st.sampled_from(["kind", "family", "outcome", "product", "actor"]),
    st.sampled_from(["query.released", "query", "released", "refused", "patients", "ann", "zed"]),
    max_size=3,
)


def has(entry: Indexed, column: str, value: str) -> bool:
    if column == "kind":
        return entry.kind == value
    if column == "family":
        return entry.kind.partition(".")[0] == value
    source = (entry.body or {}) if column == "actor" else entry.fields
    found = source.get(column, ())
    return value == found if isinstance(found, str) else value in found  # type: ignore[operator]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries, terms, terms, st.integers(0, 50), st.integers(0, 51), st.integers(1, 7), st.booleans()
)
def test_pages_together_are_what_a_full_scan_finds(
    tmp_path_factory: pytest.TempPathFactory,
    raw: list[tuple[int, str, list[str], str]],
    wanted: dict[str, str],
    without: dict[str, str],
    from_ms: int,
    until_ms: int,
    limit: int,
    newest_first: bool,
) -> None:
    index = new_index(tmp_path_factory.mktemp("index"))
    log = [made(number, *each) for number, each in enumerate(raw)]
    index.add(log, "leaf")
    expected = [
        e.index
        for e in log
        if from_ms <= e.at_ms < until_ms
        and all(has(e, *term) for term in wanted.items())
        and not any(has(e, *term) for term in without.items())
    ]
    found: list[int] = []
    place: int | None = None
    for _ in range(len(log) + 1):
        page = index.search(
            Search(len(log), limit, wanted, without, from_ms, until_ms, newest_first, place)
        )
        found += page.indices
        place = page.next
        if not page.more:
            break
    assert found == (expected[::-1] if newest_first else expected)
    assert not index.search(
        Search(len(log), limit, wanted, without, from_ms, until_ms, newest_first, place)
    ).indices
    index.close()


def test_a_page_does_not_change_when_the_log_grows(tmp_path: Path) -> None:
    index = new_index(tmp_path)
    index.add([made(n, n, "released", [], "") for n in range(10)], "a")
    first = index.search(Search(10, 4))
    index.add([made(n, n, "released", [], "") for n in range(10, 30)], "b")
    second = index.search(Search(30, 30, next=first.next))
    assert (*first.indices, *second.indices) == tuple(range(30))
    assert index.search(Search(10, 100)).indices == tuple(range(10))


def test_an_erased_body_leaves_no_word_in_the_file(tmp_path: Path) -> None:
    index = new_index(tmp_path)
    index.add([made(0, 0, "released", [], "a-very-rare-name"), made(1, 1, "refused", [], "b")], "l")
    assert index.search(Search(2, 9, {"actor": "a-very-rare-name"})).indices == (0,)
    index.erase(f"{0:064x}")
    assert index.search(Search(2, 9, {"actor": "a-very-rare-name"})).indices == ()
    assert index.search(Search(2, 9, {"outcome": "released"})).indices == (0,)
    assert index.bodies_before(99, 9) == [f"{1:064x}"]
    for file in tmp_path.iterdir():
        assert b"a-very-rare-name" not in file.read_bytes(), file.name


@pytest.mark.parametrize("spoil", ["garbage", "gap", "columns", "origin", "version"])
def test_an_index_that_is_not_this_logs_is_built_anew(tmp_path: Path, spoil: str) -> None:
    index = new_index(tmp_path)
    index.add([made(n, n, "released", [], "") for n in range(3)], "l")
    index.close()
    file = tmp_path / "index.db"
    columns, origin = COLUMNS, ORIGIN
    if spoil == "garbage":
        file.write_bytes(b"no database at all" * 500)
    elif spoil == "columns":
        columns = Columns(COLUMNS.columns[:2])
    elif spoil == "origin":
        origin = "another/log"
    else:
        with sqlite3.connect(file) as raw:
            raw.execute(
                "PRAGMA user_version = 77"
                if spoil == "version"
                else "DELETE FROM entries WHERE idx = 1"
            )
        raw.close()
    assert AuditIndex(file, origin, columns).size == 0


def test_entries_that_do_not_follow_are_not_taken(tmp_path: Path) -> None:
    index = new_index(tmp_path)
    index.add([made(0, 0, "released", [], "")], "l")
    with pytest.raises(Unavailable):
        index.add([made(2, 2, "released", [], "")], "l")
    assert index.size == 1


def grown(folder: Path, key: object = PRIVATE_KEY, size: int = 600) -> tuple[LogStore, BodyStore]:
    log = LogStore.create(folder / "log", ORIGIN, key)  # type: ignore[arg-type]
    bodies = BodyStore(folder / "bodies")
    for number in range(size):
        body = bodies.put(json.dumps({"actor": f"a{number % 3}"}).encode(), SALT)
        log.append(Entry("query.released", number, {"outcome": "x", "context": body}).to_bytes())
    return log, bodies


def test_a_follower_indexes_what_is_there_and_what_comes(tmp_path: Path) -> None:
    log, bodies = grown(tmp_path, size=300)
    index = new_index(tmp_path)
    seen: list[int] = []
    follower = Follower(
        log, tmp_path / "log", bodies, index,
        lambda entries, live: seen.extend(e.index for e in entries if live),
    )  # fmt: skip
    follower.start()
    follower.wait_for(300, 10)
    log.append(Entry("query.refused", 1, {"outcome": "y"}).to_bytes())
    follower.wait_for(301, 10)
    assert index.search(Search(301, 9, {"outcome": "y"})).indices == (300,)
    assert len(index.search(Search(301, 999, {"actor": "a1"})).indices) == 100
    follower.close()
    assert seen == [300], "only what came is news"
    log.close()


def test_what_came_while_nobody_followed_is_news_and_comes_once(tmp_path: Path) -> None:
    log, bodies = grown(tmp_path, size=5)
    seen: list[tuple[int, bool]] = []

    def follow() -> None:
        index = new_index(tmp_path)
        follower = Follower(
            log, tmp_path / "log", bodies, index,
            lambda entries, live: seen.extend((e.index, live) for e in entries),
        )  # fmt: skip
        follower.catch_up()
        index.close()

    follow()
    log.append(Entry("query.refused", 1, {}).to_bytes())
    follow()
    assert [index for index, live in seen if live] == [5]
    log.close()


def test_an_index_of_another_history_is_thrown_away(tmp_path: Path) -> None:
    log, bodies = grown(tmp_path / "one", size=10)
    index = new_index(tmp_path)
    Follower(log, tmp_path / "one" / "log", bodies, index).catch_up()
    log.close()
    other = LogStore.create(tmp_path / "two", ORIGIN, OTHER_PRIVATE_KEY)
    for number in range(12):
        other.append(Entry("other.kind", number, {}).to_bytes())
    Follower(other, tmp_path / "two", bodies, index).catch_up()
    assert index.size == 12
    assert index.search(Search(12, 99, {"kind": "query.released"})).indices == ()
    assert len(index.search(Search(12, 99, {"kind": "other.kind"})).indices) == 12
    other.close()


def test_a_search_that_the_index_cannot_serve_yet_is_unavailable(tmp_path: Path) -> None:
    log, bodies = grown(tmp_path, size=1)
    follower = Follower(log, None, bodies, new_index(tmp_path))
    with pytest.raises(Unavailable) as caught:
        follower.wait_for(1, 0.05)
    assert caught.value.code == "index-behind"
    log.close()
