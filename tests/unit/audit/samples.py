"""A log's key, origin and entries, the same in every test."""

from __future__ import annotations

import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.entries import Entry
from dataspace.audit.notes import verifier_key
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


def write_log(directory: Path, size: int) -> None:
    new_log(directory, size).close()


def write_batched(directory: Path, size: int) -> None:
    """A log of `size` entries, appended by several threads to be quick."""
    with new_log(directory) as log:
        numbers = iter(range(size))
        take = threading.Lock()

        def work() -> None:
            while True:
                with take:
                    number = next(numbers, None)
                if number is None:
                    return
                log.append(entry(number))

        run_threads([threading.Thread(target=work) for _ in range(16)])


def run_threads(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
