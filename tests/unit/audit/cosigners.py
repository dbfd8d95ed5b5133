"""Witnesses of the three regions, each with an Ed25519 and an ML-DSA-44 key; the same always."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.cosignatures import (
    CosigningPrivateKey,
    add_cosignatures,
    cosign,
    cosigning_vkey,
)
from dataspace.audit.notes import VerifierKey
from dataspace.audit.quorum import Quorum

from .samples import KEY, ORIGIN, PRIVATE_KEY

NOW_S = 1_795_000_000


@dataclass(frozen=True)
class RegionWitness:
    """One region's witness."""

    name: str
    keys: tuple[CosigningPrivateKey, ...]

    @property
    def vkeys(self) -> tuple[VerifierKey, ...]:
        return tuple(cosigning_vkey(self.name, key) for key in self.keys)

    def lines(self, checkpoint: Checkpoint, at_s: int = NOW_S) -> list[str]:
        return [cosign(checkpoint, self.name, key, at_s).line for key in self.keys]


def _witness(number: int, region: str) -> RegionWitness:
    seed = bytes([number]) * 32
    keys = (Ed25519PrivateKey.from_private_bytes(seed), MLDSA44PrivateKey.from_seed_bytes(seed))
    return RegionWitness(f"gba.example/witness/{region}", keys)


GUANGZHOU = _witness(101, "guangzhou")
HONGKONG = _witness(102, "hongkong")
MACAO = _witness(103, "macao")
WITNESSES = {"guangzhou": GUANGZHOU, "hongkong": HONGKONG, "macao": MACAO}


def rule(owner: str = "hongkong", without: Sequence[str] = ()) -> Quorum:
    """The space's rule for the log of `samples`, owned by `owner`."""
    keys = {name: each.vkeys for name, each in WITNESSES.items() if name not in without}
    return Quorum(KEY, owner, keys)


def cosigned(size: int, root: bytes, *by: RegionWitness, at_s: int = NOW_S) -> str:
    """The note of a checkpoint of `samples`' log with the cosignatures of some witnesses."""
    checkpoint = Checkpoint(ORIGIN, size, root)
    lines = [line for each in by for line in each.lines(checkpoint, at_s)]
    return add_cosignatures(sign_checkpoint(checkpoint, PRIVATE_KEY), lines)
