"""Channels to the broker: TLS 1.3, both sides certified, the broker's key pinned. Rim.

grpcio takes trusted certificates, not trusted keys. So the broker's certificate is fetched
first in a bare handshake, its key held against the trust list, and that one certificate is
then all that the channel trusts: a certificate renews without a new trust list.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# SECURITY: grpcio has no minimum version. With a cipher list that holds nothing a certified
# TLS 1.2 handshake could use, only 1.3 (whose suites are not listed here) remains.
os.environ.setdefault("GRPC_SSL_CIPHER_SUITES", "ECDHE-PSK-AES128-CBC-SHA")
# SECURITY: no proxy of the environment stands between a member and the broker.
os.environ.setdefault("no_grpc_proxy", "*")

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from dataspace.errors import Refused, Unavailable, Unverified
from dataspace.identity.keystore import TlsIdentity
from dataspace.identity.revoked import REVOKED_RULE, CertificateId
from dataspace.identity.trustlist import TrustList

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_HANDSHAKE_SECONDS = 5.0

# SECURITY: a few kilobytes of gzip unpack to gigabytes. Nobody here compresses messages, so
# nobody unpacks any: a server refuses them (UNIMPLEMENTED), and nothing is inflated at all.
UNCOMPRESSED_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.compression_enabled_algorithms_bitset", 1),  # identity alone
    ("grpc.per_message_decompression", 0),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
)

KEEPALIVE_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


@dataclass(frozen=True)
class BrokerChannel:
    """What a gRPC channel to the broker is made of."""

    address: str
    credentials: grpc.ChannelCredentials
    options: tuple[tuple[str, str | int], ...]


def pinned_channel(address: str, tls: TlsIdentity, trust: TrustList) -> BrokerChannel:
    """Credentials for a broker whose key is in the trust list.

    Raises `Unavailable` where nothing answers, `Unverified` (`broker-key`) where the key is
    not the broker's, `Refused` (`channel-refused`) where the broker does not take ours.
    """
    certificate, name = _fetch_certificate(address, tls, trust)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=certificate.public_bytes(serialization.Encoding.PEM),
        private_key=tls.key_pem,
        certificate_chain=tls.chain_pem,
    )
    options: tuple[tuple[str, str | int], ...] = (
        ("grpc.ssl_target_name_override", name),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.enable_http_proxy", 0),
        *UNCOMPRESSED_OPTIONS,
        *KEEPALIVE_OPTIONS,
    )
    return BrokerChannel(address, credentials, options)


def server_credentials(
    tls: Callable[[], TlsIdentity], roots: Callable[[], Sequence[x509.Certificate]]
) -> grpc.ServerCredentials:
    """The broker's side: callers need a certificate under a region's root.

    Both are asked at every handshake, so that a renewed certificate and another trust list count
    for the next caller. Where they cannot be had, what was in force stays so.
    """
    first = (tls(), tuple(roots()))
    last = [first]

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        now = (tls(), tuple(roots()))
        if now == last[0]:
            return None  # as it was
        last[0] = now
        return _server_configuration(*now)

    return grpc.dynamic_ssl_server_credentials(
        _server_configuration(*first),
        fetch,  # type: ignore[arg-type]  # None is "as it was", which the stubs do not know
        require_client_authentication=True,
    )


def _server_configuration(
    tls: TlsIdentity, roots: Sequence[x509.Certificate]
) -> grpc.ServerCertificateConfiguration:
    pem = b"".join(root.public_bytes(serialization.Encoding.PEM) for root in roots)
    return grpc.ssl_server_certificate_configuration(
        [(tls.key_pem, tls.chain_pem)], root_certificates=pem
    )


def roots_of(trust: TrustList) -> tuple[x509.Certificate, ...]:
    """The roots that a caller's certificate may hang from now."""
    return tuple(root for group in trust.roots_by_region().values() for root in group)


def _fetch_certificate(
    address: str, tls: TlsIdentity, trust: TrustList
) -> tuple[x509.Certificate, str]:
    """The broker's certificate, its key held against the pins, and the broker's DNS name."""
    host, _, port = address.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent; the key is held against the pins
    context.set_alpn_protocols(["h2"])
    _present(context, tls)
    try:
        with (
            socket.create_connection((host, int(port)), timeout=_HANDSHAKE_SECONDS) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            found = _pinned(wrapped.getpeercert(binary_form=True), address, trust)
            # In TLS 1.3 our side is done before the broker has judged our certificate: one
            # that it takes is greeted (HTTP/2 settings), one that it does not is hung up on.
            if not wrapped.recv(1):
                raise _not_taken(address)
            return found
    except ssl.SSLError:
        raise Unavailable(
            f"what answers at {address} does not speak TLS 1.3; is it the broker?",
            code="broker-tls",
        ) from None
    except (OSError, ValueError):
        raise Unavailable(
            f"no broker answers at {address}; see `gba space status`", code="broker-unreachable"
        ) from None


def _pinned(der: bytes | None, address: str, trust: TrustList) -> tuple[x509.Certificate, str]:
    if der is None:
        raise Unverified("the broker showed no certificate", code="broker-key")
    certificate = x509.load_der_x509_certificate(der)
    key = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    brokers = [broker for broker in trust.brokers if key in broker.public_keys]
    if not brokers:
        raise Unverified(
            f"what answers at {address} does not hold a broker's key of the trust list; see "
            "`gba trust show`, and where this home lacks a newer list, `gba trust update`",
            code="broker-key",
        )
    own = trust.revocations.lists.get(brokers[0].uri.region)
    if own is not None and own.names(CertificateId.of(certificate)):
        raise Refused(
            f"{brokers[0].uri.region} has revoked the certificate of the broker at {address}; "
            "have its operator issue a new one",
            code=REVOKED_RULE,
            rule=REVOKED_RULE,
            basis="space rule: revocation",
        )
    return certificate, brokers[0].dns_name


def _not_taken(address: str) -> Refused:
    return Refused(
        f"the broker at {address} does not take this party's certificate: no root of its trust "
        "list vouches for it; have it issued again",
        code="channel-refused",
        rule="channel-refused",
        basis="space rule: identity",
    )


def _present(context: ssl.SSLContext, tls: TlsIdentity) -> None:
    """Load our certificate. The ssl module takes files alone: a private one, gone at once."""
    with tempfile.NamedTemporaryFile(mode="wb") as file:  # created with mode 0600
        file.write(tls.key_pem + tls.chain_pem)
        file.flush()
        context.load_cert_chain(file.name)
