from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import DataspaceError, Malformed, Refused, Unverified
from dataspace.identity.algorithms import ALGORITHMS, generate
from dataspace.identity.envelopes import (
    SigningIdentity,
    open_envelope,
    parse_envelope,
    payload_type_of,
    seal,
)
from dataspace.identity.replay import replay_key
from dataspace.identity.trustlist import TrustList, accept_first
from dataspace.v1.envelope_pb2 import Envelope, Freshness, Signature, Signer
from dataspace.v1.query_pb2 import Partial, QueryRequest

from .world import (
    NOW,
    Space,
    der,
    make_member,
    make_signing,
    refusal,
    request,
    sha256,
    signed_bytes,
)

ANA = "gba://hongkong/h1/researcher/ana"
REQUEST = payload_type_of(QueryRequest)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
UNKNOWN = b"\xa8\x4b\x01"  # field 1205, varint 1


@pytest.fixture(scope="module")
def trust(space: Space) -> TrustList:
    return space.trust()


@pytest.fixture(scope="module")
def ana(space: Space) -> SigningIdentity:
    return space.actor(ANA)


def named(identity: SigningIdentity, **changes: Any) -> QueryRequest:
    """A request that names its signer, or, with changes, somebody else."""
    signer = {"uri": str(identity.uri), "leaf_sha256": identity.leaf_sha256} | changes
    return request(signer=Signer(**signer))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_an_actor_seals_opens_as_that_actors(
    space: Space, trust: TrustList, algorithm: str
) -> None:
    identity = make_signing(space.members["hongkong"], ANA, algorithm)
    envelope = parse_envelope(seal(request(), identity).SerializeToString())
    opened = open_envelope(envelope, QueryRequest, trust, NOW)
    assert opened.message == named(identity)
    assert opened.signer.uri == identity.uri
    assert opened.payload_sha256 == sha256(envelope.payload)


@settings(max_examples=30, deadline=None)
@given(sql=st.text(max_size=100), purpose=st.text(max_size=10), pooled=st.booleans())
def test_a_message_reads_back_from_its_envelope(
    space: Space, trust: TrustList, ana: SigningIdentity, sql: str, purpose: str, pooled: bool
) -> None:
    message = QueryRequest(sql=sql, purpose=purpose, pooled=pooled)
    opened = open_envelope(seal(message, ana), QueryRequest, trust, NOW)
    opened.message.ClearField("signer")
    assert opened.message == message


def test_sealing_leaves_the_callers_message_alone(ana: SigningIdentity) -> None:
    message = request()
    seal(message, ana)
    assert message == request()


def test_sealing_writes_over_a_signer_that_somebody_filled_in(
    trust: TrustList, ana: SigningIdentity
) -> None:
    message = request(signer=Signer(uri="gba://macao/h1/regulator/kim"))
    assert open_envelope(seal(message, ana), QueryRequest, trust, NOW).message == named(ana)


def test_no_byte_of_an_envelope_can_be_changed(trust: TrustList, ana: SigningIdentity) -> None:
    data = seal(request(), ana).SerializeToString()
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(DataspaceError):
            open_envelope(parse_envelope(bytes(changed)), QueryRequest, trust, NOW)


def test_another_payload_under_the_same_signature_is_unverified(
    trust: TrustList, ana: SigningIdentity
) -> None:
    envelope = seal(request(), ana)
    envelope.payload = named(ana, uri=ANA).SerializeToString() + b"\x38\x01"  # pooled
    refusal(Unverified, "bad-signature", open_envelope, envelope, QueryRequest, trust, NOW)


def test_a_payload_type_is_checked_before_anything_is_verified_or_parsed(
    trust: TrustList, ana: SigningIdentity
) -> None:
    for kind in (payload_type_of(Partial), REQUEST.upper(), REQUEST + " ", ""):
        garbage = Envelope(payload_type=kind, payload=b"\xff")
        code = "wrong-payload-type"
        refusal(Malformed, code, open_envelope, garbage, QueryRequest, trust, NOW)
    other = seal(Partial(), ana)
    refusal(Malformed, "wrong-payload-type", open_envelope, other, QueryRequest, trust, NOW)


