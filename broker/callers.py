"""How much each caller may ask of this broker, and how many may stand at the door. Rim.

By certificate before anything is verified for it, by actor once it is known; by certificate and
all together for streams that have not said who they are.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from broker.allowances import Allowance
from dataspace.errors import Unavailable
from dataspace.home import PartyConfig
from dataspace.identity.names import ActorUri

# A certificate's allowance is wider than its actor's: a call may fetch lists first.
_WIDER = 4
MOST_SHAKING_HANDS = 128  # streams of everybody that have not said hello
MOST_OF_ONE = 4  # of one certificate: a party that comes back before its last stream is given up


def _allowance(config: PartyConfig | None, wider: int) -> Allowance:
    rate, burst = (
        (100.0, 1000) if config is None else (config.calls_per_second, config.calls_at_once)
    )
    return Allowance(rate * wider, burst * wider, time.monotonic)


@dataclass
class Callers:
    """For one event loop."""

    certificates: Allowance = field(default_factory=lambda: _allowance(None, _WIDER))
    actors: Allowance = field(default_factory=lambda: _allowance(None, 1))
    _at_the_door: Counter[bytes] = field(default_factory=Counter)

    @classmethod
    def of(cls, config: PartyConfig) -> Callers:
        """As much as the configuration says."""
        return cls(_allowance(config, _WIDER), _allowance(config, 1))

    def count_certificate(self, context: Any) -> None:
        """Count a call for the certificate of its channel. Raises `Unavailable` (`too-many`)."""
        self.certificates.take(_certificate(context), "this certificate")

    def count_actor(self, uri: ActorUri) -> None:
        """Count a call for an actor, whatever certificates it has. Raises `Unavailable`."""
        self.actors.take(uri, "this actor")

    @contextmanager
    def shaking_hands(self, context: Any) -> Iterator[None]:
        """A place at the door. Raises `Unavailable` (`too-many`) where there is none."""
        certificate = _certificate(context)
        if self._at_the_door[certificate] >= MOST_OF_ONE:
            raise Unavailable(
                f"{MOST_OF_ONE} streams of this certificate have not said hello; end them first",
                code="too-many",
            )
        if self._at_the_door.total() >= MOST_SHAKING_HANDS:
            raise Unavailable("too many attach at once; retry after 2 s", code="too-many")
        self._at_the_door[certificate] += 1
        try:
            yield
        finally:
            self._at_the_door[certificate] -= 1
            if not self._at_the_door[certificate]:
                del self._at_the_door[certificate]


def _certificate(context: Any) -> bytes:
    """A digest of the leaf that the channel shows; TLS has held it against the roots by now."""
    return hashlib.sha256(b"".join(context.auth_context().get("x509_pem_cert", ()))).digest()
