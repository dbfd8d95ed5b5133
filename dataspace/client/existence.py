"""Asking regions whether a patient is known there, and believing none of them. Rim.

For each region: its epoch (asked for once, verified against its log), then one blinded and
sealed question, whose answer is held against the epoch. Nobody on the way learns who it is
about: not the broker, and not the node, beyond some bits of a hash.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message

from dataspace.client.asking import LogAnswer
from dataspace.client.sealing_keys import KnownKeys
from dataspace.errors import KINDS, DataspaceError, Malformed, Unverified
from dataspace.evidence.existence import EPOCH_RULE, Asking, Epoch, read_terms
from dataspace.evidence.sealing_keys import GONE, CertifiedKeys
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.buckets import name_of
from dataspace.linkage.documents import Document
from dataspace.linkage.points import UNIFORM_BYTES, scalar_from
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, SealingKey
from dataspace.v1 import existence_pb2, sealing_pb2

YES, NO, NOT_PERMITTED, UNAVAILABLE = "yes", "no", "not permitted", "unavailable"
BUILDING = "existence-building"  # what a node says before its first table is whole
BUILDING_SECONDS = 30.0
_LOOK_AGAIN_SECONDS = 0.5
_LATE_MS = 60_000
_STALE = frozenset({EPOCH_RULE, GONE})  # the epoch or key at hand is over: fetch it and ask anew


@dataclass(frozen=True)
class RegionPresence:
    """One region's answer: `yes`, `no`, `not permitted` or `unavailable`, with the reason."""

    region: str
    answer: str
    code: str = ""
    rule: str = ""
    basis: str = ""
    message: str = ""

    def error(self) -> DataspaceError:
        """The reason as an error, of a region that did not say yes or no."""
        kind = KINDS["refused" if self.answer == NOT_PERMITTED else "unavailable"]
        return kind(
            f"{self.region}: {self.message}", code=self.code, rule=self.rule, basis=self.basis
        )


@dataclass(frozen=True)
class Presence:
    """Where a patient is known: one answer for each region asked, in the order of names."""

    regions: tuple[RegionPresence, ...]

    @property
    def known_at(self) -> tuple[str, ...]:
        """The regions that know the patient."""
        return tuple(each.region for each in self.regions if each.answer == YES)

    def __getitem__(self, region: str) -> RegionPresence:
        return next(each for each in self.regions if each.region == region)

    def require(self, require: str = "all") -> None:
        """Raise what a region said instead of yes or no: any of them, or with `any` only where
        none answered."""
        silent = [each for each in self.regions if each.answer not in {YES, NO}]
        if silent and (require != "any" or len(silent) == len(self.regions)):
            refusing = [each for each in silent if each.answer == NOT_PERMITTED]
            raise (refusing or silent)[0].error()


