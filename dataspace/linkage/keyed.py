"""The session key of the `keyed` tier: agreed between nodes, never known to the broker. Pure.

    join          carries SHA-256 of the node's contribution, 32 fresh random bytes
    contribution  sealed to each other node's key of this round, signed by its sender
    session       HKDF-SHA256(contributions in the plan's order, salt = transcript)
    slot's key    HKDF-Expand(session, slot), 32 bytes

Every node contributes, so the key is fresh where one of them is honest; the digests in the joins
bind each to its contribution before it sees another. The tokens are HMAC-SHA256 of match keys,
computed in the node's warehouse (`node.warehouse.keyed`) from the two halves that `Pads` holds.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from dataspace.errors import Malformed, Unverified
from dataspace.identity.names import ActorUri
from dataspace.linkage.hops import Place
from dataspace.linkage.ring import shuffled_chunks
from dataspace.linkage.rounds import KEYED, Transcript
from dataspace.linkage.sealing import SealingKey, bound_to
from dataspace.linkage.tuples import Tuples
from dataspace.v1 import linkage_pb2

CONTRIBUTION_BYTES = 32
_BLOCK_BYTES = 64  # of SHA-256
_INNER, _OUTER = 0x36, 0x5C  # RFC 2104


@dataclass(frozen=True)
class Pads:
    """The first blocks of HMAC's two hashes (RFC 2104): secret, as the key is.

    HMAC(key, text) = SHA-256(outer ‖ SHA-256(inner ‖ text)).
    """

    inner: bytes = field(repr=False)
    outer: bytes = field(repr=False)

    @classmethod
    def of(cls, key: bytes) -> Pads:
        """Of a key of at most one block."""
        if len(key) > _BLOCK_BYTES:
            raise Malformed("a key of HMAC has at most 64 bytes here", code="hmac-key")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        return cls(bytes(b ^ _INNER for b in block), bytes(b ^ _OUTER for b in block))


def contribution_digest(contribution: bytes) -> bytes:
    """What a join says of the contribution to come. Raises `Malformed` (`contribution`)."""
    if len(contribution) != CONTRIBUTION_BYTES:
        raise Malformed("a contribution has 32 random bytes", code="contribution")
    return hashlib.sha256(b"gba-linkage v1 contribution" + contribution).digest()


def contribute(
    transcript: Transcript, sender: str, receiver: str, contribution: bytes
) -> linkage_pb2.KeyContribution:
    """The message from one region's node to another's, to be signed."""
    sealed = transcript.join(receiver).sealing_key.seal(
        contribution, _info(transcript, sender, receiver)
    )
    return linkage_pb2.KeyContribution(transcript=transcript.digest, to=receiver, sealed=sealed)


def read_contribution(
    message: linkage_pb2.KeyContribution,
    signer: ActorUri,
    transcript: Transcript,
    receiver: str,
    key: SealingKey,
) -> bytes:
    """Another node's contribution. `Unverified` (`contribution`) unless it is what it joined with.

    Raises it, too, for a message of another round, to another node, or of a stranger.
    """
    others = {join.uri: join for join in transcript.joins if join.region != receiver}
    if message.transcript != transcript.digest or message.to != receiver or signer not in others:
        raise _refused(signer)
    try:
        contribution = key.open(message.sealed, _info(transcript, signer.region, receiver))
        digest = contribution_digest(contribution)
    except (Unverified, Malformed):
        raise _refused(signer) from None
    if not hmac.compare_digest(digest, others[signer].contribution_sha256):
        raise _refused(signer)
    return contribution


def slot_keys(transcript: Transcript, contributions: Mapping[str, bytes]) -> dict[str, bytes]:
    """The key of each slot of the plan, from every region's contribution."""
    if transcript.plan.tier != KEYED or set(contributions) != set(transcript.plan.regions):
        raise Malformed("a session needs every node's contribution", code="contribution")
    material = b"".join(contributions[region] for region in transcript.plan.regions)
    info = b"gba-linkage v1 session"
    session = HKDF(SHA256(), 32, salt=transcript.digest, info=info).derive(material)
    return {
        slot: HKDFExpand(SHA256(), 32, bound_to("keyed slot", slot.encode())).derive(session)
        for slot in transcript.plan.slots
    }


def send(
    transcript: Transcript, region: str, batches: Sequence[Tuples], shuffle_seed: bytes
) -> Iterator[tuple[Place, bytes]]:
    """A node's tags, (tuples, slots, 32) each batch, as they go to the broker: shuffled.

    Empty slots and dummies hold 32 random bytes. Raises `Malformed` (`batch-shape`).
    """
    for shape, tokens in shuffled_chunks(transcript, region, batches, shuffle_seed):
        yield Place(transcript, region, 0, shape), tokens


def _info(transcript: Transcript, sender: str, receiver: str) -> bytes:
    ends = (transcript.join(sender).uri, transcript.join(receiver).uri)
    return bound_to("contribution", transcript.digest, *(str(end).encode() for end in ends))


def _refused(signer: ActorUri) -> Unverified:
    return Unverified(
        f"the contribution of {signer.region} is not the one that it joined with, or is not of "
        "this round; the round is given up",
        code="contribution",
    )
