"""Entries that a log lost with its disk, and how it says so. Pure.

A log that was restored from a backup gets back the hashes of what came after the backup, from
its public copy, but not those entries: the copy never had them. In a bundle a lost entry has no
bytes (an entry of this space always has some); its leaf hash stands in the hash tile as before,
so that every root, proof and cosignature holds on. The entry right after them, of kind
`log.restored`, says which they are:

    fields = {"lost_from": index, "lost_until": index of this entry, …}

INVARIANT: an entry may be missing only where such an entry says so. An owner that hides one has
to declare it lost under a checkpoint that others cosign, for everybody to see.
"""

from __future__ import annotations

from collections.abc import Iterable

from dataspace.audit.entries import Entry, FieldValue
from dataspace.errors import Unavailable, Unverified

LOST = b""
KIND = "log.restored"
KIND_OF_LOST = "entry.lost"  # in an index; no log holds it
CODE = "entry-lost"


def declaration(lost_from: int, lost_until: int) -> dict[str, FieldValue]:
    """The fields of the entry at `lost_until`, after `lost_until - lost_from` lost ones."""
    return {"lost_from": lost_from, "lost_until": lost_until}


def declared(index: int, entry: Entry) -> range:
    """What the entry at `index` declares lost: nothing, for most."""
    first, last = entry.fields.get("lost_from"), entry.fields.get("lost_until")
    if entry.kind != KIND or not isinstance(first, int) or last != index or first < 0:
        return range(0)
    return range(first, index)


def check_declared(lost: Iterable[int], declarations: Iterable[range]) -> None:
    """Raise `Unverified` (`entry-missing`) where an entry is missing that nobody declared."""
    ranges = tuple(declarations)
    for index in lost:
        if not any(index in each for each in ranges):
            raise Unverified(
                f"entry {index} is missing, and no later entry says that it was lost",
                code="entry-missing",
            )


def gone(index: int) -> Unavailable:
    """What is said to whoever asks for a lost entry."""
    return Unavailable(
        f"entry {index} was lost with its node's disk, after the backup that the node was "
        "restored from; its hash is in the log still",
        code=CODE,
    )
