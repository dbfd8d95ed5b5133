"""A signing request proves every key in it, and asks for names alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dataspace.audit.cosignatures import cosigning_vkey
from dataspace.audit.notes import verifier_key
from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.identity.algorithms import (
    ALGORITHMS,
    ECDSA_P256,
    ED25519,
    certificate_hash,
    generate,
    sign,
)
from dataspace.identity.dsse import pae
from dataspace.identity.names import ActorUri
from dataspace.identity.signing_requests import (
    MAX_REQUEST_BYTES,
    REQUEST_TYPE,
    RequestKeys,
    make_request,
    read_request,
)
from tests.unit.identity.world import NOW_MS

MARIA = ActorUri.parse("gba://macao/university/researcher/maria")
NODE = ActorUri.parse("gba://macao/health-authority/node/node-2")
BROKER = ActorUri.parse("gba://hongkong/exchange/broker/broker-2")
WITNESS = ActorUri.parse("gba://macao/health-authority/witness/witness-2")


def keys(algorithm: str = ED25519, **more: Any) -> RequestKeys:
    return RequestKeys(generate(algorithm), generate(ECDSA_P256), **more)


def log_keys() -> Any:
    key = Ed25519PrivateKey.generate()
    return verifier_key("gba.dataspace/macao/2", key), key


def witness_keys() -> Any:
    made: list[Any] = [Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()]
    return [(cosigning_vkey("gba.dataspace/witness/macao", key), key) for key in made]


def payload_of(file: bytes) -> dict[str, Any]:
    said = json.loads(base64.b64decode(json.loads(file)["payload"]))
    assert isinstance(said, dict)
    return said


def signed(said: object, signers: dict[str, Any], payload_type: str = REQUEST_TYPE) -> bytes:
    """A file that says anything, signed as its keys would."""
    payload = json.dumps(said).encode()
    covered = pae(payload_type, payload)
    return json.dumps(
        {
            "payloadType": payload_type,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [
                {"keyid": name, "sig": base64.b64encode(sign(key, covered)).decode()}
                for name, key in signers.items()
            ],
        }
    ).encode()  # fmt: skip


def csr(
    key: Any, names: list[x509.GeneralName], *more: x509.ExtensionType, **attributes: Any
) -> str:
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "maria")])
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for each in more:
        builder = builder.add_extension(each, critical=False)
    if attributes:
        builder = builder.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, b"x")
    return builder.sign(key, certificate_hash(key)).public_bytes(Encoding.PEM).decode()


def refused(file: bytes, kind: type[DataspaceError], code: str = "signing-request") -> None:
    with pytest.raises(kind) as caught:
        read_request(file)
    assert caught.value.code == code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_request_tells_who_asks_and_for_which_keys(algorithm: str) -> None:
    mine = keys(algorithm)
    read = read_request(make_request(MARIA, mine, NOW_MS))
    assert (read.uri, read.made_at_ms, read.dns_names) == (MARIA, NOW_MS, ())
    assert read.signing_key == mine.signing.public_key()
    assert read.tls_key == mine.tls.public_key()
    assert (read.log, read.witness, read.previous) == (None, (), None)
    assert len(read.fingerprint.replace(" ", "")) == 40


def test_services_bring_the_keys_that_the_trust_list_names() -> None:
    log, cosigning = log_keys(), witness_keys()
    node = read_request(make_request(NODE, keys(log=log), NOW_MS))
    assert node.log == log[0]
    witness = read_request(make_request(WITNESS, keys(witness=cosigning), NOW_MS))
    assert witness.witness == tuple(vkey for vkey, _ in cosigning)
    broker = read_request(make_request(BROKER, keys(log=log), NOW_MS, ("broker.internal",)))
    assert broker.dns_names == ("broker.internal",)


def test_two_requests_for_other_keys_have_other_fingerprints() -> None:
    one, two = (read_request(make_request(MARIA, keys(), NOW_MS)) for _ in range(2))
    assert one.fingerprint != two.fingerprint


URI = x509.UniformResourceIdentifier(str(MARIA))
OTHER = x509.UniformResourceIdentifier("gba://macao/university/regulator/maria")


def asking_for(more: x509.ExtensionType, key: Any) -> str:
    return csr(key, [URI], more)


EXTRA: dict[str, x509.ExtensionType] = {
    "a right to issue": x509.BasicConstraints(ca=True, path_length=0),
    "no right to issue, said aloud": x509.BasicConstraints(ca=False, path_length=None),
    "another use": x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
}
GREEDY: dict[str, Callable[[Any], str]] = {
    **{name: partial(asking_for, more) for name, more in EXTRA.items()},
    "a second name": lambda key: csr(key, [URI, OTHER]),
    "another name": lambda key: csr(key, [OTHER]),
    "a DNS name": lambda key: csr(key, [URI, x509.DNSName("broker.internal")]),
    "a mail address": lambda key: csr(key, [URI, x509.RFC822Name("m@example.org")]),
    "no name": lambda key: csr(key, []),
    "a password": lambda key: csr(key, [URI], password=True),
}  # fmt: skip


@pytest.mark.parametrize("which", ["signing", "tls"])
@pytest.mark.parametrize("what", GREEDY)
def test_who_asks_for_more_than_a_name_is_refused_and_not_given_less(what: str, which: str) -> None:
    mine = keys()
    said = payload_of(make_request(MARIA, mine, NOW_MS))
    said[which] = GREEDY[what](mine.signing if which == "signing" else mine.tls)
    refused(signed(said, {"signing": mine.signing, "tls": mine.tls}), Malformed)


def test_every_key_has_to_sign_the_whole_request() -> None:
    log = log_keys()
    mine = keys(log=log)
    said = payload_of(make_request(NODE, mine, NOW_MS))
    signers = {"signing": mine.signing, "tls": mine.tls, "log": log[1]}
    assert read_request(signed(said, signers)).log == log[0]
    for name in signers:
        refused(signed(said, {k: v for k, v in signers.items() if k != name}), Unverified)
        stolen = signers | {name: generate(ECDSA_P256 if name == "tls" else ED25519)}
        refused(signed(said, stolen), Unverified, "bad-signature")
    refused(signed(said, signers | {"more": mine.tls}), Unverified)


def test_a_key_of_one_request_cannot_be_put_into_another() -> None:
    mine, theirs = keys(), keys()
    said = payload_of(make_request(MARIA, mine, NOW_MS))
    said["tls"] = payload_of(make_request(MARIA, theirs, NOW_MS))["tls"]
    outer = json.loads(make_request(MARIA, mine, NOW_MS))
    outer["payload"] = base64.b64encode(json.dumps(said, sort_keys=True).encode()).decode()
    refused(json.dumps(outer).encode(), Unverified, "bad-signature")


def test_one_key_for_two_uses_is_refused() -> None:
    key = generate(ECDSA_P256)
    refused(make_request(MARIA, RequestKeys(key, key), NOW_MS), Malformed)
    log = Ed25519PrivateKey.generate()
    both = RequestKeys(log, generate(ECDSA_P256), log=(verifier_key("gba.dataspace/x", log), log))
    refused(make_request(NODE, both, NOW_MS), Malformed)


@pytest.mark.parametrize(
    ("uri", "more"), [(MARIA, {"log": 1}), (WITNESS, {"log": 1}), (NODE, {"witness": 1})]
)
def test_a_role_brings_no_keys_that_it_has_no_use_for(uri: ActorUri, more: dict[str, Any]) -> None:
    made: dict[str, Any] = {"log": log_keys(), "witness": witness_keys()}
    refused(make_request(uri, keys(**{name: made[name] for name in more}), NOW_MS), Malformed)


@pytest.mark.parametrize(("uri", "names"), [(MARIA, ("x.internal",)), (BROKER, ())])
def test_a_broker_and_nobody_else_names_where_it_is_dialled(
    uri: ActorUri, names: tuple[str, ...]
) -> None:
    refused(make_request(uri, keys(), NOW_MS, names), Malformed)


def test_tls_takes_p256_alone() -> None:
    refused(
        make_request(MARIA, RequestKeys(generate(ED25519), generate(ED25519)), NOW_MS), Malformed
    )


def test_what_is_no_request_is_malformed() -> None:
    mine = keys()
    whole = make_request(MARIA, mine, NOW_MS)
    said = payload_of(whole)
    signers = {"signing": mine.signing, "tls": mine.tls}
    for file in (
        b"", b"{}", b"[]", b"\xff", b"[" * 100_000, whole[:-20], b" " * (MAX_REQUEST_BYTES + 1),
        signed(said, signers, "application/json"),
        signed(said | {"unknown": 1}, signers),
        signed({k: v for k, v in said.items() if k != "tls"}, signers),
        signed(said | {"made_at_ms": "now"}, signers),
        signed(said | {"tls": "no PEM"}, signers),
        signed([said], signers),
        whole.replace(b'"payloadType"', b'"payload": "", "payloadType"', 1),
    ):  # fmt: skip
        refused(file, Malformed)
    refused(signed(said | {"uri": "gba://x"}, signers), Malformed, "bad-actor-uri")
