"""A node as a process: opens what it needs, fails clearly, attaches, answers. Rim."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from google.protobuf.message import DecodeError

from dataspace.audit.bodies import BodyStore
from dataspace.audit.cosigned_store import CosignedStore
from dataspace.audit.cosigning import Cosigner
from dataspace.audit.store import LogStore
from dataspace.charter_files import charter_envelopes
from dataspace.errors import Malformed, Unverified
from dataspace.evidence.archive import Archive
from dataspace.evidence.cosigned import quorum_of
from dataspace.evidence.parts import keeper_of
from dataspace.evidence.recording import Recorder
from dataspace.governed import open_policies
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.in_force import InForce
from dataspace.policy_watch import PolicyWatch
from dataspace.processes import write_state
from dataspace.record_room import RecordRoom
from dataspace.starting import stop_signal
from dataspace.storage import check_storage
from dataspace.v1 import audit_pb2
from node import admin
from node.agreements import LedgerShelf
from node.attachment import Attachment, Bench
from node.attachments import Attachments
from node.backing_up import begin_backup
from node.blinding import BlindingPool
from node.catalogue import open_catalogue
from node.existence.opening import ExistenceRoom
from node.gatekeeper import Gatekeeper, now_ms
from node.governance import Governance
from node.handing import Handing
from node.ledger import Ledger, ledger_owner
from node.linking.gate import OverlapGate
from node.linking.rounds import Rounds
from node.links import Links
from node.observing import Observed
from node.patients import Patients
from node.record_volumes import RecordVolumes
from node.records import RecordGate
from node.sealing import NodeSealing
from node.warehouse.documents import read_documents
from node.warehouse.engine import Limits
from node.warehouse.generations import Generation, Generations
from node.witnessing import Witnessing

_LOG = structlog.get_logger("node")


@dataclass
class Node:
    """One region's node, assembled."""

    home: PartyHome
    in_force: InForce
    gatekeeper: Gatekeeper
    room: RecordRoom
    generations: Generations
    limits: Limits
    cosigned: CosignedStore
    governance: Governance
    existence: ExistenceRoom
    pool: BlindingPool
    observed: Observed

    @classmethod
    def open(cls, home: PartyHome) -> Node:
        """Open everything. Raises what is wrong, naming it."""
        if home.config.kind != "node":
            raise Malformed(f"{home.path} is not a node's home", code="home-kind")
        check_storage(home.path)
        in_force = InForce(home)
        limits = Limits.of(home.config)
        generations = Generations(home.path / "warehouse")
        observed = Observed(home)
        gatekeeper = _open_gatekeeper(home, in_force, observed, generations, limits)
        log = gatekeeper.recorder.log
        cosigned = CosignedStore(home.folder("cosigned"), log.cosigned_text)
        governance = Governance.open(
            home, gatekeeper.ledger, gatekeeper.recorder, gatekeeper.trust, gatekeeper.policies
        )
        gatekeeper.agreement_state = governance.agreements.agreement_state
        gatekeeper.check_offered = governance.governor.check_offered
        sealing = NodeSealing()
        existence = ExistenceRoom.open(
            home, gatekeeper, sealing, lambda: read_documents(gatekeeper.catalogue)
        )
        room = _open_room(home, gatekeeper, governance, sealing, existence, cosigned)
        return cls(
            home,
            in_force,
            gatekeeper,
            room,
            generations,
            limits,
            cosigned,
            governance,
            existence,
            BlindingPool(limits.threads),
            observed,
        )

    async def run(self) -> None:
        """Serve until a signal."""
        run_folder = self.home.folder("run")
        write_state(run_folder, stage="starting")

        attachments = self._attachments(run_folder)
        cosigner = self._cosigner(attachments)
        page = self.observed.open_page(self, attachments, cosigner)

        self._renew_with_lists(attachments, cosigner)
        beside = [asyncio.create_task(self.in_force.keep_looking())]
        local = await admin.serve(
            run_folder, lambda request: self._administer(request, attachments)
        )
        watch = PolicyWatch(self.gatekeeper.policies, self.gatekeeper.recorder, now_ms)
        watch.begin()  # before anything is decided
        task = asyncio.create_task(attachments.run())
        beside += [
            asyncio.create_task(each)
            for each in (
                cosigner.run(), self.room.keep_sweeping(), watch.run(), self.existence.keep(),
            )
        ]  # fmt: skip
        stopping = asyncio.create_task(stop_signal().wait())
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await page.stop()
        local.close()
        admin.forget(run_folder)
        for each in (task, *beside):
            each.cancel()
        await asyncio.to_thread(self.close)
        write_state(run_folder, stage="stopped")

    def _cosigner(self, attachments: Attachments) -> Cosigner:
        """What has the own log cosigned; without it for too long, nothing is answered."""
        home = self.home

        def keep(note: str, cosigned_ms: int) -> None:
            self.cosigned.keep(note, cosigned_ms, self.in_force.lists().SerializeToString())

        quorum = quorum_of(self.gatekeeper.trust(), home.config.log_origin)
        log = self.gatekeeper.recorder.log
        cosigner = Cosigner(log, quorum, attachments.ask_witness, _on_refusal, keep)
        grace = home.config.witness_grace_seconds
        self.gatekeeper.check_witnessed = lambda: cosigner.check_grace(grace, now_ms())
        return cosigner

    def _renew_with_lists(self, attachments: Attachments, cosigner: Cosigner) -> None:
        """Whom a new list revokes is offered nothing and asks nothing from then on."""
        loop = asyncio.get_running_loop()

        def renew() -> None:
            self.gatekeeper.catalogue = self.gatekeeper.catalogue.without_revoked(
                self.in_force.trust(), now_ms()
            )
            attachments.stop_revoked()
            # A list that names the log no more changes nothing: the log stays as it was cosigned.
            with suppress(Unverified):
                cosigner.follow(quorum_of(self.in_force.trust(), self.home.config.log_origin))
            loop.run_in_executor(None, self.governance.take_late)

        self.in_force.watch(renew)

    def close(self) -> None:
        """Let go of log, index and ledger; nothing is answered any more."""
        self.pool.close()
        self.room.close()
        self.gatekeeper.recorder.log.close()
        self.gatekeeper.ledger.close()
        self.observed.calls.close()

    def _attachments(self, run_folder: Path) -> Attachments:
        """One attachment for each broker; they share threads, places and limits."""
        home, gatekeeper, governance = self.home, self.gatekeeper, self.governance
        links = Links(run_folder, home.broker_addresses)
        bench, shelf = Bench.of(home.config), LedgerShelf(gatekeeper.ledger)
        rounds: set[asyncio.Task[None]] = set()
        handing = Handing(
            gatekeeper.region, self.in_force, governance.agreements,
            lambda: (shelf.steps(), len(governance.governor.charters)),
            lambda: charter_envelopes(home),
        )  # fmt: skip
        handlers = self.room.handlers()
        gate = OverlapGate(gatekeeper, self.pool)
        return Attachments(
            [
                Attachment(
                    home,
                    address,
                    bench,
                    gatekeeper,
                    self.in_force,
                    Witnessing(gatekeeper.recorder.log),
                    handing,
                    links.of(address),
                    handlers,
                    governance.take,
                    Rounds(gatekeeper.region, gate, self.pool, rounds, self.observed.calls),
                    self.observed.calls,
                    self.observed.clock,
                )
                for address in home.broker_addresses
            ]
        )

    async def _administer(
        self, request: dict[str, Any], attachments: Attachments
    ) -> dict[str, Any]:
        match request.get("do"):
            case "status":
                return {
                    "attached": attachments.attached,
                    "products": sorted(self.gatekeeper.catalogue.products),
                    "generation": self.gatekeeper.catalogue.generation,
                    "log_size": self.gatekeeper.recorder.log.size,
                }
            case "alarm":
                return await asyncio.to_thread(self._alarm, request.get("alarm"))
            case "audit":
                return await asyncio.to_thread(self._look, str(request.get("request")))
            case "answer":
                return await asyncio.to_thread(self._answer, str(request.get("envelope")))
            case "backup":
                return await asyncio.to_thread(begin_backup, self.gatekeeper.recorder, request)
            case "erase":
                return await asyncio.to_thread(self._erase, request)
            case "settle":
                return await asyncio.to_thread(
                    self.existence.existence.settle, str(request.get("member")), now_ms()
                )
            case "publish":
                return await self._publish(str(request.get("generation")), attachments)
        raise Malformed("there is no such thing to do", code="admin")

    def _alarm(self, alarm: object) -> dict[str, Any]:
        """Record what this region's witness saw of another's log."""
        if not isinstance(alarm, dict) or not all(
            isinstance(alarm.get(name), str) for name in ("rule", "origin", "sha256")
        ):
            raise Malformed("an alarm has a rule, an origin and a digest", code="admin")
        fields = {name: str(alarm[name])[:200] for name in ("rule", "origin", "sha256")}
        _LOG.warning("alarm.raised", **fields)
        self.gatekeeper.recorder.record("alarm.raised", now_ms(), fields)
        return {}

    def _look(self, encoded: str) -> dict[str, Any]:
        """The operator's own look into the log: {"do": "audit", "request": base64}."""
        try:
            asked = audit_pb2.AuditRequest.FromString(base64.b64decode(encoded, validate=True))
        except (ValueError, DecodeError):
            raise Malformed("send an AuditRequest in base64", code="admin") from None
        answer = self.room.look_locally(asked)
        return {"answer": base64.b64encode(answer.SerializeToString()).decode()}

    def _answer(self, encoded: str) -> dict[str, Any]:
        """A signed request without the broker: {"do": "answer", "envelope": base64}."""
        try:
            envelope = parse_envelope(base64.b64decode(encoded, validate=True))
        except ValueError:
            raise Malformed("send an envelope in base64", code="admin") from None
        handler = self.room.handlers().get(envelope.payload_type)
        if handler is None:
            raise Malformed("the desk answers no request of this kind", code="wrong-payload-type")
        answer = handler(envelope)
        # By which whoever asks believes the answer, also where the broker is away.
        lists = self.in_force.handed_on()
        return {
            "answer": base64.b64encode(answer.SerializeToString()).decode(),
            "revocations": base64.b64encode(lists.SerializeToString()).decode(),
        }

    def _erase(self, request: dict[str, Any]) -> dict[str, Any]:
        """{"do": "erase", "before_ms": …} or {"do": "erase", "entry": …}."""
        before, entry = request.get("before_ms"), request.get("entry")
        if isinstance(before, int) and entry is None:
            return {"erased": self.room.retention.erase_before(before, "operator")}
        if isinstance(entry, int) and before is None:
            return {"erased": self.room.retention.erase_entry(entry)}
        raise Malformed("say which bodies: before_ms, or entry", code="admin")

    async def _publish(self, name: str, attachments: Attachments) -> dict[str, Any]:
        """Offer a built generation to the space; take it only if the space does."""
        folder = self.generations.root / name
        if "/" in name or not folder.is_dir():
            raise Malformed("there is no such generation", code="admin")
        gatekeeper = self.gatekeeper
        fresh = await asyncio.to_thread(
            open_catalogue,
            Generation(folder), gatekeeper.region, gatekeeper.trust(), now_ms(), self.limits,
        )  # fmt: skip
        if attachments.attached:
            offers = [each.offer for each in fresh.products.values()]
            earlier = [each.offer for each in gatekeeper.catalogue.products.values()]
            rejected = await attachments.publish(offers, earlier)
            if rejected:
                if fresh.engine is not None:
                    fresh.engine.close()
                raise Malformed(rejected[0].message, code=rejected[0].code)
        # SECURITY: who signed may have been revoked since it was verified above.
        fresh = fresh.without_revoked(gatekeeper.trust(), now_ms())
        gatekeeper.recorder.record(
            "product.loaded",
            now_ms(),
            {"catalogue_sha256": fresh.sha256.hex(), "products": sorted(fresh.products)},
        )
        self.generations.publish(Generation(folder))
        previous, gatekeeper.catalogue = gatekeeper.catalogue, fresh
        asyncio.get_running_loop().call_later(
            self.limits.seconds + 5, self._retire, previous.generation, previous.engine
        )
        return {"generation": name}

    def _retire(self, name: str, engine: Any) -> None:
        """Queries that began on the old snapshot have ended by now."""
        if engine is not None:
            engine.close()
        current = self.gatekeeper.catalogue.generation
        if name:
            self.generations.remove_others(current)


