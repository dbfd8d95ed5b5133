"""A region's witness as a process: dials out, cosigns others' checkpoints, tells of forks. Rim.

A process of its own, so that a node's maintenance does not stop it; it holds keys that
sign nothing else, and remembers what it saw of each log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from dataspace.audit.cosignatures import CosigningPrivateKey, cosigning_vkey
from dataspace.audit.notes import VerifierKey, parse_vkey
from dataspace.audit.witness import Witness
from dataspace.audit.witness_store import SqliteWitnessStore
from dataspace.errors import DataspaceError, Malformed
from dataspace.home import PartyHome
from dataspace.identity.keystore import WITNESS_KEYS, load_private_key
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import InForce
from dataspace.observing.counts import Counts
from dataspace.processes import write_state
from dataspace.starting import stop_signal
from dataspace.v1 import broker_pb2
from node.dialling import Dialler, Stream
from node.links import Links, keep_all
from node.outpost import Outpost
from node.witness.alarms import Alarms

_LOG = structlog.get_logger("witness")

_TELL_SECONDS = 2.0
_INTERNAL = 500


@dataclass
class WitnessService:
    """One region's witness, assembled."""

    home: PartyHome
    name: str
    in_force: InForce
    witness: Witness
    alarms: Alarms
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def open(cls, home: PartyHome) -> WitnessService:
        """Open everything. Raises what is wrong, naming it."""
        if home.config.kind != "witness":
            raise Malformed(f"{home.path} is not a witness's home", code="home-kind")
        in_force = InForce(home)
        trust = in_force.trust()
        region = home.uri.region
        keys = [_cosigning_key(home.path / file) for file in WITNESS_KEYS]
        for witness in trust.witnesses_of(region):
            own = {cosigning_vkey(witness.name, key).to_text() for key in keys}
            if own == set(witness.vkeys):
                break
        else:
            raise Malformed(
                "the trust list names no witness with these keys; see `gba trust show`",
                code="witness-key",
            )
        store = SqliteWitnessStore(home.path / "seen.db")
        return cls(
            home,
            witness.name,
            in_force,
            Witness(witness.name, keys, watched_logs(trust, region), store),
            Alarms(home.path / "alarms", Path(home.path.parent) / "run"),
        )

    async def run(self) -> None:
        """Serve until a signal."""
        run_folder = self.home.folder("run")
        write_state(run_folder, stage="starting")

        addresses = self.home.broker_addresses
        links = Links(run_folder, addresses)
        observed = Outpost.open(self.home, self.in_force.trust, (self.alarms.reading(),))
        self.counts = observed.counts

        async def keep(address: str) -> None:
            dialler = Dialler(
                self.home, self.home.identity, self.in_force, observed.hears(links.of(address)),
                witness=self.name, address=address, clock=observed.clock,
            )  # fmt: skip
            await dialler.run(self._use)

        self.in_force.watch(self._follow)
        tasks = {
            asyncio.create_task(keep_all(keep, addresses)),
            asyncio.create_task(self._tell()),
            asyncio.create_task(self.in_force.keep_looking()),
            asyncio.create_task(stop_signal().wait()),
        }
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await observed.stop()
        write_state(run_folder, stage="stopped")

    def _follow(self) -> None:
        """A log that a newer trust list names is cosigned from then on."""
        self.witness.know(watched_logs(self.in_force.trust(), self.home.uri.region))

    async def _use(self, stream: Stream, _: broker_pb2.Welcome) -> None:
        while (frame := await stream.read()) is not grpc.aio.EOF:
            if frame.WhichOneof("body") == "witness_ask":
                status, body = await asyncio.to_thread(self._answer, frame.witness_ask.request)
                reply = broker_pb2.WitnessReply(status=status, body=body)
                await stream.write(broker_pb2.NodeFrame(call=frame.call, witness_reply=reply))
            elif frame.WhichOneof("body") == "revocations":
                self.in_force.receive(frame.revocations)
            elif frame.WhichOneof("body") == "ping":
                await stream.write(broker_pb2.NodeFrame(pong=broker_pb2.Pong()))

    def _answer(self, request: bytes) -> tuple[int, bytes]:
        try:
            verdict = self.witness.judge(request, int(datetime.now(UTC).timestamp()))
            if verdict.alarm is not None:
                # INVARIANT: kept before it is answered, so that no crash forgets a fork.
                self.alarms.keep(vars(verdict.alarm))
        except DataspaceError as error:
            _LOG.error("witness.failed", code=error.code)
            self.counts.witnessed(_INTERNAL)
            return _INTERNAL, b""
        # By origin and size, as owners' lines bear origin and entry: no witness sees a request.
        size = verdict.size
        _LOG.info("witness.answered", status=verdict.status, origin=verdict.origin, size=size)
        self.counts.witnessed(verdict.status)
        return verdict.status, verdict.body

    async def _tell(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.alarms.tell)
            except OSError as error:
                _LOG.error("alarms.untold", kind=type(error).__name__)
            await asyncio.sleep(_TELL_SECONDS)


def _cosigning_key(file: Path) -> CosigningPrivateKey:
    key = load_private_key(file)
    if not isinstance(key, Ed25519PrivateKey | MLDSA44PrivateKey):
        raise Malformed(f"{file} must be an Ed25519 or ML-DSA-44 key", code="witness-key")
    return key


def watched_logs(trust: TrustList, region: str) -> Mapping[str, VerifierKey]:
    """The logs that a region's witness cosigns, by origin: all but the region's own."""
    return {log.origin: parse_vkey(log.vkey) for log in trust.logs if log.owner != region}
