"""`python -m broker --home DIR`: the space's broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import structlog

from broker.admission import Admission
from broker.attached import Attached
from broker.callers import Callers
from broker.federation import Federation, now_ms
from broker.handed import HandedOn
from broker.limits import MOST_CALLS, room_for, server_options
from broker.observing import Observed
from broker.offers import Offers
from broker.proposals import FOLDER as PROPOSALS
from broker.proposals import Proposals
from broker.public_papers import paper_routes
from broker.publishing import public_logs
from broker.relaying import Relay, carried_kind
from broker.service import BrokerService
from broker.standing import Standing
from broker.unreadable import ReadsAnything
from broker.witnesses import Witnesses
from broker.witnessing import Witnessing
from dataspace.agreement_files import FOLDER as AGREEMENTS
from dataspace.agreement_files import FileShelf
from dataspace.audit.bodies import BodyStore
from dataspace.audit.cosigned_store import CosignedStore
from dataspace.audit.cosigning import Cosigner
from dataspace.audit.store import LogStore
from dataspace.channels import roots_of, server_credentials
from dataspace.charter_files import charter_envelopes
from dataspace.errors import Malformed, Unavailable
from dataspace.evidence.agreeing import Registry, record_in_order
from dataspace.evidence.archive import Archive
from dataspace.evidence.cosigned import quorum_of
from dataspace.evidence.existence import CHECK, TERMS
from dataspace.evidence.governing import MAX_REQUEST_BYTES, Governor
from dataspace.evidence.parts import keeper_of
from dataspace.evidence.recording import Heard, Recorder, unheard
from dataspace.governed import open_governor, open_policies
from dataspace.home import PartyHome
from dataspace.identity.dsse import payload_type_of
from dataspace.identity.envelopes import Opened
from dataspace.identity.trusted import BROKER
from dataspace.in_force import InForce
from dataspace.observing.serving import HttpServer
from dataspace.policy_watch import PolicyWatch
from dataspace.processes import write_state
from dataspace.record_room import RecordRoom
from dataspace.starting import run_service, stop_signal
from dataspace.storage import check_storage
from dataspace.v1 import broker_pb2_grpc
from dataspace.v1.agreement_pb2 import AgreementStep
from dataspace.v1.charter_pb2 import CharterApplication
from dataspace.v1.consent_pb2 import ConsentRequest
from dataspace.v1.emergency_pb2 import ReviewRequest
from dataspace.v1.existence_pb2 import ExistenceRequest, ExistenceTermsRequest
from dataspace.v1.record_pb2 import RecordRequest
from dataspace.v1.sealing_pb2 import SealingKeyRequest

_LOG = structlog.get_logger("broker")

_GRACE_SECONDS = 1.0
_WORKERS = 32  # most of them wait for the log, and share its flushes


def open_federation(home: PartyHome, in_force: InForce, heard: Heard = unheard) -> Federation:
    """Everything the broker needs, opened. Raises what is wrong, naming it."""
    if home.config.kind != "broker":
        raise Malformed(f"{home.path} is not a broker's home", code="home-kind")
    check_storage(home.path)
    trust = in_force.trust()
    log = LogStore.open(home.path / "log", home.config.log_origin, home.log_key)
    return Federation(
        identity=home.identity,
        trust=trust,
        policies=open_policies(home),
        recorder=Recorder(home.config.log_origin, log, BodyStore(home.folder("bodies")), heard),
        offers=Offers(home.folder("offers"), trust, now_ms()),
        attached=Attached(),
        query_seconds=home.config.query_seconds + 5,
        round_seconds=home.config.round_seconds,
        archive=Archive(home.folder("archive")),
        cosigned=CosignedStore(home.folder("cosigned"), log.cosigned_text),
    )


def open_witnessing(home: PartyHome, federation: Federation, in_force: InForce) -> Witnessing:
    """The broker's part in witnessing: copies of the nodes' logs, and its own log's cosigner."""
    trust, witnesses = federation.trust, Witnesses()

    async def ask(name: str, request: bytes) -> tuple[int, bytes]:
        reply = await witnesses.ask(name, request)
        return reply.status, reply.body

    quorum = quorum_of(trust, federation.recorder.origin)
    log = federation.recorder.log

    def keep(note: str, cosigned_ms: int) -> None:
        lists = in_force.lists().SerializeToString()
        federation.cosigned.keep(note, cosigned_ms, lists)

    cosigner = Cosigner(log, quorum, ask, _on_refusal, keep)
    witnessing = Witnessing(witnesses, cosigner, home.folder("mirrors"))
    witnessing.follow(trust)
    in_force.watch(lambda: witnessing.follow(in_force.trust()))
    federation.proofs = witnessing.proofs
    grace = home.config.witness_grace_seconds
    federation.check_witnessed = lambda: cosigner.check_grace(grace, now_ms())
    return witnessing


def _on_refusal(witness: str, status: int) -> None:
    _LOG.warning("witness.refused", witness=witness, status=status)


def open_agreements(home: PartyHome, federation: Federation) -> Registry:
    """The agreements that the broker carried: nodes that were away get them at attach."""
    shelf = FileShelf(home.folder(AGREEMENTS))
    record = record_in_order(federation.recorder, now_ms)
    agreements = Registry(BROKER, shelf, lambda: federation.trust, record)
    federation.agreement_state = agreements.agreement_state
    return agreements


def open_governance(home: PartyHome, federation: Federation) -> Proposals:
    """The broker's governor, and the proposals that it keeps for review."""
    governor = open_governor(home, BROKER, federation.policies, federation.recorder)
    federation.offers.charter = lambda: governor.current
    return Proposals(home.folder(PROPOSALS), governor, lambda: charter_envelopes(home))


