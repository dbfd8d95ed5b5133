"""Whether a patient is known at a region, without saying who: the messages' form. Pure.

    requester                                       node
    document -> its name, bucket, bH(name)
    ask   HPKE[node](bucket[4] ‖ bH(name)[32])      opens it, evaluates kbH, proves k
                                                    answers HPKE[reply](kbH, proof, bucket, path)
    checks the proof against the epoch's key and the bucket against its table, both in the
    node's log, and looks whether the document's entry is in the bucket

What is sealed to a node opens for one signer, region, epoch and reply key alone; what is sealed
to a requester for one request and region. Draws no randomness: the blind and the reply key are
passed in (HPKE draws its own).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dataspace.audit.entries import Entry, FieldValue
from dataspace.audit.notes import parse_vkey
from dataspace.audit.receipts import verify_receipt
from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.evidence.sealing_keys import key_sha256
from dataspace.identity.dsse import parse_strictly
from dataspace.identity.names import ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.buckets import MAX_BITS, bucket_of, check_bucket, is_known
from dataspace.linkage.oprf import blind_input, finalize
from dataspace.linkage.points import POINT_BYTES, check_points
from dataspace.linkage.sealing import PublicSealingKey, SealingKey, bound_to
from dataspace.v1 import existence_pb2, query_pb2, sealing_pb2

EPOCH_KIND: Final = "existence.epoch"
CHECK: Final = "existence"  # names of the kinds of request, and of their entries
TERMS: Final = "existence_terms"
EPOCH_RULE: Final = "existence-epoch"
_BUCKET_BYTES = 4


@dataclass(frozen=True)
class Epoch:
    """What a node's log says of one table: the key that made it, and its root.

    `number` is when the epoch began, in milliseconds; 2^`bits` buckets of `entries` each.
    """

    number: int
    public: bytes
    bits: int
    entries: int
    root: bytes
    ends_ms: int

    def fields(self) -> dict[str, FieldValue]:
        """As the entry `existence.epoch` holds it."""
        return {
            "epoch": self.number,
            "public_key": self.public.hex(),
            "bucket_bits": self.bits,
            "bucket_entries": self.entries,
            "table_sha256": self.root.hex(),
            "ends_ms": self.ends_ms,
        }

    @classmethod
    def of_entry(cls, entry: Entry) -> Epoch:
        """Raises `Unverified` (`existence-epoch`) where the entry commits to no table."""
        fields: Mapping[str, Any] = entry.fields
        try:
            epoch = cls(
                number=fields["epoch"],
                public=bytes.fromhex(fields["public_key"]),
                bits=fields["bucket_bits"],
                entries=fields["bucket_entries"],
                root=bytes.fromhex(fields["table_sha256"]),
                ends_ms=fields["ends_ms"],
            )
            check_points(epoch.public)
        except (KeyError, TypeError, ValueError, DataspaceError):
            raise _no_epoch() from None
        numbers = (epoch.number, epoch.bits, epoch.entries, epoch.ends_ms)
        whole = all(isinstance(each, int) and not isinstance(each, bool) for each in numbers)
        if entry.kind != EPOCH_KIND or not whole or not 0 <= epoch.bits <= MAX_BITS:
            raise _no_epoch()
        return epoch


def read_epoch(receipt: query_pb2.Receipt, region: str, trust: TrustList) -> Epoch:
    """The epoch that a node committed to in its log. Raises `Unverified`."""
    keys = {log.origin: log.vkey for log in trust.logs_of(region)}
    if receipt.origin not in keys:
        raise Unverified(
            f"{region} shows an epoch in a log that is not in the trust list", code="receipt-origin"
        )
    verify_receipt(
        receipt.entry,
        receipt.index,
        tuple(receipt.inclusion),
        receipt.checkpoint,
        parse_vkey(keys[receipt.origin]),
    )
    return Epoch.of_entry(Entry.from_bytes(receipt.entry))


def read_terms(body: existence_pb2.ExistenceTerms, trust: TrustList) -> Epoch:
    """The epoch in a node's verified answer, which is that of its log. Raises `Unverified`."""
    epoch = read_epoch(body.table, body.region, trust)
    if (body.epoch, body.public_key, body.bucket_bits, body.ends_at_ms) != (
        epoch.number, epoch.public, epoch.bits, epoch.ends_ms,
    ):  # fmt: skip
        raise Unverified(
            f"{body.region} answers for another epoch than its log says", code=EPOCH_RULE
        )
    return epoch


