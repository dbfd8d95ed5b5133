"""Versions of SQLite stores: refuse newer ones, bring older ones forward, copy first. Rim.

The version is the file's `user_version`; 0 is a new file, or one of a release before there were
versions, which is version 1.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from dataspace.audit.durable import sync_directory
from dataspace.storage import newer

NO_STEPS: Mapping[int, str] = {}


def bring_up(
    database: sqlite3.Connection,
    file: Path,
    store: str,
    schema: str,
    version: int = 1,
    steps: Mapping[int, str] = NO_STEPS,
) -> None:
    """Make a new store's tables, or bring an older one forward by `steps`: SQL, by the version
    that each leads to.

    Raises `Unavailable` (`storage-newer`) for a newer one, and `sqlite3.Error`; the file is
    unchanged then. `schema` is of this release's version, and may be run over what is there.
    """
    (stated,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    found = stated or (1 if tables else 0)
    if found > version:
        raise newer(store, found, version)
    todo = [steps[number] for number in range(found + 1, version + 1) if number in steps and found]
    if todo:
        copy_database(file, found)
    # INVARIANT: one transaction; whoever stops half-way leaves the older version whole.
    database.executescript(
        f"BEGIN IMMEDIATE;\n{';'.join(todo)};\n{schema};\nPRAGMA user_version = {version};\nCOMMIT;"
    )


def copy_database(file: Path, version: int) -> Path:
    """Copy a database beside itself, durably, whole even while others write; never over a copy.

    Returns where: `<name>.before-<version>`, mode 0600.
    """
    target = file.with_name(f"{file.name}.before-{version}")
    if target.exists():
        return target  # of an upgrade that did not end; the store has not changed since
    draft = file.with_name(f"{file.name}.copying")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.rename(target)
    sync_directory(file.parent)
    return target