def _open_gatekeeper(
    home: PartyHome,
    in_force: InForce,
    observed: Observed,
    generations: Generations,
    limits: Limits,
) -> Gatekeeper:
    config, region, trust = home.config, home.uri.region, in_force.trust()
    log = LogStore.open(home.path / "log", config.log_origin, home.log_key)
    bodies = BodyStore(home.folder("bodies"))
    return Gatekeeper(
        region=region,
        identity=home.identity,
        trust=in_force.trust,
        policies=open_policies(home),
        ledger=Ledger.of_home(home.path, config.ledger, ledger_owner(home)),
        recorder=Recorder(config.log_origin, log, bodies, observed.counts.recorded),
        catalogue=open_catalogue(generations.current(), region, trust, now_ms(), limits),
        archive=Archive(home.folder("archive")),
    )


def _open_room(
    home: PartyHome,
    gatekeeper: Gatekeeper,
    governance: Governance,
    sealing: NodeSealing,
    existence: ExistenceRoom,
    cosigned: CosignedStore,
) -> RecordRoom:
    """The desk, and every kind of request that this node answers at it."""
    records = RecordGate(
        gatekeeper,
        governance,
        sealing,
        RecordVolumes(gatekeeper.ledger),
        Patients(governance.consents.store, governance.consents.tag),
        followed=existence.existence.limits.resolved,
    )
    return RecordRoom.open(
        home,
        gatekeeper.recorder,
        gatekeeper.trust,
        claim=gatekeeper.ledger.claim,
        products=lambda document: gatekeeper.catalogue.may_hold(document.kind),
        others=(
            keeper_of(gatekeeper.region, gatekeeper.recorder, cosigned, gatekeeper.archive).kind(),
            *governance.kinds(),
            sealing.kind(gatekeeper.region),
            *existence.existence.kinds(),
            records.kind(),
        ),
    )


def _on_refusal(witness: str, status: int) -> None:
    _LOG.warning("witness.refused", witness=witness, status=status)


def publish_offline(generations: Generations, generation: Generation) -> None:
    """Publish while no node runs."""
    generations.publish(generation)
    generations.remove_others(generation.name)