def test_a_signature_for_one_type_does_not_count_for_another(
    trust: TrustList, ana: SigningIdentity
) -> None:
    envelope = seal(Partial(), ana)
    envelope.payload_type = REQUEST
    refusal(Unverified, "bad-signature", open_envelope, envelope, QueryRequest, trust, NOW)


def test_a_payload_is_not_parsed_before_its_signature_holds(
    trust: TrustList, ana: SigningIdentity
) -> None:
    envelope = signed_bytes(REQUEST, b"\xff not protobuf", ana)
    refusal(Malformed, "bad-message", open_envelope, envelope, QueryRequest, trust, NOW)
    envelope.signatures[0].sig = b""
    refusal(Unverified, "bad-signature", open_envelope, envelope, QueryRequest, trust, NOW)


@pytest.mark.parametrize(
    "extra",
    [
        UNKNOWN,
        b"\x0a\x03" + UNKNOWN,  # merges into signer
        b"\x12\x03" + UNKNOWN,  # merges into freshness
    ],
)
def test_an_unknown_field_is_refused_though_the_signer_meant_it(
    trust: TrustList, ana: SigningIdentity, extra: bytes
) -> None:
    envelope = signed_bytes(REQUEST, named(ana).SerializeToString() + extra, ana)
    refusal(Malformed, "unknown-field", open_envelope, envelope, QueryRequest, trust, NOW)


def test_a_payload_over_the_limit_is_malformed(trust: TrustList, ana: SigningIdentity) -> None:
    envelope = seal(request(), ana)
    size = len(envelope.payload)
    open_envelope(envelope, QueryRequest, trust, NOW, max_payload_bytes=size)
    refusal(
        Malformed,
        "too-large",
        open_envelope,
        envelope,
        QueryRequest,
        trust,
        NOW,
        max_payload_bytes=size - 1,
    )


def test_an_envelope_carries_exactly_one_certified_signature(
    space: Space, trust: TrustList, ana: SigningIdentity
) -> None:
    envelope = seal(request(), ana)
    signature = envelope.signatures[0]
    with_keyid = Signature(sig=signature.sig, chain=signature.chain, keyid="hongkong-1")
    for signatures in ([], [signature, signature], [with_keyid]):
        wrong = Envelope(payload_type=REQUEST, payload=envelope.payload, signatures=signatures)
        refusal(Malformed, "bad-envelope", open_envelope, wrong, QueryRequest, trust, NOW)
    bare = Envelope(
        payload_type=REQUEST, payload=envelope.payload, signatures=[Signature(sig=signature.sig)]
    )
    refusal(Unverified, "bad-chain", open_envelope, bare, QueryRequest, trust, NOW)


def test_a_chain_cannot_be_swapped_for_another_of_the_same_key(
    space: Space, trust: TrustList, ana: SigningIdentity
) -> None:
    # The member issues a second certificate for ana's key; both are valid for the same actor.
    authority = space.members["hongkong"]
    leaf = x509.load_der_x509_certificate(ana.chain_der[0])
    twin = (
        x509.CertificateBuilder(leaf.issuer, leaf.subject, leaf.public_key(), 4242)
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    for extension in leaf.extensions:
        twin = twin.add_extension(extension.value, extension.critical)
    second = der(twin.sign(authority.key, SHA256()))
    other = replace(ana, chain_der=(second, ana.chain_der[1]))
    open_envelope(seal(request(), other), QueryRequest, trust, NOW)
    envelope = seal(request(), ana)
    envelope.signatures[0].chain[0] = second
    refusal(Unverified, "signer-mismatch", open_envelope, envelope, QueryRequest, trust, NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"uri": "gba://hongkong/h1/regulator/ana"},
        {"uri": "gba://macao/h1/researcher/ana"},
        {"uri": ""},
        {"leaf_sha256": bytes(32)},
        {"leaf_sha256": b""},
    ],
)
def test_a_payload_that_names_another_signer_is_unverified(
    trust: TrustList, ana: SigningIdentity, changes: dict[str, Any]
) -> None:
    envelope = signed_bytes(REQUEST, named(ana, **changes).SerializeToString(), ana)
    refusal(Unverified, "signer-mismatch", open_envelope, envelope, QueryRequest, trust, NOW)


