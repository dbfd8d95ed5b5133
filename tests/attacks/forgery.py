"""What the client would never send: requests of any age and form, and identities of any origin."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from dataspace.audit.journal import read_journal
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.tiles import tiles_of
from dataspace.client import Session, connect
from dataspace.errors import DataspaceError, Unverified
from dataspace.evidence.answers import check_answer
from dataspace.home import PartyHome
from dataspace.identity.algorithms import ECDSA_P256, generate, sign
from dataspace.identity.certificates import issue_member_ca, issue_root, issue_signing, issue_tls
from dataspace.identity.dsse import pae, payload_type_of
from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.identity.keystore import TlsIdentity
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope, Freshness
from tests.spaces import Space

COUNT = "SELECT count(distinct person) AS n FROM patients"
EVERYBODY = ("broker", *REGIONS)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def make_request(
    sql: str = COUNT,
    *,
    audience: Sequence[str] = EVERYBODY,
    issued: int = 0,
    life: int = 60_000,
    nonce: bytes | None = None,
    **fields: Any,
) -> query_pb2.QueryRequest:
    """A request issued `issued` ms from now, to live `life` ms; nothing is checked."""
    start = now_ms() + issued
    return query_pb2.QueryRequest(
        freshness=Freshness(
            issued_at_ms=start,
            expires_at_ms=start + life,
            nonce=secrets.token_bytes(16) if nonce is None else nonce,
            audience=audience,
        ),
        **{"sql": sql, "purpose": "HRESCH", **fields},
    )


@dataclass(frozen=True)
class Asker:
    """An actor of the space, who signs and sends what it likes."""

    session: Session
    home: PartyHome

    @classmethod
    def of(cls, space: Space, actor: str = "hongkong/researcher") -> Asker:
        """The actor of that name."""
        session = connect(space.home, actor)
        return cls(session, PartyHome(space.home / "actors" / actor.replace("/", "-")))

    def seal(self, request: query_pb2.QueryRequest) -> Envelope:
        """The request, signed by this actor."""
        return seal(request, self.home.identity)

    def hear(self, envelope: Envelope) -> dict[str, str]:
        """What came of sending: by region `released` or the code of a signed refusal.

        A refusal of the broker is under `broker`, as is an error of the call.
        """
        try:
            bundle = self.session.send(envelope, 30)
        except DataspaceError as error:
            return {"broker": f"{error.kind} {error.code}"}
        release = query_pb2.Release.FromString(bundle.release.payload)
        heard = {node.region: node.status for node in release.nodes}
        for answer in bundle.answers:
            kind: Any = query_pb2.Refusal
            if answer.body.payload_type == payload_type_of(query_pb2.Partial):
                kind = query_pb2.Partial
            region = kind.FromString(answer.body.payload).region
            checked = check_answer(
                answer, region, release.request_sha256, self.session.trust, now_ms()
            )
            if checked.refusal is not None:
                heard[region] = f"{checked.refusal.status.error} {checked.refusal.status.code}"
        return heard


def sign_payload(payload: bytes, like: Envelope, identity: SigningIdentity) -> Envelope:
    """An envelope around any bytes at all, with the type of another and a good signature."""
    forged = Envelope()
    forged.CopyFrom(like)
    forged.payload = payload
    forged.signatures[0].sig = sign(identity.private_key, pae(like.payload_type, payload))
    return forged


def log_sizes(space: Space) -> dict[str, int]:
    """Entries in each party's log: those it acknowledged, once they are in its public files.

    Alarms are not counted: they are raised beside what is asked, at a time of their own. A log
    that cannot publish them is not waited for longer than two seconds.
    """
    deadline = time.monotonic() + 2
    sizes = {owner: _sizes(space.home / owner / "log") for owner in EVERYBODY}
    while any(public < size for public, size in sizes.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
        sizes = {owner: _sizes(space.home / owner / "log") for owner in EVERYBODY}
    return {
        owner: size - _alarms(space.home / owner / "log", public)
        for owner, (public, size) in sizes.items()
    }


def _alarms(log: Path, size: int) -> int:
    """Alarms among the public entries of a log."""
    reader = DirectoryReader(log)
    bundles = [reader.read(tile) for tile in tiles_of(size) if tile.level is None]
    return sum(data.count(b'"kind":"alarm.raised"') for data in bundles)


def _sizes(log: Path) -> tuple[int, int]:
    """Entries in a log's public files, and with those in its journal."""
    while True:
        try:
            records = read_journal(log)
        except (OSError, Unverified):  # it is being written, or cut
            continue
        public = int((log / "checkpoint").read_text().splitlines()[1])
        return public, max([public, *(record.size for record in records)])


_BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
_END = _BEGIN + timedelta(days=2)
_TERM: dict[str, Any] = {"not_before": _BEGIN, "not_after": _END}


def _serial() -> int:
    return secrets.randbits(150) + 1


@dataclass(frozen=True)
class Stranger:
    """Somebody whose certificates look right and hang from a root that nobody listed."""

    signing: SigningIdentity
    tls: TlsIdentity
    parts: dict[str, bytes]

    @classmethod
    def claiming(cls, uri: ActorUri) -> Stranger:
        """A stranger who claims to be `uri`."""
        keys: list[Any] = [generate(ECDSA_P256) for _ in range(4)]
        root_key, member_key, signing_key, tls_key = keys
        root = issue_root(uri.region, root_key, _BEGIN, _END, _serial())
        member = issue_member_ca(
            uri.region, uri.member, member_key.public_key(), root, root_key,
            serial=_serial(), **_TERM,
        )  # fmt: skip
        signing = issue_signing(
            uri, signing_key.public_key(), member, member_key, serial=_serial(), **_TERM
        )
        tls = issue_tls(uri, tls_key.public_key(), member, member_key, serial=_serial(), **_TERM)
        parts = {
            "keys/signing.key": _pem_key(signing_key),
            "keys/tls.key": _pem_key(tls_key),
            "certs/signing.pem": _pem(signing, member),
            "certs/tls.pem": _pem(tls, member),
        }
        chain = (signing.public_bytes(Encoding.DER), member.public_bytes(Encoding.DER))
        return cls(
            SigningIdentity(uri, signing_key, chain),
            TlsIdentity(parts["keys/tls.key"], parts["certs/tls.pem"]),
            parts,
        )

    def move_in(self, home: Path) -> None:
        """Take the place of the keys and certificates in an actor's directory."""
        for name, content in self.parts.items():
            (home / name).write_bytes(content)


def speak_for(uri: ActorUri, members: Path, member: str) -> SigningIdentity:
    """A signing identity that a member's authority issued for whom it may not."""
    authority = x509.load_pem_x509_certificate((members / f"{member}.pem").read_bytes())
    authority_key: Any = load_pem_private_key((members / f"{member}.key").read_bytes(), None)
    key: Any = generate(ECDSA_P256)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .serial_number(_serial())
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False
        )
        .add_extension(usage, True)
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(uri))]), True
        )
        .sign(authority_key, SHA256())
    )
    chain = (leaf.public_bytes(Encoding.DER), authority.public_bytes(Encoding.DER))
    return SigningIdentity(uri, key, chain)


def _pem_key(key: Any) -> bytes:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)
