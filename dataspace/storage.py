"""Versions of what a party keeps on disk. Rim: one small file beside the stores.

    storage.json    {"bodies": 1, "log": 1, "policies": 1, "warehouse": 1, …}

Stores that are databases say their version themselves (`user_version`, or a table); those that
are directories are named here. A home without the file was made before versions were stated:
everything in it is of version 1. A version that this release does not know is refused before
anything is opened, so that an older release never writes into newer data.
"""

from __future__ import annotations

import json
from pathlib import Path

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import Unavailable

FILE = "storage.json"

# What this release writes. Raise one together with a step that brings older data forward, and
# with its line in docs/upgrading.md.
VERSIONS: dict[str, int] = {
    "archive": 1,  # policy sets, catalogues, releases
    "bodies": 1,
    "cosigned": 1,
    "existence": 1,
    "log": 2,  # 2: a restored log may have lost entries (decision 59)
    "policies": 1,
    "warehouse": 1,
}
_READABLE = {"log": 1}  # the oldest version that this release takes up as it is


def check_storage(home: Path) -> None:
    """Hold a home's versions against this release's; write them where they are older or absent.

    Raises `Unavailable` (`storage-newer`, `storage-older`, `storage-unreadable`).
    """
    if look_at_storage(home) or not (home / FILE).exists():
        _write(home, VERSIONS)


def look_at_storage(home: Path) -> list[str]:
    """The stores that this release would bring forward. Raises like `check_storage`; writes
    nothing."""
    found = read_versions(home)
    for store, version in found.items():
        known = VERSIONS.get(store, 0)
        if version > known:
            raise newer(store, version, known)
        if version < _READABLE.get(store, known):
            raise Unavailable(
                f"{store} is of version {version}, and this release reads {known}: upgrade by the "
                "releases in between, see docs/upgrading.md",
                code="storage-older",
            )
    return sorted(store for store, known in VERSIONS.items() if found[store] != known)


def read_versions(home: Path) -> dict[str, int]:
    """The versions in a home; 1 of everything where none are stated."""
    try:
        stated = json.loads((home / FILE).read_text())
    except FileNotFoundError:
        return dict.fromkeys(VERSIONS, 1)
    except (OSError, ValueError):
        stated = None
    if not isinstance(stated, dict) or not all(
        isinstance(each, int) and each > 0 for each in stated.values()
    ):
        raise Unavailable(
            f"{home / FILE} cannot be read; restore it from a backup", code="storage-unreadable"
        )
    return {**dict.fromkeys(VERSIONS, 1), **stated}


def newer(store: str, found: int, known: int) -> Unavailable:
    """What is said of data that a newer release wrote."""
    return Unavailable(
        f"{store} was written by a newer release (version {found}; this one knows {known}); "
        "install that release again, or restore the backup from before the upgrade",
        code="storage-newer",
    )


def _write(home: Path, versions: dict[str, int]) -> None:
    draft = home / f"{FILE}.new"
    try:
        write_synced(draft, json.dumps(versions, sort_keys=True).encode() + b"\n")
        draft.rename(home / FILE)
        sync_directory(home)
    except OSError:
        raise Unavailable(f"{home / FILE} cannot be written", code="storage-unwritable") from None
