"""A small space for these tests: three regions with roots, members and trust keys."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.message import Message

from dataspace.errors import DataspaceError
from dataspace.identity.algorithms import ECDSA_P256, generate, sign
from dataspace.identity.certificates import issue_member_ca, issue_root, issue_signing, issue_tls
from dataspace.identity.dsse import pae, payload_type_of
from dataspace.identity.envelopes import SigningIdentity, open_envelope, seal
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.identity.trustlist import TrustList, accept_first, seal_trust_list
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope, Freshness, Signature
from dataspace.v1.query_pb2 import QueryRequest

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
BEGIN, END = NOW - timedelta(days=1), NOW + timedelta(days=30)
DAY_MS = 86_400_000

_serials = itertools.count(1)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def spki(key: Any) -> bytes:
    spki_der: bytes = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return spki_der


@dataclass(frozen=True)
class Authority:
    """A certificate that issues, with its key."""

    certificate: x509.Certificate
    key: Any


def make_root(region: str, algorithm: str = ECDSA_P256) -> Authority:
    key: Any = generate(algorithm)
    return Authority(issue_root(region, key, BEGIN, END, next(_serials)), key)


def make_member(
    root: Authority, region: str, member: str = "h1", algorithm: str = ECDSA_P256
) -> Authority:
    key: Any = generate(algorithm)
    certificate = issue_member_ca(
        region,
        member,
        key.public_key(),
        root.certificate,
        root.key,
        not_before=BEGIN,
        not_after=END,
        serial=next(_serials),
    )
    return Authority(certificate, key)


def make_signing(
    authority: Authority,
    uri: str,
    algorithm: str = ECDSA_P256,
    not_before: datetime = BEGIN,
    not_after: datetime = END,
    profile: str = "",
) -> SigningIdentity:
    key: Any = generate(algorithm)
    actor = ActorUri.parse(uri)
    leaf = issue_signing(
        actor,
        key.public_key(),
        authority.certificate,
        authority.key,
        not_before=not_before,
        not_after=not_after,
        serial=next(_serials),
        profile=profile,
    )
    return SigningIdentity(actor, key, (der(leaf), der(authority.certificate)))


def make_tls(authority: Authority, uri: str, **more: Any) -> Authority:
    key: Any = generate(ECDSA_P256)
    leaf = issue_tls(
        ActorUri.parse(uri),
        key.public_key(),
        authority.certificate,
        authority.key,
        not_before=BEGIN,
        not_after=END,
        serial=next(_serials),
        **more,
    )
    return Authority(leaf, key)


def forge_leaf(authority: Authority, *extensions: tuple[x509.ExtensionType, bool]) -> Authority:
    """A leaf as a careless or hostile authority would issue it, for a P-256 key."""
    key: Any = generate(ECDSA_P256)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .not_valid_before(BEGIN)
        .not_valid_after(END)
        .serial_number(next(_serials))
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Authority(builder.sign(authority.key, SHA256()), key)


@dataclass(frozen=True)
class Space:
    """Roots, members (`h1` everywhere) and two trust keys a region."""

    roots: dict[str, Authority] = field(default_factory=dict)
    members: dict[str, Authority] = field(default_factory=dict)
    trust_keys: dict[str, Any] = field(default_factory=dict)  # keyid -> private key

    def list(self, **changes: Any) -> trust_pb2.TrustList:
        wire = trust_pb2.TrustList(
            space="test",
            version=1,
            issued_at_ms=NOW_MS - 1000,
            expires_at_ms=NOW_MS + DAY_MS,
            regions=[self.region(region) for region in REGIONS],
            logs=[
                trust_pb2.TrustedLog(origin=f"{owner}/log", vkey=f"{owner}+key", owner=owner)
                for owner in (*REGIONS, "broker")
            ],
            brokers=[
                trust_pb2.TrustedBroker(
                    uri="gba://hongkong/h1/broker/main",
                    public_keys=[spki(self.trust_keys["guangzhou-1"])],
                    dns_name="broker.test",
                )
            ],
        )
        for name, value in changes.items():
            setattr(wire, name, value)
        return wire

    def region(self, region: str) -> trust_pb2.TrustedRegion:
        return trust_pb2.TrustedRegion(
            region=region,
            root_certificates=[der(self.roots[region].certificate)],
            trust_keys=[
                trust_pb2.TrustKey(keyid=keyid, public_key=spki(key))
                for keyid, key in self.trust_keys.items()
                if keyid.startswith(region)
            ],
        )

    def seal(self, wire: trust_pb2.TrustList, *keyids: str) -> Envelope:
        return seal_trust_list(wire, [(keyid, self.trust_keys[keyid]) for keyid in keyids])

    def trust(self, wire: trust_pb2.TrustList | None = None) -> TrustList:
        envelope = self.seal(wire or self.list(), "hongkong-1", "macao-1")
        return accept_first(envelope, sha256(envelope.payload), NOW_MS)

    def actor(self, uri: str = "gba://hongkong/h1/researcher/ana") -> SigningIdentity:
        return make_signing(self.members[ActorUri.parse(uri).region], uri)


def make_space() -> Space:
    space = Space()
    for region in REGIONS:
        space.roots[region] = make_root(region)
        space.members[region] = make_member(space.roots[region], region)
        for number in (1, 2):
            space.trust_keys[f"{region}-{number}"] = generate("ed25519")
    return space


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def request(**more: Any) -> QueryRequest:
    return QueryRequest(
        freshness=Freshness(
            issued_at_ms=NOW_MS,
            expires_at_ms=NOW_MS + 60_000,
            nonce=bytes(16),
            audience=["hongkong", "macao"],
        ),
        sql="select count(*) from patients",
        purpose="PUBHLTH",
        **more,
    )


def asked(actor: SigningIdentity, trust: TrustList, at: datetime = NOW) -> None:
    """Open what an actor asks, at a time."""
    open_envelope(seal(request(), actor), QueryRequest, trust, at)


def signed_bytes(payload_type: str, payload: bytes, identity: SigningIdentity) -> Envelope:
    """An envelope over any bytes: what a signer without our `seal` could send."""
    signature = Signature(
        sig=sign(identity.private_key, pae(payload_type, payload)), chain=identity.chain_der
    )
    return Envelope(payload_type=payload_type, payload=payload, signatures=[signature])


def refusal(
    kind: type[DataspaceError], code: str, act: Callable[..., object], *args: Any, **more: Any
) -> DataspaceError:
    """The error that `act` raises, held against its kind and code; a refusal names its rule."""
    with pytest.raises(kind) as caught:
        act(*args, **more)
    assert caught.value.code == code
    if caught.value.kind == "refused":
        assert caught.value.rule == code
        assert caught.value.basis
    return caught.value


def seal_any(message: Message, keys: list[tuple[str, Any]], more: bytes = b"") -> Envelope:
    """Any message signed with bare keys, checked by nobody, with more bytes at its end."""
    kind, payload = payload_type_of(type(message)), message.SerializeToString() + more
    return Envelope(
        payload_type=kind,
        payload=payload,
        signatures=[Signature(sig=sign(key, pae(kind, payload)), keyid=name) for name, key in keys],
    )
