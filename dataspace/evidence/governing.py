"""A party's governor: takes charters that two regions signed, records them, decides by them.

A charter is verified, tried with the party's own rules, recorded as `charter.applied`, kept, and
only then in force. One that is not taken changes nothing and is recorded as the alarm
`charter.rejected`, with code, file, line and rule. The broker brings charters, and is trusted with
their delivery alone. Reads no clock: times are handed in.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Refused
from dataspace.evidence.agreeing import Record
from dataspace.evidence.desk import Made, RequestKind
from dataspace.identity.envelopes import Opened
from dataspace.identity.trustlist import TrustList, accept_next
from dataspace.policy.charter import Charter, read_charter
from dataspace.policy.charter_chain import (
    accept_charter,
    check_current,
    check_restores,
    signers_of,
)
from dataspace.policy.faults import PolicyFault
from dataspace.policy.rules import PolicySet
from dataspace.policy.store import PolicyStore
from dataspace.query.product import Offer
from dataspace.v1 import charter_pb2
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope

APPLIED = "charter.applied"
REJECTED = "charter.rejected"
MAX_REQUEST_BYTES = 3 * 1024 * 1024  # a charter and a trust list, with their signatures
BASIS = "space rule: charter"
_MOST = 200  # characters of a file's or rule's name in an entry

# Keeps a trust list that comes with a charter (or None) and the charter, durably, in this order.
Keep = Callable[[Charter, Envelope, Envelope | None], None]


@dataclass(frozen=True)
class Taken:
    """A charter that is in force, and whether it was so before."""

    charter: Charter
    policies: PolicySet
    already: bool


@dataclass
class Governor:
    """One party's. `owner` is a region, or "broker"; `lists` gives every trust list, in order."""

    owner: str
    store: PolicyStore
    lists: Callable[[], Sequence[TrustList]]
    record: Record
    keep: Keep
    charters: tuple[Charter, ...]  # every version that was in force here
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _told: tuple[str, str] = ("", "")  # the last alarm, so that each is raised once

    @property
    def current(self) -> Charter | None:
        """The charter in force; None in a space that has none."""
        return self.charters[-1] if self.charters else None

    def kind(self) -> RequestKind:
        """What the desk answers with this."""
        return RequestKind(
            "charter", charter_pb2.CharterApplication, self.answer, max_bytes=MAX_REQUEST_BYTES
        )

    def answer(self, opened: Opened[charter_pb2.CharterApplication], now_ms: int) -> Made:
        """Take the charter in a request; the answer names what is in force then."""
        taken = self._asked(opened, now_ms)
        charter = taken.charter
        body = charter_pb2.CharterApplied(
            request_sha256=opened.payload_sha256,
            region=self.owner,
            version=charter.version,
            charter_sha256=charter.sha256,
            policy_sha256=taken.policies.sha256,
            already=taken.already,
            decided_at_ms=now_ms,
        )
        return Made(body, {"charter": charter.version, "charter_sha256": charter.id})

    def carry(self, opened: Opened[charter_pb2.CharterApplication], now_ms: int) -> None:
        """What the broker does with such a request before it forwards it: the same."""
        self._asked(opened, now_ms)

    def take(self, proposal: Proposal, now_ms: int) -> Taken:
        """Decide by a charter from now on. One that is in force already is no change.

        Raises those of `accept_charter`, `accept_next` of a trust list and `load_governed`;
        whatever it is, it is on record as an alarm then.
        """
        return self._take([proposal.charter], proposal.trust_list, now_ms)

    def take_chain(self, envelopes: Sequence[Envelope], now_ms: int) -> None:
        """Catch up with every version that somebody else delivers. Raises as `take` does.

        Versions between were in force elsewhere: they are verified and kept, and only the last
        has to load with the party's own rules.
        """
        known = {each.id for each in self.charters}
        missed = [each for each in envelopes if read_charter(each).id not in known]
        if missed:
            self._take(missed, Envelope(), now_ms)

    def check_offered(self, offer: Offer) -> None:
        """Refuse to answer from a product that the charter in force does not let be offered."""
        if self.current is None:
            return
        try:
            self.current.check_offer(offer)
        except Malformed as error:
            raise Refused(
                f"{error.message}; its region has to load it anew",
                code=error.code,
                rule="charter",
                basis=BASIS,
            ) from None

    def _asked(self, opened: Opened[charter_pb2.CharterApplication], now_ms: int) -> Taken:
        if opened.signer.uri.role != "operator":
            raise Refused(
                "a charter is applied by an operator", code="charter-operator",
                rule="charter-operator", basis=BASIS,
            )  # fmt: skip
        return self.take(opened.message.proposal, now_ms)

    def _take(self, envelopes: Sequence[Envelope], trust_list: Envelope, now_ms: int) -> Taken:
        last = read_charter(envelopes[-1])
        with self._turn:
            if self.current is not None and last.sha256 == self.current.sha256:
                return Taken(self.current, self.store.current(), already=True)
            try:
                return self._swap(envelopes, trust_list, now_ms)
            except DataspaceError as error:
                self._alarm(last, error, now_ms)
                raise

    def _swap(self, envelopes: Sequence[Envelope], trust_list: Envelope, now_ms: int) -> Taken:
        if self.current is None:
            raise Malformed(
                "this space was made before there were charters; make it anew to have one",
                code="charter-missing",
            )
        lists = tuple(self.lists())
        fresh = trust_list if trust_list.payload and not _is_known(trust_list, lists) else None
        if fresh is not None:
            lists = (*lists, accept_next(lists[-1], fresh, now_ms))
        accepted = list(self.charters)
        for envelope in envelopes:
            charter = accept_charter(accepted[-1], envelope, lists)
            check_restores(charter, accepted)
            accepted.append(charter)
        check_current(accepted[-1], lists[-1])
        new = list(zip(accepted[len(self.charters) :], envelopes, strict=True))

        def keep(policies: PolicySet) -> None:
            # INVARIANT: recorded before it is in force.
            for charter, envelope in new:
                decides = charter is accepted[-1]
                self._note(charter, signers_of(envelope, charter, lists), decides, now_ms)
                self.keep(charter, envelope, fresh if decides else None)

        policies = self.store.take_charter(accepted[-1], keep)
        self.charters = tuple(accepted)
        self._told = ("", "")
        return Taken(accepted[-1], policies, already=False)

    def _note(self, charter: Charter, signers: frozenset[str], decides: bool, now_ms: int) -> None:
        fields: dict[str, FieldValue] = {
            "charter": charter.version,
            "charter_sha256": charter.id,
            "previous_sha256": charter.previous_sha256.hex(),
            "trust_list_sha256": charter.trust_list_sha256.hex(),
            "signed_by": sorted(signers),
            "restores": charter.restores,
            "decides": decides,  # false of a version that was passed by while this party was away
        }
        self.record(APPLIED, now_ms, fields, None)

    def _alarm(self, charter: Charter, error: DataspaceError, now_ms: int) -> None:
        told = (charter.id, error.message)
        if told == self._told:
            return
        fields: dict[str, FieldValue] = {
            "charter": charter.version,
            "charter_sha256": charter.id,
            "in_force": self.current.version if self.current is not None else 0,
            "code": error.code,
            **_place_of(error),
        }
        self.record(REJECTED, now_ms, fields, None)
        self._told = told


def _place_of(error: DataspaceError) -> Mapping[str, FieldValue]:
    """Where in the rules it went wrong, as the alarm `policy.rejected` has it."""
    return {
        "file": error.source[:_MOST] if isinstance(error, PolicyFault) else "",
        "line": error.place.line if error.place is not None else 0,
        "rule": error.rule[:_MOST],
    }


def _is_known(trust_list: Envelope, lists: Sequence[TrustList]) -> bool:
    """Whether a trust list is in force here already, as it comes before its charter at attach."""
    return any(each.payload_sha256 == hashlib.sha256(trust_list.payload).digest() for each in lists)
