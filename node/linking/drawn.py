"""What a node draws for one attempt of a round, and forgets at its end. Rim: draws randomness.

INVARIANT: nothing here is written anywhere but the commitment's salt, which the body of the
node's own log entry keeps.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from dataspace.audit.entries import SALT_BYTES
from dataspace.linkage import tuples
from dataspace.linkage.keyed import CONTRIBUTION_BYTES
from dataspace.linkage.points import UNIFORM_BYTES, scalar_from
from dataspace.linkage.rounds import CODE_BYTES
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, SealingKey


@dataclass(frozen=True, repr=False)
class RoundSecrets:
    """Scalar, sealing key, seeds, salt: new for every attempt."""

    scalar: bytes
    sealing: SealingKey
    filling_seed: bytes
    shuffle_seed: bytes
    salt: bytes
    contribution: bytes = field(default=b"")

    @classmethod
    def draw(cls) -> RoundSecrets:
        """A fresh set."""
        return cls(
            scalar=scalar_from(secrets.token_bytes(UNIFORM_BYTES)),
            sealing=SealingKey.from_seed(HYBRID, secrets.token_bytes(SEED_BYTES[HYBRID])),
            filling_seed=secrets.token_bytes(tuples.SEED_BYTES),
            shuffle_seed=secrets.token_bytes(tuples.SEED_BYTES),
            salt=secrets.token_bytes(SALT_BYTES),
            contribution=secrets.token_bytes(CONTRIBUTION_BYTES),
        )


def draw_codes(count: int) -> list[bytes]:
    """Random names for the cells of one side, of this attempt alone."""
    return [secrets.token_bytes(CODE_BYTES) for _ in range(count)]