@dataclass(frozen=True)
class Asking:
    """One document's question to one region, as its asker holds it.

    `name` is the document's (`buckets.name_of`); `scalar` blinds it; the answer comes back
    under `reply`.
    """

    region: str
    epoch: Epoch
    name: bytes = field(repr=False)
    scalar: bytes = field(repr=False)
    reply: SealingKey = field(repr=False)

    def ask(self, key: PublicSealingKey, asker: ActorUri) -> existence_pb2.ExistenceAsk:
        """What travels to the region, sealed to its node's key."""
        bucket = bucket_of(self.name, self.epoch.bits)
        question = bucket.to_bytes(_BUCKET_BYTES, "big") + blind_input(self.name, self.scalar)
        info = question_info(asker, self.region, self.epoch.number, self.reply.public)
        return existence_pb2.ExistenceAsk(
            epoch=self.epoch.number,
            question=sealing_pb2.SealedFor(
                region=self.region, key_sha256=key_sha256(key), sealed=key.seal(question, info)
            ),
        )

    def read(self, answer: existence_pb2.ExistenceAnswer, trust: TrustList) -> bool:
        """Whether the region knows the document, of its node's verified answer.

        Raises `Unverified` where the answer is sealed for another request, the table is not the
        one that the log commits to, the proof is of another key, or the bucket is another.
        """
        epoch = read_epoch(answer.table, answer.region, trust)
        # Another load within the epoch changes the root and maybe the size, and nothing else.
        same = (epoch.number, epoch.public, epoch.bits) == (
            self.epoch.number, self.epoch.public, self.epoch.bits,
        )  # fmt: skip
        if answer.region != self.region or answer.epoch != epoch.number or not same:
            raise Unverified(f"{self.region} answers for another epoch than asked", code=EPOCH_RULE)
        bucket = self._open(answer)
        check_bucket(
            bucket.row, bucket_of(self.name, epoch.bits), epoch.bits, epoch.entries,
            tuple(bucket.path), epoch.root,
        )  # fmt: skip
        (output,) = finalize(
            epoch.public, [self.name], [self.scalar], bucket.evaluated, bucket.proof
        )
        return is_known(output, bucket.row)

    def _open(self, answer: existence_pb2.ExistenceAnswer) -> existence_pb2.ExistenceBucket:
        opened = self.reply.open(answer.sealed, answer_info(answer.request_sha256, answer.region))
        try:
            return parse_strictly(existence_pb2.ExistenceBucket, opened, len(opened))
        except Malformed:
            raise Unverified(f"the answer of {self.region} cannot be read", code="bucket") from None


def question_info(asker: ActorUri, region: str, epoch: int, reply: PublicSealingKey) -> bytes:
    """What a sealed question is bound to.

    SECURITY: whoever saw another's question on its way cannot put it into a request of its own
    and learn its bucket from the answer.
    """
    return bound_to(
        "existence question", str(asker).encode(), region.encode(), str(epoch).encode(),
        reply.kind.encode(), reply.data,
    )  # fmt: skip


def answer_info(request_sha256: bytes, region: str) -> bytes:
    """What a sealed answer is bound to."""
    return bound_to("existence answer", request_sha256, region.encode())


def read_question(question: bytes) -> tuple[int, bytes]:
    """Bucket and blinded element of an opened question. Raises `Malformed` (`bad-question`)."""
    if len(question) != _BUCKET_BYTES + POINT_BYTES:
        raise Malformed("a question is a bucket and a blinded element", code="bad-question")
    blinded = question[_BUCKET_BYTES:]
    try:
        check_points(blinded)
    except Unverified as error:
        # It is the requester's to mend, and no fault of whoever evaluates it.
        raise Malformed("the blinded element is no point to evaluate", code=error.code) from None
    return int.from_bytes(question[:_BUCKET_BYTES], "big"), blinded


def _no_epoch() -> Unverified:
    return Unverified("the entry commits to no table; do not use the answer", code=EPOCH_RULE)
