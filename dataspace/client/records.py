"""One patient's record from a member's side: seal, ask, open, verify. Rim: draws randomness.

Each region is asked by an ask of its own, sealed to its node, with a reply key of its own that
is forgotten when the answer is read. A region whose node has changed its sealing key meanwhile
is asked once more.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dataspace.client.asking import LogAnswer
from dataspace.client.existence import NO, YES, Presence
from dataspace.client.holders import known_under_any
from dataspace.client.sealing_keys import KnownKeys
from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer, check_answer, error_of
from dataspace.evidence.record_asks import RecordAsk, ask_info, seal_ask
from dataspace.evidence.record_replies import RecordTable, open_reply, read_tables
from dataspace.evidence.sealing_keys import GONE, CertifiedKeys, key_sha256
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.documents import Document
from dataspace.linkage.sealing import KINDS, SEED_BYTES, SealingKey
from dataspace.policy.emergencies import PURPOSES as EMERGENCIES
from dataspace.v1 import query_pb2, record_pb2, sealing_pb2
from dataspace.v1.envelope_pb2 import Freshness


@dataclass(frozen=True)
class RegionRecord:
    """What one region's node gave. `error` is why it gave nothing; then there are no tables.
    Nor are there where the patient is not `known`: then the region was not asked.

    An empty table, where nothing is kept back, also stands for a patient who is not known.
    `receipt` says where the node recorded what it decided.
    """

    region: str
    tables: tuple[RecordTable, ...] = ()
    error: DataspaceError | None = None
    known: bool = True
    consents: tuple[str, ...] = ()
    emergency_use: str = ""
    receipt: query_pb2.Receipt | None = field(default=None, repr=False)

    @property
    def status(self) -> str:
        """`released`, `not known`, or the kind of the error."""
        if not self.known:
            return "not known"
        return self.error.kind if self.error else "released"


@dataclass(frozen=True)
class PatientRecord:
    """One patient's record, region by region. SECURITY: printing it shows no row."""

    purpose: str
    products: tuple[str, ...]
    at_ms: int
    regions: tuple[RegionRecord, ...] = field(repr=False)

    def require_any(self) -> None:
        """Raise what the first region said, unless some region released something.

        Nothing is raised where no region knows the patient: that is an answer.
        """
        errors = [each.error for each in self.regions if each.error is not None]
        if errors and not any(each.status == "released" for each in self.regions):
            raise errors[0]


