"""A table answers nobody before the log commits to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dataspace.errors import Unavailable
from dataspace.linkage.buckets import name_of
from node.existence.building import Source, Tables
from node.existence.epochs import EpochStore, Served


class Full:
    """A log that takes nothing; it looks at what serves while it is asked to."""

    def __init__(self) -> None:
        self.serving: list[Served | None] = []
        self.tables: Tables | None = None

    def record(self, *_: object) -> None:
        assert self.tables is not None
        self.serving.append(self.tables.served)
        raise Unavailable("the disk is full", code="log")


def test_a_table_that_cannot_be_recorded_serves_nobody(tmp_path: Path) -> None:
    log: Any = Full()
    store = EpochStore(tmp_path / "existence")
    source = Source("data", lambda: [name_of(b"hkid:A1234563")])
    log.tables = tables = Tables(store, lambda: source, log, lambda: 1_800_000_000_000, 1.0)
    with pytest.raises(Unavailable):
        tables.refresh()
    assert log.serving == [None]
    with pytest.raises(Unavailable) as caught:
        tables.require()
    assert caught.value.code == "existence-building"
    assert store.current() is None
