"""What a node keeps of agreements, consents, emergency access and charters, together. Rim."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from dataspace.errors import DataspaceError
from dataspace.evidence.agreeing import Registry, delivered, record_in_order
from dataspace.evidence.consenting import Consents
from dataspace.evidence.desk import RequestKind
from dataspace.evidence.governing import Governor
from dataspace.evidence.recording import Recorder
from dataspace.evidence.reviewing import Emergencies
from dataspace.evidence.subjects import KEY_BYTES, subject_tag
from dataspace.governed import open_governor
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_or_make_secret
from dataspace.identity.revoked import STALE_RULE
from dataspace.identity.trustlist import TrustList
from dataspace.policy.store import PolicyStore
from dataspace.processes import now_ms
from dataspace.record_room import SUBJECT_KEY
from dataspace.v1 import broker_pb2
from dataspace.v1.agreement_pb2 import AgreementChain
from node.agreements import LedgerShelf
from node.consents import LedgerConsents
from node.emergencies import LedgerEmergencies
from node.ledger import Ledger

_LOG = structlog.get_logger("node.governance")


@dataclass(frozen=True)
class Governance:
    """One region's."""

    agreements: Registry
    consents: Consents
    emergencies: Emergencies
    governor: Governor
    _late: list[AgreementChain] = field(default_factory=list, repr=False)
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def open(
        cls,
        home: PartyHome,
        ledger: Ledger,
        recorder: Recorder,
        trust: Callable[[], TrustList],
        policies: PolicyStore,
    ) -> Governance:
        """Open them over the node's ledger, log and policies."""
        region, record = home.uri.region, record_in_order(recorder, now_ms)
        key = load_or_make_secret(home.path / SUBJECT_KEY, KEY_BYTES)
        return cls(
            Registry(region, LedgerShelf(ledger), trust, record, home.uri.member),
            Consents(
                region,
                home.identity,
                LedgerConsents(ledger),
                record,
                lambda document: subject_tag(key, document),
                secrets.token_bytes,
            ),
            Emergencies(region, LedgerEmergencies(ledger), record, home.config.review_days),
            open_governor(home, region, policies, recorder),
        )

    def kinds(self) -> tuple[RequestKind, ...]:
        """What the node's desk answers with these."""
        return (
            *self.agreements.kinds(),
            self.consents.kind(),
            self.emergencies.kind(),
            self.governor.kind(),
        )

    def take(self, welcome: broker_pb2.Welcome) -> None:
        """Take in what a broker kept while the node was away."""
        with self._turn:  # several brokers may welcome the node at once
            self._deliver(welcome.agreements)
            try:
                self.governor.take_chain(welcome.charters, now_ms())
            except DataspaceError as error:
                # The earlier charter stays in force; why is on record as an alarm.
                _LOG.error("charter.rejected", code=error.code)

    def take_late(self) -> None:
        """Take in what could not be verified before another region's revocation list had come.

        Until then nobody of that region is answered, so that nothing is decided without it.
        """
        with self._turn:
            late, self._late[:] = list(self._late), []
            self._deliver(late)

    def _deliver(self, chains: Iterable[AgreementChain]) -> None:
        for chain in chains:
            for error in delivered(self.agreements, [chain], now_ms()):
                if error.rule == STALE_RULE and chain not in self._late:
                    self._late.append(chain)
                _LOG.error("agreement.rejected", code=error.code)