@dataclass
class ExistenceChecks:
    """One session's. `ask` sends a request to regions and verifies what comes back.

    Safe for any number of threads.
    """

    ask: Callable[[Message, Sequence[str]], Sequence[LogAnswer]]
    keys: KnownKeys
    trust: Callable[[], TrustList]
    asker: ActorUri
    clock: Callable[[], int]
    _epochs: dict[str, Epoch] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def check(self, document: Document, purpose: str, regions: Sequence[str]) -> Presence:
        """One document at each region; asked once more where a region began another epoch."""
        wanted = sorted(set(regions))
        if not wanted or not set(wanted) <= set(REGIONS):
            raise Malformed(f"regions are {', '.join(REGIONS)}", code="region")
        found: dict[str, RegionPresence] = {}
        for attempt in (1, 2):
            with self._turn:
                found |= self._learn([each for each in wanted if each not in found], purpose)
                epochs = {each: self._epochs[each] for each in wanted if each not in found}
                keys, _ = self.keys.of(list(epochs))
            for region, said in self._asked(document, purpose, epochs, keys).items():
                if attempt == 1 and said.code in _STALE:
                    self._forget(region)
                else:
                    found[region] = said
            if len(found) == len(wanted):
                break
        return Presence(tuple(found[region] for region in wanted))

    def _learn(self, regions: Sequence[str], purpose: str) -> dict[str, RegionPresence]:
        """Epoch and key of each region; what the others say instead comes back."""
        silent: dict[str, RegionPresence] = {}
        deadline = time.monotonic() + BUILDING_SECONDS
        while missing := [each for each in regions if each not in silent and self._is_over(each)]:
            building = False
            request = existence_pb2.ExistenceTermsRequest(purpose=purpose)
            for answer in self.ask(request, missing):
                said = _silence(answer)
                if said is None:
                    self._epochs[answer.log] = self._epoch_in(answer)
                elif said.code == BUILDING and time.monotonic() < deadline:
                    building = True
                else:
                    silent[answer.log] = said
            if building:
                time.sleep(_LOOK_AGAIN_SECONDS)
        _, without = self.keys.of([each for each in regions if each not in silent])
        return silent | {each.log: _silence(each) or _unread(each) for each in without}

    def _is_over(self, region: str) -> bool:
        known = self._epochs.get(region)
        return known is None or known.ends_ms <= self.clock()

    def _epoch_in(self, answer: LogAnswer) -> Epoch:
        body = answer.answer.body if answer.answer is not None else None
        if not isinstance(body, existence_pb2.ExistenceTerms):
            raise Unverified(f"{answer.log} answers with another kind", code="existence-answer")
        epoch = read_terms(body, self.trust())
        if epoch.ends_ms <= self.clock():
            # Its next table is not whole yet: the old one serves so long.
            return replace(epoch, ends_ms=self.clock() + _LATE_MS)
        return epoch

    def _forget(self, region: str) -> None:
        with self._turn:
            self._epochs.pop(region, None)
            self.keys.forget(region)

    def _asked(
        self,
        document: Document,
        purpose: str,
        epochs: Mapping[str, Epoch],
        keys: Mapping[str, CertifiedKeys],
    ) -> dict[str, RegionPresence]:
        """One signed request to all these regions, and what each came to."""
        if not epochs:
            return {}
        reply = SealingKey.from_seed(HYBRID, secrets.token_bytes(SEED_BYTES[HYBRID]))
        name = name_of(document.canonical)
        asking = {
            region: Asking(
                region, epoch, name, scalar_from(secrets.token_bytes(UNIFORM_BYTES)), reply
            )
            for region, epoch in epochs.items()
        }
        request = existence_pb2.ExistenceRequest(
            purpose=purpose,
            reply_key=sealing_pb2.SealingPublicKey(kind=reply.kind, data=reply.public.data),
            asks=[asking[each].ask(keys[each].choose(), self.asker) for each in sorted(asking)],
        )
        answers = self.ask(request, sorted(asking))
        return {each.log: self._read(each, asking[each.log]) for each in answers}

    def _read(self, answer: LogAnswer, asking: Asking) -> RegionPresence:
        said = _silence(answer)
        if said is not None:
            return said
        body = answer.answer.body if answer.answer is not None else None
        if not isinstance(body, existence_pb2.ExistenceAnswer):
            raise Unverified(f"{answer.log} answers with another kind", code="existence-answer")
        known = asking.read(body, self.trust())
        return RegionPresence(
            answer.log, YES if known else NO, rule=", ".join(body.rules),
            basis=", ".join(body.bases),
        )  # fmt: skip


def _silence(answer: LogAnswer) -> RegionPresence | None:
    """Why a region said neither yes nor no, or None where it did.

    Raises where the question was at fault, or the answer is not to be believed.
    """
    refusal = answer.answer.refusal if answer.answer is not None else None
    if answer.answer is not None and refusal is None:
        return None
    if answer.status not in {"refused", "unavailable"} and (refusal or answer.status in KINDS):
        answer.require()
    if refusal is None:
        return RegionPresence(
            answer.log, UNAVAILABLE, code="node-unavailable", message=answer.reason
        )
    status = refusal.status
    kind = NOT_PERMITTED if status.error == "refused" else UNAVAILABLE
    return RegionPresence(answer.log, kind, status.code, status.rule, status.basis, status.message)


def _unread(answer: LogAnswer) -> RegionPresence:
    raise Unverified(f"{answer.log} certifies no key", code="sealing-key")
