"""A node's sealing keys, as it certifies them and as a client chooses one of them. Pure.

A request whose content is for a node alone is sealed to a key of that node. The node hands the
public keys out through the desk: its signature under the answer is their certificate, and the
answer's receipt puts them into its log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from dataspace.errors import Unavailable, Unverified
from dataspace.evidence.desk import Made, RequestKind
from dataspace.identity.envelopes import Opened
from dataspace.linkage.sealing import KINDS, PublicSealingKey, common_kind
from dataspace.v1 import sealing_pb2

GONE = "sealing-key-gone"  # what a node says of a key that it holds no more: ask for it anew


@dataclass(frozen=True)
class CertifiedKeys:
    """One node's public keys, each kind once. Good for sealing until `not_after_ms`."""

    region: str
    keys: tuple[PublicSealingKey, ...] = field(repr=False)
    not_after_ms: int

    def choose(self, kinds: Collection[str] = KINDS) -> PublicSealingKey:
        """The key of the best kind that both sides have. Raises `Malformed` (`sealing-kind`)."""
        kind = common_kind(kinds, [each.kind for each in self.keys])
        return next(each for each in self.keys if each.kind == kind)


def key_sha256(key: PublicSealingKey) -> bytes:
    """What names a key: SHA-256 of its kind and bytes."""
    return hashlib.sha256(key.kind.encode() + b"\0" + key.data).digest()


def read_keys(answer: sealing_pb2.SealingKeyAnswer, now_ms: int) -> CertifiedKeys:
    """The keys in an answer whose signature and receipt were checked.

    Raises `Malformed` (`sealing-key`), or `Unverified` where they are over, or given twice.
    """
    # A kind that this version does not know is one that it will not choose.
    known = [each for each in answer.keys if each.kind in KINDS]
    keys = tuple(PublicSealingKey(each.kind, each.data) for each in known)
    if answer.not_after_ms <= now_ms or len({each.kind for each in keys}) != len(keys):
        raise Unverified(
            f"{answer.region} certified sealing keys that are over or stand twice; ask again",
            code="sealing-key",
        )
    return CertifiedKeys(answer.region, keys, answer.not_after_ms)


def sealing_kind(
    owner: str, current: Callable[[int], tuple[tuple[PublicSealingKey, ...], int]]
) -> RequestKind:
    """What a node's desk answers with its keys of now and when they end.

    Everybody of the space may ask: a public key tells nothing.
    """

    def answer(opened: Opened[sealing_pb2.SealingKeyRequest], now_ms: int) -> Made:
        keys, not_after_ms = current(now_ms)
        body = sealing_pb2.SealingKeyAnswer(
            request_sha256=opened.payload_sha256,
            region=owner,
            keys=[sealing_pb2.SealingPublicKey(kind=key.kind, data=key.data) for key in keys],
            not_after_ms=not_after_ms,
            decided_at_ms=now_ms,
        )
        return Made(body, {"keys": [key_sha256(key).hex() for key in keys]})

    return RequestKind("sealing_key", sealing_pb2.SealingKeyRequest, answer)


def gone() -> Unavailable:
    """What a node answers where it cannot open a request because it holds the key no more."""
    return Unavailable("the node has changed its sealing key; ask for it again", code=GONE)
