"""A node's own sealing keys: made of randomness, kept in memory alone, changed twice a day. Rim.

SECURITY: nobody who takes the machine, or a backup of it, opens what was sealed to an earlier
key. After a restart, too, clients ask for the keys again.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from dataspace.evidence.desk import RequestKind
from dataspace.evidence.sealing_keys import gone, key_sha256, sealing_kind
from dataspace.identity.freshness import MAX_LIFE_MS, SKEW_MS
from dataspace.linkage.sealing import KINDS, SEED_BYTES, PublicSealingKey, SealingKey

LIFE_MS = 12 * 3_600_000
_AFTERWARDS_MS = MAX_LIFE_MS + 2 * SKEW_MS  # what was sealed at the last moment still comes


@dataclass(frozen=True)
class _Generation:
    keys: tuple[SealingKey, ...]
    not_after_ms: int


@dataclass
class NodeSealing:
    """One node's keys. Safe for any number of threads."""

    draw: Callable[[int], bytes] = secrets.token_bytes
    life_ms: int = LIFE_MS
    _generations: list[_Generation] = field(default_factory=list, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def kind(self, region: str) -> RequestKind:
        """What the node's desk answers with its keys."""
        return sealing_kind(region, self.current)

    def current(self, now_ms: int) -> tuple[tuple[PublicSealingKey, ...], int]:
        """The public keys to seal to, the best kind first, and until when."""
        with self._turn:
            self._renew(now_ms)
            newest = self._generations[-1]
            return tuple(key.public for key in newest.keys), newest.not_after_ms

    def open(self, named_sha256: bytes, sealed: bytes, info: bytes, now_ms: int) -> bytes:
        """Decrypt what was sealed to the key so named.

        Raises `Unavailable` (`sealing-key-gone`) for a key that is not held any more, and
        `Unverified` (`sealed`) for what does not open.
        """
        with self._turn:
            self._renew(now_ms)
            held = {key_sha256(key.public): key for each in self._generations for key in each.keys}
        key = held.get(named_sha256)
        if key is None:
            raise gone()
        return key.open(sealed, info)

    def _renew(self, now_ms: int) -> None:
        newest = self._generations[-1] if self._generations else None
        # The second half of a life is for those who hold the certificate already.
        if newest is None or now_ms >= newest.not_after_ms - self.life_ms // 2:
            keys = tuple(SealingKey.from_seed(kind, self.draw(SEED_BYTES[kind])) for kind in KINDS)
            self._generations.append(_Generation(keys, now_ms + self.life_ms))
        self._generations = [
            each for each in self._generations if now_ms < each.not_after_ms + _AFTERWARDS_MS
        ]