@dataclass(frozen=True)
class RecordAsking:
    """One session's way to records. `ask` sends a request and verifies the signed answers."""

    ask: Callable[[record_pb2.RecordRequest, Sequence[str]], Sequence[LogAnswer]]
    keys: KnownKeys
    freshness: Callable[[list[str]], Freshness]
    actor: ActorUri
    trust: Callable[[], TrustList]
    clock: Callable[[], int]
    exists: Callable[[Document, str, Sequence[str]], Presence]

    def record(
        self,
        documents: str | Sequence[str],
        want: Sequence[str],
        purpose: str,
        consents: Sequence[str],
        regions: Sequence[str] | None,
        reason: str,
    ) -> PatientRecord:
        """Ask each region, or where none is named those that know the patient.

        Regions that refuse or are away are in the result.
        Raises `Malformed` before anything is sent, and `Unverified` for what does not hold.
        """
        written = (documents,) if isinstance(documents, str) else tuple(documents)
        asked = _Asked(
            tuple(map(Document.parse, written)), purpose, tuple(consents),
            tuple(sorted(set(want))), reason,
        )  # fmt: skip
        if regions is not None and not (regions and set(regions) <= set(REGIONS)):
            raise Malformed(f"regions are {', '.join(REGIONS)}", code="region")
        asked.to(self._reply_key(KINDS[0]))  # raises for what is not whole, before it is sent
        elsewhere = self._elsewhere(asked) if regions is None else {}
        wanted = [each for each in sorted(set(regions or REGIONS)) if each not in elsewhere]
        found = elsewhere | (self._round(asked, wanted) if wanted else {})
        again = [region for region, each in found.items() if each.error and each.error.code == GONE]
        for region in again:
            self.keys.forget(region)
        found |= self._round(asked, again) if again else {}
        return PatientRecord(
            purpose, asked.products, self.clock(), tuple(found[name] for name in sorted(found))
        )

    def _elsewhere(self, asked: _Asked) -> dict[str, RegionRecord]:
        """What stands for the regions that need not be asked, or do not say whether they are.

        Who does not know the patient learns nothing so. In an emergency nobody waits for that,
        and no rule lets it be asked.
        """
        if asked.purpose in EMERGENCIES:
            return {}
        told = [self.exists(each, asked.purpose, REGIONS) for each in asked.documents]
        return {
            each.region: RegionRecord(each.region, known=False)
            if each.answer == NO
            else RegionRecord(each.region, error=each.error())
            for each in known_under_any(told).regions
            if each.answer != YES
        }

    def _round(self, asked: _Asked, regions: Sequence[str]) -> dict[str, RegionRecord]:
        held, without = self.keys.of(regions)
        found = {each.log: RegionRecord(each.log, error=_error_of(each)) for each in without}
        if held:
            found |= self._ask(asked, held)
        return found

    def _ask(self, asked: _Asked, held: Mapping[str, CertifiedKeys]) -> dict[str, RegionRecord]:
        request = record_pb2.RecordRequest(freshness=self.freshness([*held, "broker"]))
        nonce, reply_keys = request.freshness.nonce, {}
        for region, keys in sorted(held.items()):
            key = keys.choose()
            # A fresh key for each region: whoever gets hold of one reads one reply.
            reply_keys[region] = reply = self._reply_key(key.kind)
            sealed = seal_ask(asked.to(reply), key, ask_info(region, self.actor, nonce))
            request.asks.append(
                sealing_pb2.SealedFor(region=region, key_sha256=key_sha256(key), sealed=sealed)
            )
        answers = self.ask(request, sorted(held))
        return {each.log: self._read(each, reply_keys[each.log], asked) for each in answers}

    @staticmethod
    def _reply_key(kind: str) -> SealingKey:
        return SealingKey.from_seed(kind, secrets.token_bytes(SEED_BYTES[kind]))

    def _read(self, answer: LogAnswer, reply_key: SealingKey, asked: _Asked) -> RegionRecord:
        checked = answer.answer
        if checked is None or checked.refusal is not None:
            return RegionRecord(answer.log, error=_error_of(answer))
        outer = checked.body
        if not isinstance(outer, record_pb2.RecordAnswer):
            raise Unverified(f"{answer.log} answers with another kind", code="record-answer")
        inner = open_reply(outer.sealed, reply_key, answer.log, outer.request_sha256)
        found = check_answer(inner, answer.log, outer.request_sha256, self.trust(), self.clock())
        return _region_record(found, inner.receipt, asked.products)


@dataclass(frozen=True)
class _Asked:
    """What every region is asked alike."""

    documents: tuple[Document, ...] = field(repr=False)
    purpose: str
    consents: tuple[str, ...]
    products: tuple[str, ...]
    reason: str = field(repr=False)

    def to(self, reply: SealingKey) -> RecordAsk:
        return RecordAsk(
            self.documents, self.purpose, self.consents, self.products, self.reason, reply.public
        )


def _region_record(
    found: CheckedAnswer, receipt: query_pb2.Receipt, products: Sequence[str]
) -> RegionRecord:
    if found.refusal is not None:
        error = error_of(found.refusal.status)
        return RegionRecord(found.region, error=_named(found.region, error), receipt=receipt)
    if not isinstance(found.body, record_pb2.RecordReply):
        raise Unverified(f"{found.region} replies with another kind", code="record-reply")
    reply: Any = found.body
    return RegionRecord(
        found.region,
        read_tables(reply, products),
        consents=tuple(reply.consents),
        emergency_use=reply.emergency_use,
        receipt=receipt,
    )


def _error_of(answer: LogAnswer) -> DataspaceError:
    try:
        answer.require()
    except DataspaceError as error:
        return error
    return Unavailable(f"{answer.log} did not answer; ask again", code="node-unavailable")


def _named(region: str, error: DataspaceError) -> DataspaceError:
    return type(error)(
        f"{region}: {error.message}", code=error.code, rule=error.rule, basis=error.basis
    )
