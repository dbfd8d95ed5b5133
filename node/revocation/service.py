"""A region's revocation signer as a process: signs the list, and hands it to the broker. Rim.

A list every five minutes, and at once when the register changes. It holds a key that signs
nothing else, so that the region's authorities can stay offline; a process of its own, so
that neither the node's maintenance nor a witness that is stopped lets the list go stale.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import grpc
import structlog

from dataspace.errors import DataspaceError, Malformed
from dataspace.home import PartyHome
from dataspace.identity.register import REGISTER, Register
from dataspace.identity.revocation import seal_revocation_list
from dataspace.identity.revoked import PERIOD_MS, RevocationList, Revoked
from dataspace.in_force import InForce
from dataspace.observing.readings import single
from dataspace.processes import now_ms, write_state
from dataspace.starting import stop_signal
from dataspace.v1 import broker_pb2
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists
from node.dialling import Dialler, Stream
from node.links import Links, keep_all
from node.outpost import Outpost

_LOG = structlog.get_logger("revocation")

Handed = Callable[[RevocationLists], None]

LOOK_SECONDS = 0.5  # between looks into the register


@dataclass
class SignerService:
    """One region's signer, assembled. For one event loop."""

    home: PartyHome
    in_force: InForce
    register: Register
    _signed: tuple[Revoked, ...] | None = None  # what this process signed last
    _signed_ms: int = 0
    _latest: Envelope | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def open(cls, home: PartyHome) -> SignerService:
        """Open everything. Raises what is wrong, naming it."""
        if home.config.kind != "revocation":
            raise Malformed(f"{home.path} is not a revocation signer's home", code="home-kind")
        in_force = InForce(home)
        if home.uri not in {each.uri for each in in_force.trust().revocation_signers}:
            raise Malformed(
                "the trust list names no such revocation signer; see `gba trust show`",
                code="revocation-signer",
            )
        return cls(home, in_force, Register(home.path / REGISTER))

    async def run(self) -> None:
        """Serve until a signal."""
        run_folder = self.home.folder("run")
        write_state(run_folder, stage="starting")
        self.sign_if_due()  # before it dials: its own region's broker is judged by this list

        addresses = self.home.broker_addresses
        links = Links(run_folder, addresses)
        observed = Outpost.open(
            self.home, self.in_force.trust,
            (single("gba_revoked_certificates", "In the list signed last.", self._revoked),),
        )  # fmt: skip

        async def keep(address: str) -> None:
            def on_change(attached: bool, reason: str) -> None:
                _LOG.info("attached" if attached else "detached", broker=address, reason=reason)
                links.tell(address, False, reason)

            def handed(lists: RevocationLists) -> None:
                """Attached is who sees the own latest list handed on: by then all have it."""
                latest = self._latest.payload if self._latest is not None else None
                if any(each.payload == latest for each in lists.lists):
                    links.tell(address, True, "")

            dialler = Dialler(
                self.home, self.home.identity, self.in_force, observed.hears(on_change),
                address=address, clock=observed.clock,
            )  # fmt: skip
            await dialler.run(partial(self._use, handed))

        tasks = {
            asyncio.create_task(keep_all(keep, addresses)),
            asyncio.create_task(self._keep_signing()),
            asyncio.create_task(self.in_force.keep_looking()),
            asyncio.create_task(stop_signal().wait()),
        }
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await observed.stop()
        self.register.close()
        write_state(run_folder, stage="stopped")

    def sign_if_due(self) -> None:
        """Sign the next list where the register has changed, or the last one is old enough."""
        known = self._known()
        if known is not None:
            # SECURITY: a register that was restored from an older copy takes nothing back.
            self.register.revoke(known.revoked)
        revoked = self.register.revoked()
        moment = now_ms()
        if revoked == self._signed and not _is_due(self._signed_ms, moment):
            return
        number = self.register.next_number(above=known.number if known else 0)
        space = self.in_force.trust().space
        self._latest = seal_revocation_list(self.home.identity, space, number, moment, revoked)
        self._signed, self._signed_ms = revoked, moment
        self.in_force.take([self._latest])
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        _LOG.info("list.signed", number=number, revoked=len(revoked))

    def _revoked(self) -> float | None:
        return None if self._signed is None else len(self._signed)

    def _known(self) -> RevocationList | None:
        """The highest list of this region that anybody has shown."""
        return self.in_force.trust().revocations.lists.get(self.home.uri.region)

    async def _keep_signing(self) -> None:
        while True:
            try:
                self.sign_if_due()
            except DataspaceError as error:
                _LOG.error("list.not_signed", code=error.code)
            await asyncio.sleep(LOOK_SECONDS)

    async def _use(self, handed: Handed, stream: Stream, welcome: broker_pb2.Welcome) -> None:
        handed(welcome.revocations)
        sending = asyncio.create_task(self._send(stream))
        try:
            while (frame := await stream.read()) is not grpc.aio.EOF:
                if frame.WhichOneof("body") == "revocations":
                    self.in_force.receive(frame.revocations)
                    handed(frame.revocations)
                elif frame.WhichOneof("body") == "ping":
                    await stream.write(broker_pb2.NodeFrame(pong=broker_pb2.Pong()))
        finally:
            sending.cancel()

    async def _send(self, stream: Stream) -> None:
        """Hand over the latest list, and each that follows. Each broker's stream does."""
        while True:
            changed = self._changed  # taken first: a list that comes while this one is written
            if self._latest is not None:
                await stream.write(broker_pb2.NodeFrame(revocation_list=self._latest))
            await changed.wait()


def _is_due(signed_ms: int, moment: int) -> bool:
    # A clock that was set back is no reason to wait.
    return not signed_ms <= moment < signed_ms + PERIOD_MS
