"""Erases bodies that have been kept long enough, and says so in the log. Rim.

The entry comes first: an erasure that ends half way is recorded, and the next one ends it.
Entries, tiles and proofs stay as they are; only what was kept apart goes, in the body store
and in the index.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import Entry, FieldValue
from dataspace.audit.following import CONTEXT, Follower, Log
from dataspace.errors import Malformed

KIND = "bodies.erased"
BATCH = 1_000  # bodies in one entry
DAY_MS = 86_400_000
_CATCH_UP_SECONDS = 60.0

Record = Callable[[str, Mapping[str, FieldValue]], object]


@dataclass(frozen=True)
class Retention:
    """The bodies of one log. `record(kind, fields)` appends to it durably.

    `forget_before(milliseconds)` and `forget_entry(index)` erase what is kept elsewhere of
    the same entries.
    """

    log: Log
    bodies: BodyStore
    follower: Follower
    record: Record
    forget_before: Callable[[int], object] = lambda _: None
    forget_entry: Callable[[int], object] = lambda _: None

    def erase_before(self, at_ms: int, reason: str = "age") -> int:
        """Erase every body whose entry is older; how many there were."""
        self.follower.wait_for(self.log.size, _CATCH_UP_SECONDS)
        erased = 0
        while keys := self.follower.index.bodies_before(at_ms, BATCH):
            self._erase(keys, {"reason": reason, "before_ms": at_ms})
            erased += len(keys)
        self.forget_before(at_ms)
        return erased

    def erase_entry(self, index: int, reason: str = "operator") -> int:
        """Erase one entry's body; 0 where it has none any more."""
        if not 0 <= index < self.log.size:
            raise Malformed(f"the log has no entry {index}", code="entry-index")
        key = Entry.from_bytes(self.log.read_entry(index)).fields.get(CONTEXT)
        if not isinstance(key, str) or self.bodies.get(key) is None:
            return 0
        self.follower.wait_for(self.log.size, _CATCH_UP_SECONDS)
        self._erase([key], {"reason": reason, "entry": index})
        self.forget_entry(index)
        return 1

    def _erase(self, keys: Sequence[str], fields: Mapping[str, FieldValue]) -> None:
        listed = hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()
        self.record(KIND, {**fields, "count": len(keys), "keys_sha256": listed})
        for key in keys:
            # INVARIANT: the file first, so that an index built meanwhile does not find it.
            self.bodies.erase(key)
            self.follower.index.erase(key)
