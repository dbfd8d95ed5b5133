"""Revocations that come while a stream is being made."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from broker.__main__ import open_agreements, open_federation, open_governance, open_witnessing
from broker.admission import Admission
from broker.handed import HandedOn
from broker.relaying import Relay
from broker.service import BrokerService
from broker.standing import Standing
from dataspace.cli.founding import found_space
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.keystore import TLS_CHAIN, load_chain
from dataspace.identity.revocation import seal_revocation_list
from dataspace.identity.revoked import CertificateId, Revoked
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.revocations import fresh_lists

NODE = "hongkong"


class Ended(Exception):
    """The call was ended with a status."""


class Channel:
    """What gRPC shows of a channel of the node's."""

    def __init__(self, home: PartyHome) -> None:
        self._chain = load_chain(home.path / TLS_CHAIN)

    def auth_context(self) -> dict[str, list[bytes]]:
        leaf, *rest = [_pem(each) for each in self._chain]
        return {"x509_pem_cert": [leaf], "x509_pem_cert_chain": [leaf + b"".join(rest)]}

    async def abort(self, _code: object, details: str, trailing_metadata: object = ()) -> None:
        raise Ended(f"{details} {trailing_metadata}")


def _pem(certificate: Any) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return bytes(certificate.public_bytes(Encoding.PEM))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found_space(tmp_path / "space")
    return tmp_path / "space"


@pytest.fixture
def service(home: Path) -> Iterator[BrokerService]:
    broker = PartyHome(home / "broker")
    in_force = InForce(broker)
    in_force.take(fresh_lists(home, now_ms()))
    federation = open_federation(broker, in_force)
    standing = Standing(in_force)

    def renew() -> None:
        federation.trust = in_force.trust()
        standing.look_again()

    in_force.watch(renew)
    agreements = open_agreements(broker, federation)
    governor = open_governance(broker, federation).governor
    yield BrokerService(
        federation, Admission(8, lambda: 0.0), open_witnessing(broker, federation, in_force),
        cast(Relay, None), standing, agreements, HandedOn(in_force, agreements, governor),
    )  # fmt: skip
    federation.recorder.log.close()


def revoking(home: Path) -> list[Envelope]:
    """The next list of the node's region, which revokes the key of its channel alone."""
    leaf = load_chain(home / NODE / TLS_CHAIN)[0]
    signer = PartyHome(home / NODE / "revocation").identity
    revoked = Revoked(CertificateId.of(leaf), now_ms(), "key-compromise")
    return [seal_revocation_list(signer, "gba", 2, now_ms(), [revoked])]


class Attaching:
    """A node's way in, step by step."""

    def __init__(self, home: Path, service: BrokerService) -> None:
        self._node = PartyHome(home / NODE)
        self._said: asyncio.Queue[broker_pb2.NodeFrame] = asyncio.Queue()
        frames = service.Attach(self._saying(), Channel(self._node))
        self.frames = cast(AsyncGenerator[broker_pb2.BrokerFrame, None], frames)

    async def _saying(self) -> AsyncIterator[broker_pb2.NodeFrame]:
        while True:
            yield await self._said.get()

    async def challenged(self) -> bytes:
        return (await anext(self.frames)).challenge.nonce

    def say_hello(self, challenge: bytes) -> None:
        hello = broker_pb2.Hello(
            region=NODE,
            challenge=challenge,
            freshness=make_freshness(
                now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=["broker"]
            ),
        )
        self._said.put_nowait(broker_pb2.NodeFrame(hello=seal(hello, self._node.identity)))


def test_who_is_revoked_while_it_shakes_hands_does_not_attach(
    home: Path, service: BrokerService
) -> None:
    async def run() -> None:
        node = Attaching(home, service)
        challenge = await node.challenged()
        assert not service.standing.in_force.take(revoking(home))
        node.say_hello(challenge)
        with pytest.raises(Ended, match="identity-revoked"):
            await anext(node.frames)
        assert service.attached.regions() == []

    asyncio.run(run())


def test_who_is_revoked_before_it_has_read_its_welcome_does_not_stay(
    home: Path, service: BrokerService
) -> None:
    async def run() -> None:
        node = Attaching(home, service)
        node.say_hello(await node.challenged())
        assert (await anext(node.frames)).HasField("welcome")
        assert not service.standing.in_force.take(revoking(home))
        frames = [frame async for frame in node.frames]
        assert not any(frame.HasField("ask") for frame in frames)
        assert service.attached.regions() == []

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_list_that_comes_with_the_welcome_reaches_the_stream(
    home: Path, service: BrokerService
) -> None:
    async def run() -> None:
        node = Attaching(home, service)
        node.say_hello(await node.challenged())
        assert (await anext(node.frames)).HasField("welcome")
        service.standing.in_force.take(fresh_lists(home, now_ms(), number=2))
        assert len((await anext(node.frames)).revocations.lists) == 3
        await node.frames.aclose()

    asyncio.run(asyncio.wait_for(run(), 20))
