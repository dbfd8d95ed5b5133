"""A log's key, origin and entries, the same in every test."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.entries import Entry
from dataspace.audit.notes import verifier_key
from dataspace.audit.publishing import Publisher
from dataspace.audit.store import LogStore

ORIGIN = "gba.example/hongkong/node"
PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY = verifier_key(ORIGIN, PRIVATE_KEY)


def entry(number: int) -> bytes:
    return Entry("query.decided", number, {"request": f"{number:064x}"}).to_bytes()


def new_log(directory: Path, size: int = 0) -> LogStore:
    log = LogStore.create(directory, ORIGIN, PRIVATE_KEY)
    for number in range(size):
        log.append(entry(number))
    return log


def reopen(directory: Path) -> LogStore:
    return LogStore.open(directory, ORIGIN, PRIVATE_KEY)


def acknowledge_only(
    directory: Path, copy: Path, numbers: Iterable[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Append entries and copy the log as a crash leaves it: all of them in the journal alone."""
    log = reopen(directory)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "offer", lambda *_: None)
        for number in numbers:
            log.append(entry(number))
        shutil.copytree(directory, copy)
    log.close()


def write_log(directory: Path, size: int) -> None:
    new_log(directory, size).close()


def write_batched(directory: Path, size: int) -> None:
    """A log of `size` entries, few commits."""
    with new_log(directory) as log:
        for done in [log.submit(entry(number)) for number in range(size)]:
            done.result()


def run_threads(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