def open_room(
    home: PartyHome, federation: Federation, agreements: Registry, proposals: Proposals
) -> RecordRoom:
    """The broker's desk: what it answers itself, and what it carries to the nodes."""
    return RecordRoom.open(
        home,
        federation.recorder,
        lambda: federation.trust,
        # What the broker is asked comes from its signer's own channel; nodes claim each nonce.
        claim=lambda _key, _expires_ms, _now_ms: None,
        others=(
            keeper_of(BROKER, federation.recorder, federation.cosigned, federation.archive).kind(),
            *agreements.kinds(),
            carried_kind("consent", ConsentRequest),
            carried_kind("review", ReviewRequest),
            carried_kind(TERMS, ExistenceTermsRequest),
            carried_kind(CHECK, ExistenceRequest),
            carried_kind("sealing_key", SealingKeyRequest),
            carried_kind("charter", CharterApplication, MAX_REQUEST_BYTES),
            proposals.kind(),
            carried_kind("record", RecordRequest),
        ),
        archive=federation.archive,
    )


def open_relay(
    federation: Federation, room: RecordRoom, agreements: Registry, governor: Governor
) -> Relay:
    """What carries requests to the logs' owners, and keeps the steps of agreements that pass."""
    carried: dict[str, Callable[[Opened[Any], int], None]] = {
        payload_type_of(AgreementStep): agreements.carry,
        payload_type_of(CharterApplication): governor.carry,
    }
    return Relay(room.desk, federation.attached, room.kinds, carried)


def serve_logs(
    home: PartyHome, federation: Federation, witnessing: Witnessing
) -> HttpServer | None:
    """Serve the public files of every log, where an address is set."""
    if not home.http_address:
        return None
    trust, origin = federation.trust, federation.recorder.origin
    # This replica's, of several.
    (key,) = [log.vkey for log in trust.logs if log.origin == origin]
    own = {BROKER: (home.path / "log", key)}

    def logs() -> dict[str, tuple[Path, str]]:
        copies = witnessing.mirrors.items()
        return {owner: (copy.directory, copy.vkey) for owner, copy in copies} | own

    return HttpServer(public_logs(logs, paper_routes(home.path)), home.http_address)


def _listening_server(
    home: PartyHome, service: BrokerService, observed: Observed
) -> grpc.aio.Server:
    """The gRPC server, bound and not started yet."""
    options = server_options(room_for(home.config.connections))
    server = grpc.aio.server(
        options=options,
        maximum_concurrent_rpcs=MOST_CALLS,
        interceptors=[*observed.interceptors(), ReadsAnything()],
    )
    observed.serve_health(server)
    broker_pb2_grpc.add_BrokerServicer_to_server(service, server)  # type: ignore[no-untyped-call]  # generated
    broker_pb2_grpc.add_AttachmentServicer_to_server(service, server)  # type: ignore[no-untyped-call]  # generated
    trusted = service.standing.in_force.trust
    address = home.listen_address
    try:
        server.add_secure_port(
            address, server_credentials(home.credentials.tls, lambda: roots_of(trusted()))
        )
    except RuntimeError:
        raise Unavailable(
            f"the broker cannot listen on {address}: the port is taken or not allowed; "
            "stop what uses it, or change `broker` in party.toml",
            code="port-taken",
        ) from None
    return server


async def serve(home: PartyHome) -> None:
    """Serve until a signal."""
    run_folder = home.folder("run")
    write_state(run_folder, stage="starting")
    in_force = InForce(home)
    observed = Observed(home)
    federation = open_federation(home, in_force, observed.recorded)
    standing = Standing(in_force)

    def renew() -> None:
        federation.trust = in_force.trust()
        federation.offers.drop_revoked(federation.trust, now_ms())
        standing.look_again()

    in_force.watch(renew)
    witnessing = open_witnessing(home, federation, in_force)
    agreements = open_agreements(home, federation)
    proposals = open_governance(home, federation)
    room = open_room(home, federation, agreements, proposals)
    admission = Admission(home.config.waiting_queries, time.monotonic)
    relay = open_relay(federation, room, agreements, proposals.governor)
    handed = HandedOn(in_force, agreements, proposals.governor, federation.attached)
    service = BrokerService(
        federation, admission, witnessing, relay, standing, agreements, handed, proposals.charters,
        Callers.of(home.config),
    )  # fmt: skip
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_WORKERS))
    server = _listening_server(home, service, observed)
    watch = PolicyWatch(federation.policies, federation.recorder, now_ms)
    watch.begin()  # before anything is decided
    await observed.open(service)
    await server.start()
    public = serve_logs(home, federation, witnessing)
    write_state(run_folder, stage="serving", address=home.listen_address, http=home.http_address)
    stop = stop_signal()
    beside = [
        asyncio.create_task(each)
        for each in (
            room.keep_sweeping(), watch.run(), in_force.keep_looking(), handed.run(),
            witnessing.cosigner.run(),
        )
    ]  # fmt: skip
    await stop.wait()
    await observed.stop()
    stopping = asyncio.create_task(server.stop(_GRACE_SECONDS))
    await asyncio.sleep(0)  # from here on no call begins, and no node attaches again
    standing.close()
    federation.attached.close()
    witnessing.witnesses.close()
    for task in beside:
        task.cancel()
    await stopping
    if public is not None:
        await public.stop()
    await asyncio.to_thread(room.close)
    federation.recorder.log.close()
    write_state(run_folder, stage="stopped")


def main() -> None:
    """Run the broker."""
    run_service("broker", "the broker's", serve)


if __name__ == "__main__":
    main()
