from __future__ import annotations

import ipaddress
from concurrent import futures
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.errors import Malformed
from dataspace.identity import certificates
from dataspace.identity.algorithms import ALGORITHMS, CA_ALGORITHMS, ECDSA_P256, generate
from dataspace.identity.certificates import issue_member_ca, issue_root, issue_signing, issue_tls
from dataspace.identity.chains import verify_chain, verify_tls_peer
from dataspace.identity.names import ActorUri

from .world import (
    BEGIN,
    END,
    NOW,
    Space,
    der,
    make_member,
    make_root,
    make_signing,
    make_tls,
    pem,
    refusal,
)

ANA = "gba://hongkong/h1/researcher/ana"
TERMS: dict[str, Any] = {"not_before": BEGIN, "not_after": END, "serial": 7}


@pytest.mark.parametrize("leaf", ALGORITHMS)
@pytest.mark.parametrize("authority", CA_ALGORITHMS)
def test_every_authority_may_issue_for_every_signing_key(authority: str, leaf: str) -> None:
    root = make_root("hongkong", authority)
    identity = make_signing(make_member(root, "hongkong", algorithm=authority), ANA, leaf)
    signer = verify_chain(identity.chain_der, {"hongkong": [root.certificate]}, NOW)
    assert str(signer.uri) == ANA
    assert signer.leaf_sha256 == identity.leaf_sha256
    assert signer.public_key == identity.private_key.public_key()


def test_a_signing_certificate_has_one_uri_and_only_signs(space: Space) -> None:
    leaf = x509.load_der_x509_certificate(space.actor().chain_der[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert list(names) == [x509.UniformResourceIdentifier(ANA)]
    assert usage.digital_signature
    assert not (usage.key_cert_sign or usage.crl_sign or usage.key_agreement)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_region_and_member_are_read_from_authorities(space: Space) -> None:
    assert certificates.region_of(space.roots["macao"].certificate) == "macao"
    assert certificates.member_of(space.roots["macao"].certificate) is None
    assert certificates.region_of(space.members["macao"].certificate) == "macao"
    assert certificates.member_of(space.members["macao"].certificate) == "h1"


def test_the_same_arguments_give_the_same_certified_content() -> None:
    key: Any = generate("ml-dsa-44")
    first, second = (issue_root("macao", key, BEGIN, END, 9) for _ in range(2))
    assert first.tbs_certificate_bytes == second.tbs_certificate_bytes


def test_what_an_authority_may_not_issue_is_malformed(space: Space) -> None:
    root, member = space.roots["hongkong"], space.members["hongkong"]
    key: Any = generate(ECDSA_P256)
    ed25519: Any = generate("ed25519")
    p384 = ec.generate_private_key(ec.SECP384R1())
    ana, code = ActorUri.parse(ANA), "bad-certificate-request"
    public, ca = key.public_key(), (member.certificate, member.key)
    refusal(Malformed, code, issue_root, "hongkong", ed25519, BEGIN, END, 1)
    refusal(Malformed, "bad-actor-uri", issue_root, "shenzhen", key, BEGIN, END, 1)
    above = (root.certificate, root.key)
    refusal(Malformed, code, issue_member_ca, "macao", "h1", public, *above, **TERMS)
    refusal(
        Malformed, code, issue_member_ca, "hongkong", "h1", ed25519.public_key(), *above, **TERMS
    )
    refusal(
        Malformed, code, issue_member_ca, "hongkong", "h1", public, root.certificate, key, **TERMS
    )
    for other in ("gba://macao/h1/researcher/ana", "gba://hongkong/h2/researcher/ana"):
        refusal(Malformed, code, issue_signing, ActorUri.parse(other), public, *ca, **TERMS)
        refusal(Malformed, code, issue_tls, ActorUri.parse(other), public, *ca, **TERMS)
    refusal(Malformed, code, issue_signing, ana, p384.public_key(), *ca, **TERMS)
    refusal(Malformed, code, issue_tls, ana, ed25519.public_key(), *ca, **TERMS)
    refusal(Malformed, code, issue_tls, ana, public, *ca, server=True, **TERMS)
    refusal(Malformed, code, issue_tls, ana, public, *ca, dns_names=("x.test",), **TERMS)
    for wrong in (
        {"not_after": BEGIN},
        {"serial": 0},
        {"serial": 1 << 159},
        {"not_before": datetime(2030, 1, 1)},
    ):
        refusal(Malformed, code, issue_signing, ana, public, *ca, **(TERMS | wrong))


def test_tls_does_not_stand_on_an_authority_that_tls_libraries_do_not_take() -> None:
    member = make_member(make_root("hongkong", "ml-dsa-44"), "hongkong", algorithm="ml-dsa-44")
    refusal(Malformed, "bad-certificate-request", make_tls, member, ANA)


def test_grpc_takes_these_certificates_and_hands_over_the_peers_role() -> None:
    # gRPC judges by the real clock, so these are issued as of now.
    now, day = datetime.now(UTC), timedelta(days=1)
    when: dict[str, Any] = {"not_before": now - day, "not_after": now + day}
    keys: list[Any] = [generate(ECDSA_P256) for _ in range(4)]
    root_key, member_key, broker_key, node_key = keys
    root = issue_root("hongkong", root_key, now - day, now + day, 1)
    member = issue_member_ca(
        "hongkong", "h1", member_key.public_key(), root, root_key, serial=2, **when
    )
    broker = issue_tls(
        ActorUri.parse("gba://hongkong/h1/broker/main"),
        broker_key.public_key(),
        member,
        member_key,
        serial=3,
        dns_names=("localhost",),
        ip_addresses=(ipaddress.ip_address("127.0.0.1"),),
        server=True,
        **when,
    )
    node = issue_tls(
        ActorUri.parse("gba://hongkong/h1/node/main"),
        node_key.public_key(),
        member,
        member_key,
        serial=4,
        **when,
    )
    peer = _handshake(
        pem(root), (_pkcs8(broker_key), pem(broker, member)), (_pkcs8(node_key), pem(node, member))
    )
    seen = verify_tls_peer(*peer, {"hongkong": [root]}, now)
    assert str(seen.uri) == "gba://hongkong/h1/node/main"
    assert der(node) == x509.load_pem_x509_certificate(peer[0]).public_bytes(Encoding.DER)


def _handshake(
    roots: bytes, server_pair: tuple[bytes, bytes], client_pair: tuple[bytes, bytes]
) -> tuple[bytes, bytes]:
    """The client's leaf and the rest of its chain, as the server saw them."""
    seen: list[tuple[bytes, bytes]] = []

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        auth: Any = context.auth_context()
        seen.append((auth["x509_pem_cert"][0], auth["x509_pem_cert_chain"][0]))
        return request

    class Echo(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(futures.ThreadPoolExecutor(1), handlers=[Echo()])
    credentials = grpc.ssl_server_credentials([server_pair], roots, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        dial = grpc.ssl_channel_credentials(roots, *client_pair)
        with grpc.secure_channel(
            f"localhost:{port}", dial, [("grpc.enable_http_proxy", 0)]
        ) as channel:
            call: Any = channel.unary_unary("/test/Echo")
            assert call(b"here", timeout=30) == b"here"
    finally:
        server.stop(None)
    return seen[0]


def _pkcs8(key: Any) -> bytes:
    data: bytes = key.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return data
