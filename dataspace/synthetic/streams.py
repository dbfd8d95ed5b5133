"""Random streams by name: each part of a space draws from its own, in any order.

Holds no state. Stable for one version of numpy, which keeps `Generator` streams but does
not promise them across feature releases.
"""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *name: str) -> np.random.Generator:
    """The generator for `name` under `seed`; `seed` is not negative."""
    digest = hashlib.sha256("\0".join(name).encode()).digest()
    words = [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
