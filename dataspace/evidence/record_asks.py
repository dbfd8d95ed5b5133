"""What a clinician asks of one node about one patient: its parts, and how it is sealed. Pure.

    sealed  = HPKE(node's key, info, padded RecordAsk)
    info    = purpose, region, who asks, nonce of the request

SECURITY: the info ties a sealed ask to the request that it came with. Whoever lifts it into
a request of his own, or sends it to another region, gets nothing opened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from dataspace.errors import Malformed
from dataspace.identity.dsse import parse_strictly
from dataspace.identity.names import ActorUri
from dataspace.linkage.documents import Document
from dataspace.linkage.sealing import PublicSealingKey, bound_to, pad, unpad
from dataspace.policy.requests import PURPOSES
from dataspace.v1 import record_pb2, sealing_pb2

MOST_DOCUMENTS: Final = 4
MOST_CONSENTS: Final = 16
MOST_PRODUCTS: Final = 32
_MOST_BYTES: Final = 16 * 1024
_CONSENT: Final = re.compile(r"[0-9a-f]{32}")
_PRODUCT: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True)
class RecordAsk:
    """One ask. Raises `Malformed` (code `record-ask`) when it is not whole.

    `documents` are of one patient; `consents` name those that the asker relies on, `reason`
    is set in an emergency. SECURITY: shows nothing of the patient when printed.
    """

    documents: tuple[Document, ...] = field(repr=False)
    purpose: str
    consents: tuple[str, ...]
    products: tuple[str, ...]
    reason: str = field(repr=False)
    reply_key: PublicSealingKey

    def __post_init__(self) -> None:
        _check_list("documents", self.documents, 1, MOST_DOCUMENTS)
        _check_list("consents", self.consents, 0, MOST_CONSENTS)
        _check_list("products", self.products, 1, MOST_PRODUCTS)
        if self.purpose not in PURPOSES:
            raise _malformed(f"the purpose is one of {', '.join(PURPOSES)}")
        if not all(_CONSENT.fullmatch(each) for each in self.consents):
            raise _malformed("a consent is named by its id; see `gba consent list`")
        if not all(_PRODUCT.fullmatch(each) for each in self.products):
            raise _malformed("products are named as in `gba catalog`")
        if len(self.reason) > 500 or not self.reason.isprintable():
            raise _malformed("a reason is one line of at most 500 characters")

    def to_bytes(self) -> bytes:
        """What is sealed, before padding."""
        return record_pb2.RecordAsk(
            documents=[
                record_pb2.RecordDocument(kind=each.kind, number=each.number)
                for each in self.documents
            ],
            purpose=self.purpose,
            consents=self.consents,
            products=self.products,
            reason=self.reason,
            reply_key=sealing_pb2.SealingPublicKey(
                kind=self.reply_key.kind, data=self.reply_key.data
            ),
        ).SerializeToString(deterministic=True)


def seal_ask(ask: RecordAsk, key: PublicSealingKey, info: bytes) -> bytes:
    """An ask for one node's eyes, of the same size as every other."""
    return key.seal(pad(ask.to_bytes()), info)


def ask_info(region: str, asker: ActorUri, nonce: bytes) -> bytes:
    """What a sealed ask is bound to."""
    return bound_to("record ask", region.encode(), str(asker).encode(), nonce)


def read_sealed(opened: bytes) -> record_pb2.RecordAsk:
    """The message in an opened ask. Raises `Malformed` or `Unverified` (`padding`)."""
    return parse_strictly(record_pb2.RecordAsk, unpad(opened), _MOST_BYTES)


def reply_key_of(ask: record_pb2.RecordAsk) -> PublicSealingKey:
    """Where the reply goes. Raises `Malformed` (`sealing-key`)."""
    return PublicSealingKey(ask.reply_key.kind, ask.reply_key.data)


def ask_of(wire: record_pb2.RecordAsk) -> RecordAsk:
    """The ask in a message, checked. Raises `Malformed`, never with a number in it."""
    return RecordAsk(
        documents=tuple(Document(each.kind, each.number) for each in wire.documents),
        purpose=wire.purpose,
        consents=tuple(wire.consents),
        products=tuple(wire.products),
        reason=wire.reason,
        reply_key=reply_key_of(wire),
    )


def _check_list(name: str, values: tuple[object, ...], least: int, most: int) -> None:
    if not least <= len(values) <= most or len(set(values)) != len(values):
        raise _malformed(f"{least} to {most} {name}, each once")


def _malformed(what: str) -> Malformed:
    return Malformed(f"this ask is not whole: {what}", code="record-ask")
