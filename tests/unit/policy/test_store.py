"""A folder's good changes take force whole; bad ones change nothing and are reported."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dataspace.errors import Malformed, Unavailable
from dataspace.policy import store as module
from dataspace.policy.decisions import decide
from dataspace.policy.faults import PolicyFault
from dataspace.policy.store import InForce, PolicyStore, read_files, read_folder

from .samples import POLICIES, forbid, statistics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES, tmp_path / "policies"))


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def test_a_bad_file_keeps_the_old_set_in_force_and_is_reported(folder: Path) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    before = store.current()
    append(folder / "macao.cedar", forbid("bad", "context.nothing"))
    assert store.current() is before
    assert isinstance(store.error, Malformed)
    assert "macao.cedar" in store.error.message
    assert decide(store.current(), statistics()).allowed
    assert store.refresh().error is store.error


def test_a_mended_folder_takes_force_and_clears_the_report(folder: Path) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    before = store.current()
    good = (folder / "macao.cedar").read_text("utf-8")
    (folder / "macao.cedar").write_text("permit", "utf-8")
    assert store.refresh().error is not None
    (folder / "macao.cedar").write_text(good, "utf-8")
    assert store.current() == before
    assert store.error is None


def test_a_good_change_takes_force_at_once(folder: Path) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    before = store.current()
    append(folder / "space.cedar", forbid("closed-today", "true"))
    after = store.current()
    assert after.sha256 != before.sha256
    assert "closed-today" in [found.id for found in decide(after, statistics()).rules]
    assert store.error is None


def test_a_change_of_equal_size_is_seen(folder: Path) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    before = store.current().sha256
    path = folder / "space.cedar"
    path.write_text(path.read_text("utf-8").replace("Examples for", "examples for"), "utf-8")
    assert store.current().sha256 != before


def test_a_removed_or_added_negative_list_is_seen(folder: Path) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    genetic = statistics(categories=frozenset({"genetic"}))
    assert not decide(store.current(), genetic).allowed
    (folder / "negative-lists" / "gba-health-2024.toml").unlink()
    assert decide(store.current(), genetic).allowed


def test_an_unchanged_folder_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    monkeypatch.setattr(module, "load", None)
    first = store.current()
    assert store.current() is first
    assert store.error is None


def test_a_vanished_folder_keeps_the_old_set_and_its_return_is_seen(
    folder: Path, tmp_path: Path
) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    before = store.current()
    folder.rename(tmp_path / "away")
    assert store.current() is before
    assert isinstance(store.error, Unavailable)
    (tmp_path / "away").rename(folder)
    assert store.current() == before
    assert store.error is None


def test_without_a_first_valid_set_there_is_no_store(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        PolicyStore(tmp_path / "nowhere")
    append(folder / "space.cedar", "permit")
    with pytest.raises(Malformed):
        PolicyStore(folder, poll_seconds=0)


def test_a_misspelt_file_name_is_refused_and_readme_tests_and_hidden_files_are_not_rules(
    folder: Path,
) -> None:
    (folder / ".swap").write_bytes(b"x")
    names = set(read_files(folder))
    assert "negative-lists/gba-health-2024.toml" in names
    assert not any("README" in name or "tests" in name or "swap" in name for name in names)
    (folder / "shenzhen.ceder").write_bytes(b"")
    with pytest.raises(Malformed, match=r"shenzhen\.ceder"):
        read_folder(folder)


def test_a_folder_is_looked_at_no_more_than_once_in_its_interval(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = PolicyStore(folder, poll_seconds=60)
    before = store.current()
    append(folder / "space.cedar", forbid("closed-today", "true"))
    monkeypatch.setattr(module, "_fingerprint", None)
    assert store.current() is before
    monkeypatch.undo()
    assert store.refresh().policies is not before


def test_a_listener_hears_the_set_in_force_each_change_and_each_refusal_once(folder: Path) -> None:
    store, heard = PolicyStore(folder, poll_seconds=0), list[InForce]()
    store.listen(heard.append)
    first = store.current()
    good = (folder / "space.cedar").read_text("utf-8")
    append(folder / "space.cedar", forbid("bad", "context.nothing"))
    for _ in range(3):
        store.refresh()
    (folder / "space.cedar").write_text(good + forbid("closed", "true"), "utf-8")
    after = store.current()
    assert [each.policies for each in heard] == [first, first, after]
    fault = heard[1].error
    assert isinstance(fault, PolicyFault)
    assert fault.place is not None
    named = (fault.source, fault.rule, fault.place.line)
    assert named == ("space.cedar", "bad", good.count("\n") + 1)


def test_a_folder_that_stays_away_is_told_once(folder: Path, tmp_path: Path) -> None:
    store, heard = PolicyStore(folder, poll_seconds=0), list[InForce]()
    store.listen(heard.append)
    folder.rename(tmp_path / "away")
    for _ in range(3):
        store.refresh()
    assert [type(each.error) for each in heard] == [type(None), Unavailable]


def test_a_set_that_cannot_be_recorded_decides_nothing(folder: Path) -> None:
    store = PolicyStore(folder, poll_seconds=0)
    before, full = store.current(), True

    def record(in_force: InForce) -> None:
        if full and in_force.policies is not before:
            raise Unavailable("the disk is full", code="log-store")

    store.listen(record)
    append(folder / "space.cedar", forbid("closed-today", "true"))
    assert store.current() is before
    assert isinstance(store.error, Unavailable)
    full = False
    assert store.current() is not before
    assert store.error is None
