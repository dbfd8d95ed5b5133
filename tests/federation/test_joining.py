"""A researcher joins a running space by its commands, and asks; keys rotate while questions run."""

from __future__ import annotations

import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.cli.supervising import status_of
from dataspace.client import Session
from dataspace.home import PartyHome
from dataspace.identity.keystore import SIGNING_CHAIN, TLS_CHAIN, load_chain
from dataspace.v1.query_pb2 import ReleaseBundle
from tests.docs.blocks import blocks, commands
from tests.docs.typed import Session as Shell
from tests.federation.copies import running_copy
from tests.federation.processes import await_true, restart
from tests.federation.shell import gba, query
from tests.spaces import Ran, Space

JOAO = "gba://macao/university/researcher/joao"
GUIDE = "docs/operator-joining.md"
SQL = "SELECT region, count(*) FROM patients GROUP BY region"


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with running_copy(tmp_path_factory.mktemp("joining")) as running:
        yield running


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def rotate(space: Space, party: str, region: str, *more: str) -> None:
    done(gba("identity", "rotate", "--home", str(space.home / party),
             "--authority", str(space.home / region / "authority"), *more))  # fmt: skip


def test_a_new_researcher_of_macao_joins_and_asks(space: Space, tmp_path: Path) -> None:
    broker = PartyHome(space.home / "broker")
    papers = f"http://{broker.http_address}"
    home, issued = str(tmp_path / "joao"), str(tmp_path / "joao.pem")
    done(gba("join", broker.broker_address, "--trust", f"{papers}/trust/1.dsse",
             "--trust-sha256", broker.config.trust_sha256,
             "--charter", f"{papers}/charters/1.dsse", "--uri", JOAO, "--home", home))  # fmt: skip
    assert gba("catalog", "--home", home).error["code"] == "key-missing"
    done(gba("identity", "issue", f"{home}/request.json", "--out", issued,
             "--authority", str(space.home / "macao/authority")))  # fmt: skip
    done(gba("identity", "install", issued, "--home", home))
    assert "patients" in done(gba("catalog", "--home", home)).out
    answer = done(gba("query", SQL, "--purpose", "HRESCH", "--format", "json", "--home", home))
    assert {row[0]: row[1] for row in answer.json["rows"]} == dict.fromkeys(
        ("guangzhou", "hongkong", "macao"), 300
    )
    done(gba("identity", "revoke", JOAO, "--reason", "privilege-withdrawn",
             "--home", str(space.home)))  # fmt: skip

    def is_refused() -> bool:
        ran = gba("query", SQL, "--purpose", "HRESCH", "--format", "json", "--home", home)
        return (ran.code, ran.error["rule"] if ran.code else "") == (4, "identity-revoked")

    await_true(is_refused, "whoever was revoked asks on")


@pytest.mark.parametrize(
    "path",
    ["trust/2.dsse", "trust/highest", "trust/0.dsse", "keys/tls.key", "trust/..%2fkeys%2ftls.key",
     "trust/../party.toml", "certs/tls.pem", "trust/", "charters/1.dsse/x"],
)  # fmt: skip
def test_nothing_of_the_brokers_home_is_public_but_what_was_signed(space: Space, path: str) -> None:
    address = PartyHome(space.home / "broker").http_address
    with socket.create_connection(tuple_of(address), timeout=5) as plain:
        plain.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
        assert b" 404 " in plain.makefile("rb").readline()
    with urllib.request.urlopen(f"http://{address}/trust/1.dsse", timeout=5) as reply:
        assert reply.read() == (space.home / "broker/trust/1.dsse").read_bytes()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://{address}/trust/9.dsse", timeout=5)