def test_a_payload_that_names_no_signer_is_unverified(
    trust: TrustList, ana: SigningIdentity
) -> None:
    envelope = signed_bytes(REQUEST, request().SerializeToString(), ana)
    refusal(Unverified, "signer-mismatch", open_envelope, envelope, QueryRequest, trust, NOW)


def test_an_actor_signed_with_anothers_key_is_unverified(
    space: Space, trust: TrustList, ana: SigningIdentity
) -> None:
    bob = space.actor("gba://hongkong/h1/regulator/bob")
    envelope = seal(request(), bob)
    del envelope.signatures[0].chain[:]
    envelope.signatures[0].chain.extend(ana.chain_der)
    refusal(Unverified, "bad-signature", open_envelope, envelope, QueryRequest, trust, NOW)


def test_an_actor_with_an_expired_certificate_is_refused(space: Space, trust: TrustList) -> None:
    past = make_signing(
        space.members["hongkong"],
        ANA,
        not_before=NOW - timedelta(hours=2),
        not_after=NOW - timedelta(hours=1),
    )
    envelope = seal(request(), past)
    rule = "identity-certificate-expired"
    refusal(Refused, rule, open_envelope, envelope, QueryRequest, trust, NOW)


def test_an_actor_of_a_suspended_region_is_refused(space: Space, ana: SigningIdentity) -> None:
    wire = space.list()
    envelope = seal(request(), ana)
    open_envelope(envelope, QueryRequest, space.trust(wire), NOW)
    wire.regions[0].suspended = True
    open_envelope(envelope, QueryRequest, space.trust(wire), NOW)
    wire.regions[0].suspended, wire.regions[1].suspended = False, True
    sealed = space.seal(wire, "guangzhou-1", "macao-1")
    suspended = accept_first(sealed, sha256(sealed.payload), wire.issued_at_ms)
    error = refusal(
        Refused, "identity-region-suspended", open_envelope, envelope, QueryRequest, suspended, NOW
    )
    assert "hongkong" in error.message


def test_nothing_opens_under_a_stale_trust_list(trust: TrustList, ana: SigningIdentity) -> None:
    late = NOW + timedelta(days=2)
    envelope = seal(request(), ana)
    refusal(Refused, "trust-list-expired", open_envelope, envelope, QueryRequest, trust, late)


def test_an_identity_that_does_not_belong_together_cannot_exist(
    space: Space, ana: SigningIdentity
) -> None:
    other = make_member(space.roots["hongkong"], "hongkong")
    for changes in (
        {"private_key": generate("ed25519")},
        {"uri": space.actor("gba://hongkong/h1/regulator/bob").uri},
        {"chain_der": ana.chain_der[:1]},
        {"chain_der": (der(other.certificate), ana.chain_der[1])},
    ):
        with pytest.raises((Malformed, Refused)):
            replace(ana, **changes)


def test_a_replay_key_is_the_same_for_the_same_request_under_any_signature(
    trust: TrustList, ana: SigningIdentity
) -> None:
    envelope = seal(request(), ana)
    first = open_envelope(envelope, QueryRequest, trust, NOW)
    # Whoever relays an ECDSA signature (r, s) can turn it into (r, n - s), which holds too.
    r, s = decode_dss_signature(envelope.signatures[0].sig)
    envelope.signatures[0].sig = encode_dss_signature(r, P256_ORDER - s)
    second = open_envelope(envelope, QueryRequest, trust, NOW)
    assert replay_key(first) == replay_key(second) == ana.leaf_sha256 + bytes(16)
    assert first.payload_sha256 == second.payload_sha256


def test_a_replay_key_differs_by_signer_and_by_nonce(
    space: Space, trust: TrustList, ana: SigningIdentity
) -> None:
    bob = space.actor("gba://hongkong/h1/regulator/bob")
    later = QueryRequest(freshness=Freshness(nonce=b"\x01" * 16))
    keys = {
        replay_key(open_envelope(seal(message, identity), QueryRequest, trust, NOW))
        for message in (request(), later)
        for identity in (ana, bob)
    }
    assert len(keys) == 4


def test_there_is_no_replay_key_without_a_whole_nonce(
    trust: TrustList, ana: SigningIdentity
) -> None:
    opened = open_envelope(seal(QueryRequest(), ana), QueryRequest, trust, NOW)
    with pytest.raises(ValueError, match="freshness"):
        replay_key(opened)
