"""Nodes that answer existence checks, and a way between them and a client that may cheat.

Nodes, logs, ledgers, rules and tables are the real ones, as is the client; only the wire is left
out. What stands in for the broker may alter requests and answers.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from google.protobuf.message import Message

from dataspace.agreement_files import FOLDER, FileShelf
from dataspace.audit.entries import Entry
from dataspace.client.asking import LogAnswer, check_answers
from dataspace.client.existence import ExistenceChecks
from dataspace.client.sealing_keys import KnownKeys
from dataspace.evidence.agreeing import Registry
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import REGIONS
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.documents import Document
from dataspace.processes import now_ms
from dataspace.synthetic import generate_region
from dataspace.v1 import audit_pb2, broker_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.existence.building import Tables
from node.existence.epochs import Served
from node.service import Node
from tests.federation.copies import still_copy
from tests.revocations import current_trust, fresh_lists

PATIENTS = 300
STRANGER = Document.parse("hkid:A123456(3)")

Answers = dict[str, query_pb2.NodeAnswer]


@cache
def patient_of(region: str, number: int = 0) -> Document:
    """One of the people whom a region's node knows."""
    table = generate_region(region, PATIENTS, 1)["patients"]
    found = [
        Document(kind, text)
        for kind in ("hkid", "ric", "bir", "mtp")
        for text in table[kind].to_pylist()
        if text
    ]
    return found[number]


@dataclass
class World:
    """`send` may alter a request on its way; `bring` the answers to one on theirs."""

    home: Path
    nodes: dict[str, Node]
    trust: TrustList
    send: Callable[[str, Envelope], Envelope] = lambda _region, envelope: envelope
    bring: Callable[[Answers], Answers] = lambda answers: answers
    sent: list[Envelope] = field(default_factory=list)
    brought: list[Answers] = field(default_factory=list)

    def tables(self, region: str) -> Tables:
        return self.nodes[region].existence.existence.tables

    def checks(self, actor: str = "hongkong/clinician") -> ExistenceChecks:
        """A client of that actor, who knows nothing yet."""
        party = PartyHome(self.home / "actors" / actor.replace("/", "-"))

        def ask(request: Message, logs: Sequence[str]) -> tuple[LogAnswer, ...]:
            return self._ask(party, request, logs)

        return ExistenceChecks(ask, KnownKeys(ask, now_ms), lambda: self.trust, party.uri, now_ms)

    def deliver(self, region: str, envelope: Envelope) -> query_pb2.NodeAnswer:
        """What a node makes of an envelope."""
        return self.nodes[region].room.handlers()[envelope.payload_type](envelope)

    def entries(self, region: str, kind: str) -> list[Entry]:
        """The entries of a kind in a region's log."""
        log = self.nodes[region].gatekeeper.recorder.log
        read = [Entry.from_bytes(log.read_entry(index)) for index in range(log.size)]
        return [entry for entry in read if entry.kind == kind]

    def _ask(
        self, party: PartyHome, request: Message, logs: Sequence[str]
    ) -> tuple[LogAnswer, ...]:
        freshness = make_freshness(
            now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=[*logs, BROKER]
        )
        asked = type(request)()
        asked.CopyFrom(request)
        asked.MergeFrom(type(request)(freshness=freshness))
        envelope = seal(asked, party.identity)
        self.sent.append(envelope)
        answers = {region: self.deliver(region, self.send(region, envelope)) for region in logs}
        self.brought.append(answers)
        answers = self.bring(answers)
        told = audit_pb2.AuditAnswers(
            answers=answers.values(),
            nodes=[
                query_pb2.NodeOutcome(
                    region=region, status="released",
                    body_sha256=hashlib.sha256(answer.body.payload).digest(),
                )
                for region, answer in answers.items()
            ],
        )  # fmt: skip
        digest = hashlib.sha256(envelope.payload).digest()
        return check_answers(told, logs, digest, self.trust, now_ms())


@contextmanager
def existence_world(
    folder: Path, regions: Sequence[str] = REGIONS, **config: int
) -> Iterator[World]:
    """A world in that folder; `config` are lines of each node's party.toml."""
    space = still_copy(folder)
    shelf = FileShelf(PartyHome(space.home / "broker").folder(FOLDER))
    agreements = Registry(BROKER, shelf, lambda: trust, lambda *_: None)
    trust = current_trust(space.home, now_ms())
    nodes = {}
    for region in regions:
        file = space.home / region / CONFIG
        lines = "".join(f"{name} = {value}\n" for name, value in config.items())
        file.write_text(file.read_text() + lines)
        node = nodes[region] = Node.open(PartyHome(space.home / region))
        node.in_force.take(fresh_lists(space.home, now_ms()))
        node.governance.take(broker_pb2.Welcome(agreements=agreements.of_region(region)))
        node.existence.existence.tables.refresh()
    try:
        yield World(space.home, nodes, trust)
    finally:
        for node in nodes.values():
            node.close()


def check(checks: ExistenceChecks, document: Document, *regions: str) -> list[str]:
    """What each region answers a clinician; Hong Kong where none is named."""
    found = checks.check(document, "TREAT", regions or ("hongkong",))
    return [each.answer for each in found.regions]


def served(world: World, region: str = "hongkong") -> Served:
    """What a node answers by."""
    found = world.tables(region).served
    assert found is not None
    return found
