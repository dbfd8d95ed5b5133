"""Generations: a load is whole or it is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.errors import Malformed, Unavailable
from dataspace.query.product_file import parse_product
from node.warehouse.generations import Generation, Generations
from node.warehouse.loader import build
from tests.unit.node.samples import TRIAL, csv


def load(generations: Generations, file: Path) -> str:
    with generations.loading() as draft:
        build(draft, parse_product(TRIAL.encode()), TRIAL.encode(), b"signed", [file])
        generations.publish(draft)
    return draft.name


def names(generations: Generations) -> list[str]:
    return sorted(folder.name for folder in generations.root.glob("g*"))


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    return Generations(tmp_path / "warehouse")


def test_there_is_no_generation_before_the_first_load(generations: Generations) -> None:
    assert generations.current() is None


def test_a_load_that_succeeds_is_the_generation_in_force(
    generations: Generations, tmp_path: Path
) -> None:
    name = load(generations, csv(tmp_path))
    current = generations.current()
    assert current is not None
    assert current.name == name
    assert current.products() == {"trial": (TRIAL.encode(), b"signed")}
    assert load(generations, csv(tmp_path)) > name


def test_a_load_that_fails_leaves_the_generation_in_force_and_no_trace(
    generations: Generations, tmp_path: Path
) -> None:
    name = load(generations, csv(tmp_path))
    before = (generations.root / name / "data.duckdb").read_bytes()
    with pytest.raises(Malformed):
        load(generations, csv(tmp_path, "p1,X,1,2020-01-01,40\n", name="bad.csv"))
    assert generations.current() == Generation(generations.root / name)
    assert names(generations) == [name]
    assert (generations.root / name / "data.duckdb").read_bytes() == before


def test_a_first_load_that_fails_leaves_no_generation(
    generations: Generations, tmp_path: Path
) -> None:
    with pytest.raises(Malformed):
        load(generations, tmp_path / "missing.csv")
    assert generations.current() is None
    assert names(generations) == []


def test_a_load_that_ends_without_publishing_changes_nothing(generations: Generations) -> None:
    with generations.loading() as draft:
        assert draft.path.is_dir()
    assert generations.current() is None
    assert names(generations) == []


def test_a_second_load_at_the_same_time_is_refused(generations: Generations) -> None:
    with generations.loading():
        with pytest.raises(Unavailable) as caught, Generations(generations.root).loading():
            pass
        assert caught.value.code == "load-busy"
    with generations.loading():
        pass  # and possible again afterwards


def test_what_a_crash_left_behind_does_no_harm(generations: Generations, tmp_path: Path) -> None:
    name = load(generations, csv(tmp_path))
    (generations.root / "g000007" / "products").mkdir(parents=True)
    (generations.root / "g0-notes").mkdir()
    (generations.root / "CURRENT.new").write_text("g0000")
    current = generations.current()
    assert current is not None
    assert current.name == name
    assert load(generations, csv(tmp_path)) == "g000008"
    generations.remove_others("g000008")
    assert "g000007" not in names(generations)
    assert name not in names(generations)


def test_a_copy_that_fails_is_removed(
    generations: Generations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = load(generations, csv(tmp_path))

    def fail(_: Path, to: Path) -> None:
        to.mkdir()
        raise OSError("no space left")

    monkeypatch.setattr("node.warehouse.generations.shutil.copytree", fail)
    with pytest.raises(OSError, match="no space"), generations.loading():
        pass
    assert names(generations) == [name]
