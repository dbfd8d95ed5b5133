"""How many tuples of a padded side are dummies: told to the other nodes, not to the broker. Pure.

    note     sealed to each other node of the round, signed by its sender: 4 bytes a batch
    counts   a dummy is in one batch and matches nobody, so the broker counts it as somebody of
             that code alone; each node takes the dummies off before it applies thresholds

SECURITY: thresholds held against counts with dummies in them would protect nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dataspace.errors import Unverified
from dataspace.identity.names import ActorUri
from dataspace.linkage.rounds import BatchShape, Joined, Transcript
from dataspace.linkage.sealing import SealingKey, bound_to
from dataspace.v1 import linkage_pb2

_BYTES = 4


def padding_note(
    transcript: Transcript, sender: str, receiver: str, dummies: Sequence[int]
) -> linkage_pb2.PaddingNote:
    """The message from one region's node to another's, to be signed; in the join's order."""
    plain = b"".join(each.to_bytes(_BYTES, "big") for each in dummies)
    sealed = transcript.join(receiver).sealing_key.seal(plain, _info(transcript, sender, receiver))
    return linkage_pb2.PaddingNote(transcript=transcript.digest, to=receiver, sealed=sealed)


def read_padding(
    message: linkage_pb2.PaddingNote,
    signer: ActorUri,
    transcript: Transcript,
    receiver: str,
    key: SealingKey,
) -> dict[bytes, int]:
    """Another node's dummies, by code. Raises `Unverified` (`padding-note`)."""
    others = {join.uri: join for join in transcript.joins if join.region != receiver}
    join = others.get(signer)
    if message.transcript != transcript.digest or message.to != receiver or join is None:
        raise _refused(signer)
    try:
        plain = key.open(message.sealed, _info(transcript, signer.region, receiver))
    except Unverified:
        raise _refused(signer) from None
    numbers = [
        int.from_bytes(plain[at : at + _BYTES], "big") for at in range(0, len(plain), _BYTES)
    ]
    fits = len(plain) == _BYTES * len(join.batches) and all(
        dummies <= batch.tuples for dummies, batch in zip(numbers, join.batches, strict=True)
    )
    if not fits:
        raise _refused(signer)
    return {batch.code: number for batch, number in zip(join.batches, numbers, strict=True)}


def without_dummies(
    counts: linkage_pb2.OverlapCounts, dummies: Mapping[bytes, int]
) -> linkage_pb2.OverlapCounts:
    """The broker's counts of people alone. Raises `Unverified` (`overlap-counts`)."""
    return linkage_pb2.OverlapCounts(
        transcript=counts.transcript,
        counts=_of_people(counts.counts, dummies),
        margins=_of_people(counts.margins, dummies),
    )


def people_brought(joins: Iterable[Joined], dummies: Mapping[bytes, int]) -> list[Joined]:
    """The joins with the sizes of their batches without dummies."""
    return [
        replace(
            join,
            batches=tuple(
                BatchShape(batch.code, batch.tuples - dummies.get(batch.code, 0))
                for batch in join.batches
            ),
        )
        for join in joins
    ]


def _of_people(
    counts: Iterable[linkage_pb2.OverlapCount], dummies: Mapping[bytes, int]
) -> list[linkage_pb2.OverlapCount]:
    left = []
    for each in counts:
        present = [code for code in each.codes if code]
        fewer = dummies.get(present[0], 0) if len(present) == 1 else 0
        if each.people < fewer:
            raise Unverified(
                "the broker's counts leave dummies out; the round is given up",
                code="overlap-counts",
            )
        if each.people > fewer:
            left.append(linkage_pb2.OverlapCount(codes=each.codes, people=each.people - fewer))
    return left


def _info(transcript: Transcript, sender: str, receiver: str) -> bytes:
    ends = (transcript.join(sender).uri, transcript.join(receiver).uri)
    return bound_to("padding", transcript.digest, *(str(end).encode() for end in ends))


def _refused(signer: ActorUri) -> Unverified:
    return Unverified(
        f"what {signer.region} says of its padding does not fit its join, or is not of this "
        "round; the round is given up",
        code="padding-note",
    )
