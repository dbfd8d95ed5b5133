"""Who may talk to the broker at all, and who may attach: TLS, pins, challenges."""

from __future__ import annotations

import queue
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from dataspace.channels import pinned_channel
from dataspace.cli.supervising import SIGNERS, WITNESSES, find_process, start_party
from dataspace.client import Session
from dataspace.home import PartyHome
from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.processes import read_state
from dataspace.v1 import broker_pb2, broker_pb2_grpc
from dataspace.v1.envelope_pb2 import Envelope
from tests.attacks.forgery import COUNT, EVERYBODY, Stranger, now_ms
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, process_of, stop
from tests.spaces import Space, contents, run_gba

RESEARCHER = "actors/hongkong-researcher"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("channels")) as running:
        yield running


# --- TLS ---------------------------------------------------------------------


def speak(space: Space, context: ssl.SSLContext) -> bytes:
    """Shake hands with the broker; what it says first (its HTTP/2 settings), if anything.

    In TLS 1.3 a client is done before the server has judged it: one that is turned away
    hears an alert or nothing.
    """
    host, _, port = PartyHome(space.home / "broker").listen_address.rpartition(":")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain) as wrapped,
    ):
        try:
            return wrapped.recv(9)
        except (ssl.SSLError, ConnectionError):
            if context.maximum_version == ssl.TLSVersion.TLSv1_2:
                raise
            return b""