@dataclass
class Asking:
    """Asks again and again, in one long session and in fresh ones."""

    space: Space
    problems: list[str] = field(default_factory=list)
    answered: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Asking:
        self._threads = [threading.Thread(target=self._keep, args=(n,)) for n in range(2)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _keep(self, number: int) -> None:
        home = self.space.home / "actors/hongkong-researcher"
        session = Session(PartyHome(home))
        while not self._stop.is_set():
            try:
                session.query(SQL, purpose="HRESCH")
                self.answered += 1
            except Exception as error:  # whatever it is, nothing may fail here
                self.problems.append(repr(error))
            if number:
                session.close()
                session = Session(PartyHome(home))
        session.close()

    def await_more(self, answers: int = 2) -> None:
        before = self.answered
        await_true(
            lambda: bool(self.problems) or self.answered >= before + answers, "no answers", 60
        )


def test_keys_of_every_kind_of_party_rotate_while_questions_run_and_none_fails(
    space: Space,
) -> None:
    parties = {"hongkong": "hongkong", "guangzhou": "guangzhou", "broker": "hongkong",
               "macao/witness": "macao", "macao/revocation": "macao",
               "hongkong/operator": "hongkong"}  # fmt: skip
    before = {party: chains_of(space, party) for party in parties}
    pids = {each.party: each.pid for each in status_of(space.home)}
    shown = shown_by_broker(space)
    with Asking(space) as asking:
        asking.await_more()
        for party, region in parties.items():
            rotate(space, party, region)
            if party == "hongkong/operator":
                done(gba("node", "republish", "hongkong", "--home", str(space.home)))
            asking.await_more()
        rotate(space, "actors/hongkong-researcher", "hongkong")
        asking.await_more()
        rotate(space, "macao", "macao", "--same-keys")
        time.sleep(2)
        asking.await_more()
    assert not asking.problems
    for party, (signing, tls) in before.items():
        assert chains_of(space, party)[0] != signing
        assert chains_of(space, party)[1] != tls
    assert {each.party: each.pid for each in status_of(space.home)} == pids  # nothing restarted
    renewed = shown_by_broker(space)
    assert renewed.serial_number != shown.serial_number
    assert renewed.public_key() == shown.public_key()  # pinned in the trust list


def test_a_release_is_signed_by_the_renewed_keys(space: Space) -> None:
    with Session(PartyHome(space.home / "actors/macao-researcher")) as session:
        release = session.query(SQL, purpose="HRESCH")
    leaf = load_chain(space.home / "hongkong" / SIGNING_CHAIN)[0].public_bytes(Encoding.DER)
    bundle = ReleaseBundle.FromString(release.bundle)
    signed = {bytes(sig.chain[0]) for each in bundle.answers for sig in each.body.signatures}
    assert leaf in signed


def test_what_was_rotated_starts_again_with_what_it_has(space: Space) -> None:
    for party in ("hongkong", "macao/revocation"):
        restart(space, party)
        await_true(partial(is_attached, space, party), f"{party} is not attached", 60)
    assert done(query(space, SQL)).json["hidden_cells"] is not None
    assert done(gba("audit", "verify", "--home", str(space.home))).code == 0


def test_the_operators_guide_does_what_it_says(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/operator-joining.md, word for word; at last the broker shows another pinned key."""
    monkeypatch.chdir(tmp_path)  # it writes files beside itself
    shown = shown_by_broker(space)
    guide = [each for each in blocks(GUIDE) if each.language == "console"]
    lines = [line for block in guide for line in commands(block)]
    assert len(lines) >= 24
    ran = Shell(space.home).type(*(numbered := [f"{line} # {n}" for n, line in enumerate(lines)]))
    for line in numbered:
        assert ran[line].code == 0, f"{line}: {ran[line].err}"
    assert shown_by_broker(space).public_key() != shown.public_key()
    done(gba("catalog", "--home", str(space.home), "--as", "macao/operator"))  # who applied it
    # Who was away while the list came into force does not know the broker, until it has the list.
    away = query(space, SQL, actor="guangzhou/regulator")
    assert (away.code, away.error["code"]) == (6, "broker-key")
    home = str(space.home / "actors/guangzhou-regulator")
    papers = PartyHome(space.home / "broker").http_address
    done(gba("trust", "update", f"http://{papers}/trust/2.dsse", "--home", home))
    done(gba("catalog", "--home", home))


def is_attached(space: Space, party: str) -> bool:
    (found,) = [each for each in status_of(space.home) if each.party == party]
    return found.stage == "attached"


def chains_of(space: Space, party: str) -> tuple[bytes, bytes]:
    home = space.home / party
    return (home / SIGNING_CHAIN).read_bytes(), (home / TLS_CHAIN).read_bytes()


def shown_by_broker(space: Space) -> x509.Certificate:
    """The certificate that the broker shows a new caller."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = tuple_of(PartyHome(space.home / "broker").broker_address)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain) as wrapped,
    ):
        der = wrapped.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def tuple_of(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
