"""The order of flushes and renames, and an end of the process between any two of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.audit.verify import verify_log
from dataspace.errors import Unavailable

from .samples import KEY, ORIGIN, PRIVATE_KEY, entry, write_batched


class Disk:
    """Watches flushes and renames, and fails the n-th of them."""

    def __init__(self, patch: pytest.MonkeyPatch, fail_at: int = -1) -> None:
        self.calls: list[tuple[str, Path]] = []
        self._fail_at = fail_at
        self._fsync, self._rename = os.fsync, os.rename
        patch.setattr(os, "fsync", self.fsync)
        patch.setattr(os, "rename", self.rename)

    def fsync(self, handle: int) -> None:
        self._note("fsync", Path(os.readlink(f"/proc/self/fd/{handle}")))
        self._fsync(handle)

    def rename(self, source: Path, target: Path) -> None:
        self._note("from", Path(source))
        self._rename(source, target)
        self.calls.append(("rename", Path(target)))

    def _note(self, what: str, path: Path) -> None:
        if len(self.calls) >= self._fail_at >= 0:
            raise OSError(5, "input/output error")
        self.calls.append((what, path))


def test_every_file_is_flushed_before_its_rename_and_its_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batched(tmp_path / "log", 255)
    with (
        LogStore.open(tmp_path / "log", ORIGIN, PRIVATE_KEY) as log,
        monkeypatch.context() as patch,
    ):
        disk = Disk(patch)
        log.append(entry(255))
    renamed = [(at, path) for at, (what, path) in enumerate(disk.calls) if what == "rename"]
    names = [str(path.relative_to(tmp_path / "log")) for _, path in renamed]
    assert sorted(names) == ["checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"]
    assert names[-1] == "checkpoint"
    last = renamed[-1][0]
    for at, path in renamed:
        what, source = disk.calls[at - 1]
        assert what == "from"
        assert ("fsync", source) in disk.calls[:at]
        until = None if path.name == "checkpoint" else last
        assert ("fsync", path.parent) in disk.calls[at:until]


@pytest.mark.parametrize("size", [0, 1, 255, 256])
def test_an_end_between_any_two_writes_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    write_batched(tmp_path / "whole", size)
    failed = True
    fail_at = 0
    while failed:
        directory = tmp_path / str(fail_at)
        shutil.copytree(tmp_path / "whole", directory)
        with LogStore.open(directory, ORIGIN, PRIVATE_KEY) as log, monkeypatch.context() as patch:
            Disk(patch, fail_at)
            try:
                log.append(entry(size))
                failed = False
            except Unavailable:
                fail_at += 1
        verify_log(DirectoryReader(directory), KEY)
        with LogStore.open(directory, ORIGIN, PRIVATE_KEY) as log:
            assert log.size in ({size, size + 1} if failed else {size + 1})
            assert [log.read_entry(number) for number in range(size)] == [
                entry(number) for number in range(size)
            ]
            log.append(entry(1000))
        verify_log(DirectoryReader(directory), KEY)
        shutil.rmtree(directory)
    assert fail_at > 6