def certified(directory: Path) -> ssl.SSLContext:
    """A client context with a party's TLS certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(directory / "certs/tls.pem", directory / "keys/tls.key")
    return context


def test_tls_1_3_is_spoken_and_tls_1_2_is_not(space: Space) -> None:
    modern = certified(space.home / RESEARCHER)
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    assert len(speak(space, modern)) == 9
    old = certified(space.home / RESEARCHER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        speak(space, old)


def test_a_client_without_a_certificate_hears_nothing(space: Space) -> None:
    assert speak(space, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) == b""


def test_a_client_of_an_unknown_root_hears_nothing(space: Space, tmp_path: Path) -> None:
    home = copied_home(space, tmp_path)
    Stranger.claiming(PartyHome(home).uri).move_in(home)
    assert speak(space, certified(home)) == b""


def test_the_home_of_a_stranger_is_refused_with_exit_4(space: Space, tmp_path: Path) -> None:
    home = copied_home(space, tmp_path)
    Stranger.claiming(PartyHome(home).uri).move_in(home)
    ran = run_gba("query", COUNT, "--purpose", "HRESCH", "--format", "json", "--home", str(home))
    assert ran.code == 4
    assert ran.error["code"] == "channel-refused"


def copied_home(space: Space, tmp_path: Path) -> Path:
    return Path(shutil.copytree(space.home / RESEARCHER, tmp_path / "home"))


# --- a broker that is none -----------------------------------------------------


@contextmanager
def false_broker(tmp_path: Path) -> Iterator[str]:
    """Something that shakes hands with a broker's name and a key of its own."""
    stranger = Stranger.claiming(ActorUri("hongkong", "exchange", "broker", "broker-1"))
    for name, content in stranger.parts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certs/tls.pem", tmp_path / "keys/tls.key")
    context.set_alpn_protocols(["h2"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shake_hands, args=(listener, context), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            with context.wrap_socket(plain, server_side=True) as wrapped:
                wrapped.recv(1)
        except OSError:
            pass


def test_a_client_refuses_a_broker_whose_key_is_not_pinned(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with false_broker(tmp_path) as address:
        monkeypatch.setenv("GBA_BROKER_ADDRESS", address)
        asked = space.query(COUNT)
        assert (asked.code, asked.error["code"]) == (6, "broker-key")


def test_a_node_refuses_a_broker_whose_key_is_not_pinned(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_folder = space.home / "macao/run"
    stop(space, "macao")
    with false_broker(tmp_path) as address, monkeypatch.context() as patch:
        patch.setenv("GBA_BROKER_ADDRESS", address)
        start_party(space.home, "macao")
        await_true(lambda: bool(read_state(run_folder).get("reason")), "no reason is told")
        state = read_state(run_folder)
    assert state["stage"] == "waiting"
    assert "does not hold a broker's key" in str(state["reason"])
    assert find_process(space.home, "macao") is not None
    stop(space, "macao")
    start_party(space.home, "macao")
    await_ready(space, "macao")


# --- attachment ------------------------------------------------------------------


@dataclass
class Attempt:
    """One attempt to attach, frame by frame, over a party's own channel."""

    home: PartyHome
    sent: queue.Queue[broker_pb2.NodeFrame | None] = field(default_factory=queue.Queue)
    _stream: Any = None
    _channel: Any = None

    def __enter__(self) -> Attempt:
        parts = pinned_channel(self.home.broker_address, self.home.tls, self.home.trust(now_ms()))
        self._channel = grpc.secure_channel(parts.address, parts.credentials, options=parts.options)
        stub = broker_pb2_grpc.AttachmentStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._stream = stub.Attach(iter(self.sent.get, None), timeout=20)
        return self

    def __exit__(self, *_: object) -> None:
        self.sent.put(None)
        self._stream.cancel()
        self._channel.close()

    def hear(self) -> broker_pb2.BrokerFrame:
        """The next frame of the broker."""
        frame: broker_pb2.BrokerFrame = next(self._stream)
        return frame

    def say_hello(
        self, identity: SigningIdentity, region: str, challenge: bytes, *offers: Envelope
    ) -> Envelope:
        """Send a hello that `identity` signs."""
        hello = broker_pb2.Hello(
            region=region,
            challenge=challenge,
            offers=offers,
            freshness=make_freshness(now_ms=now_ms(), nonce=bytes(16), audience=["broker"]),
        )
        envelope = seal(hello, identity)
        self.sent.put(broker_pb2.NodeFrame(hello=envelope))
        return envelope

    def refused_with(self) -> str:
        """The code under which the broker ends the stream."""
        with pytest.raises(grpc.RpcError) as caught:
            self.hear()
        call: Any = caught.value
        trailing = dict(call.trailing_metadata())
        return str(trailing.get("gba-code"))


@pytest.mark.parametrize(
    ("channel", "signer", "region", "code"),
    [
        (RESEARCHER, RESEARCHER, "hongkong", "identity-role"),
        ("actors/hongkong-operator", "actors/hongkong-operator", "hongkong", "identity-role"),
        (RESEARCHER, "hongkong", "hongkong", "identity-role"),
        ("guangzhou", "guangzhou", "macao", "identity-role"),
        ("guangzhou", "macao", "macao", "identity-role"),
        ("broker", "broker", "hongkong", "identity-role"),
    ],
    ids=["actor", "operator", "stolen", "other region", "other node", "broker"],
)
def test_only_a_regions_own_node_attaches_for_it(
    space: Space, channel: str, signer: str, region: str, code: str
) -> None:
    identity = PartyHome(space.home / signer).identity.current()
    with Attempt(PartyHome(space.home / channel)) as attempt:
        challenge = attempt.hear().challenge.nonce
        attempt.say_hello(identity, region, challenge)
        assert attempt.refused_with() == code


def test_a_stranger_attaches_to_nothing(space: Space) -> None:
    node = PartyHome(space.home / "macao")
    stranger = Stranger.claiming(node.uri)
    with Attempt(node) as attempt:
        attempt.say_hello(stranger.signing, "macao", attempt.hear().challenge.nonce)
        assert attempt.refused_with() == "identity-unlisted"


def test_a_hello_for_another_stream_is_refused(space: Space) -> None:
    node = PartyHome(space.home / "guangzhou")
    with Attempt(node) as first, Attempt(node) as second:
        challenge = first.hear().challenge.nonce
        assert challenge != second.hear().challenge.nonce
        second.say_hello(node.identity.current(), "guangzhou", challenge)
        assert second.refused_with() == "replay"


@pytest.mark.parametrize(
    "frame",
    [
        broker_pb2.NodeFrame(),
        broker_pb2.NodeFrame(pong=broker_pb2.Pong()),
        broker_pb2.NodeFrame(chunk=broker_pb2.Chunk(data=b"x", last=True)),
        broker_pb2.NodeFrame(hello=Envelope(payload=b"x")),
    ],
    ids=["empty", "pong", "chunk", "unsigned"],
)
def test_a_stream_that_does_not_begin_with_a_hello_is_ended(
    space: Space, frame: broker_pb2.NodeFrame
) -> None:
    with Attempt(PartyHome(space.home / "guangzhou")) as attempt:
        attempt.hear()
        attempt.sent.put(frame)
        assert attempt.refused_with() == "wrong-payload-type"


def test_a_node_offers_nothing_that_its_own_operator_did_not_sign(space: Space) -> None:
    node = PartyHome(space.home / "guangzhou")
    foreign = Envelope.FromString((space.home / "broker/offers/macao/patients.dsse").read_bytes())
    own = [
        Envelope.FromString(file.read_bytes())
        for file in sorted((space.home / "broker/offers/guangzhou").glob("*.dsse"))
    ]
    with Attempt(node) as attempt:
        challenge = attempt.hear().challenge.nonce
        attempt.say_hello(node.identity.current(), "guangzhou", challenge, foreign, *own)
        rejected = attempt.hear().welcome.rejected
        assert [(each.code, each.rule) for each in rejected] == [("product-signature", "patients")]
        # What this stream says of calls that it was never asked is dropped.
        chunk = broker_pb2.Chunk(data=b"\xff" * 100, last=True)
        attempt.sent.put(broker_pb2.NodeFrame(call=1, chunk=chunk))
    # The stream that this one took the place of is closed, and its node attaches again.
    await_true(lambda: space.query(COUNT).code == 0, "guangzhou did not come back")


def test_nothing_of_this_kept_anybody_from_asking(space: Space) -> None:
    with Session(PartyHome(space.home / RESEARCHER)) as session:
        release = session.query(COUNT, purpose="HRESCH")
    assert [node.status for node in release.nodes] == ["released"] * 3


# --- what a party listens on, and where its keys are -----------------------------------


def _address(end: Any) -> str:
    """host:port; an IPv4 address stays one on a socket of both kinds."""
    return f"{end.ip.removeprefix('::ffff:')}:{end.port}"


@pytest.mark.parametrize("region", REGIONS)
def test_a_node_listens_on_its_loopback_page_alone_and_dials_the_broker_alone(
    space: Space, region: str
) -> None:
    process = process_of(space, region)
    broker = PartyHome(space.home / "broker").listen_address
    found = [
        each
        for one in [process, *process.children(recursive=True)]
        for each in one.net_connections("inet")
    ]
    listening = [each for each in found if each.status == psutil.CONN_LISTEN]
    assert {_address(each.laddr) for each in listening} == {_page(space, region)}
    dialled = [each.raddr for each in found if each not in listening]
    assert all(dialled)
    assert {_address(peer) for peer in dialled} == {broker}


def _page(space: Space, party: str) -> str:
    """Where a party shows health and metrics, which is on loopback."""
    address = (space.home / party / "run/metrics.address").read_text().strip()
    assert address.startswith("127.0.0.1:")
    return address


def test_the_broker_listens_on_its_two_addresses_and_who_else_on_loopback_alone(
    space: Space,
) -> None:
    def listening(party: str) -> set[str]:
        found = process_of(space, party).net_connections("inet")
        return {_address(each.laddr) for each in found if each.status == psutil.CONN_LISTEN}

    own = PartyHome(space.home / "broker")
    assert listening("broker") == {own.listen_address, own.http_address, _page(space, "broker")}
    for party in (*WITNESSES, *SIGNERS):
        assert listening(party) == {_page(space, party)}


def test_private_keys_are_their_owners_alone_and_nowhere_twice(space: Space) -> None:
    keys = [
        path
        for path, content in contents(space.home).items()
        if not path.is_relative_to(space.home / "actors/guangzhou-operator")
        and b"PRIVATE KEY" in content
    ]
    files = {path.resolve() for path in keys}
    assert len(files) >= 2 * len(EVERYBODY) + 2 * 15
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    assert len({path.read_bytes() for path in files}) == len(files)
    for name in (*EVERYBODY, "actors"):
        assert oct((space.home / name).stat().st_mode & 0o777) == "0o700"
    held = {path.relative_to(space.home.resolve()).parts[:2] for path in files}
    assert {("broker", "keys"), ("macao", "keys"), ("macao", "operator")} <= held
    assert {parts for parts in held if parts[0] == "broker"} == {("broker", "keys")}
