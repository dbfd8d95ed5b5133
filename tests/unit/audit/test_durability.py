"""The order of flushes and renames, and an end of the process between any two calls."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dataspace.audit.reader import DirectoryReader
from dataspace.audit.store import LogStore
from dataspace.audit.verify import verify_log
from dataspace.errors import Unavailable

from .disk import Disk
from .samples import KEY, ORIGIN, PRIVATE_KEY, acknowledge_only, entry, reopen, write_batched


def test_every_file_is_flushed_before_its_rename_and_its_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batched(tmp_path / "log", 255)
    with reopen(tmp_path / "log") as log, monkeypatch.context() as patch:
        disk = Disk(patch)
        log.append(entry(255))
        log.publish()
    renamed = [(at, path) for at, (what, path) in enumerate(disk.calls) if what == "rename"]
    names = [str(path.relative_to(tmp_path / "log")) for _, path in renamed]
    assert sorted(names) == ["checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"]
    assert names[-1] == "checkpoint"
    staged = [path for what, path in disk.calls if what == "write" and "staging" in path.parts]
    last = renamed[-1][0]
    for (at, path), source in zip(renamed, staged, strict=True):
        assert ("fsync", source) in disk.calls[:at]
        until = None if path.name == "checkpoint" else last
        assert ("fsync", path.parent) in disk.calls[at:until]


def test_a_commit_is_one_synchronous_write_of_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_batched(tmp_path / "log", 3)
    with reopen(tmp_path / "log") as log:
        log.append(entry(3))
        log.publish()
        with monkeypatch.context() as patch:
            patch.setattr("dataspace.audit.publishing.Publisher.offer", lambda *_: None)
            disk = Disk(patch)
            log.append(entry(4))
        log.publish()
    assert [what for what, _ in disk.calls] == ["pwrite through"]


def test_a_segment_of_the_journal_is_on_disk_before_a_record_goes_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LogStore.create(tmp_path / "log", ORIGIN, PRIVATE_KEY) as log:
        with monkeypatch.context() as patch:
            patch.setattr("dataspace.audit.publishing.Publisher.offer", lambda *_: None)
            disk = Disk(patch)
            log.append(entry(0))
        log.publish()
    segment = tmp_path / "log/journal" / f"{0:019d}"
    made = [call for call in disk.calls if call[0] not in {"open", "write"}]
    assert made == [
        ("mkdir", segment.parent),
        ("fsync", tmp_path / "log"),
        ("fsync", segment),
        ("fsync", segment.parent),
        ("pwrite through", segment),
    ]


def test_the_journal_goes_only_after_what_it_holds_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogStore.create(tmp_path / "log", ORIGIN, PRIVATE_KEY)
    with monkeypatch.context() as patch:
        disk = Disk(patch)
        log.append(entry(0))
        log.close()
    cut = next(at for at, (what, path) in enumerate(disk.calls)
               if what == "unlink" and path.parent.name == "journal")  # fmt: skip
    checkpoint = max(
        at for at, (what, path) in enumerate(disk.calls)
        if what == "rename" and path.name == "checkpoint"
    )  # fmt: skip
    assert ("fsync", tmp_path / "log") in disk.calls[checkpoint:cut]


@pytest.mark.parametrize(
    ("size", "code"),
    [(0, errno.EIO), (1, errno.ENOSPC), (255, errno.EIO), (255, errno.ENOSPC), (256, errno.EROFS)],
)
def test_an_end_between_any_two_calls_loses_nothing_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, code: int
) -> None:
    write_batched(tmp_path / "whole", size)

    def use(directory: Path, acknowledged: list[int]) -> None:
        log = reopen(directory)
        try:
            for number in (size, size + 1):
                acknowledged.append(log.append(entry(number)).index)
                log.publish()
        finally:
            log.close()

    def check(directory: Path, told: list[int]) -> None:
        verify_log(DirectoryReader(directory), KEY)
        with reopen(directory) as log:
            assert log.size in range(size + len(told), size + 3)
            assert [log.read_entry(number) for number in range(log.size)] == [
                entry(number) for number in range(log.size)
            ]
            log.append(entry(1000))
        verify_log(DirectoryReader(directory), KEY)

    assert _fail_everywhere(tmp_path, monkeypatch, code, use, check) > 25


@pytest.mark.parametrize(
    ("size", "code"), [(0, errno.EIO), (255, errno.ENOSPC), (254, errno.EROFS)]
)
def test_an_end_between_any_two_calls_of_a_recovery_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, code: int
) -> None:
    write_batched(tmp_path / "before", size)
    acknowledge_only(tmp_path / "before", tmp_path / "whole", range(size, size + 3), monkeypatch)

    def use(directory: Path, _: list[int]) -> None:
        reopen(directory).close()

    def check(directory: Path, _: list[int]) -> None:
        verify_log(DirectoryReader(directory), KEY)
        with reopen(directory) as log:
            assert log.size == size + 3
            assert log.read_entry(size + 2) == entry(size + 2)
        assert verify_log(DirectoryReader(directory), KEY).size == size + 3

    assert _fail_everywhere(tmp_path, monkeypatch, code, use, check) > 10


def _fail_everywhere(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    use: Callable[[Path, list[int]], None],
    check: Callable[[Path, list[int]], None],
) -> int:
    """Use a copy of `whole` with each call failing in turn; how many calls there were."""
    fail_at = 0
    failed = True
    while failed:
        directory = folder / "copy"
        shutil.copytree(folder / "whole", directory)
        told: list[int] = []
        with monkeypatch.context() as patch:
            disk = Disk(patch, fail_at, code)
            with suppress(Unavailable):
                use(directory, told)
            failed = disk.failed
        check(directory, told)
        shutil.rmtree(directory)
        fail_at += 1
    return fail_at
