"""Trust lists: what one says, its form, and which is taken as the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import DataspaceError, Malformed, Refused, Unverified
from dataspace.identity.algorithms import generate
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import (
    accept_first,
    accept_next,
    cosign_trust_list,
    seal_trust_list,
)
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope

from .succession import first, following
from .world import DAY_MS, NOW_MS, Space, der, make_root, refusal, request, seal_any, sha256, spki

Change = Callable[[Space, trust_pb2.TrustList], None]


# --- what a list says


def test_the_first_list_is_accepted_by_its_pinned_digest_and_two_regions(space: Space) -> None:
    trust = first(space)
    assert (trust.space, trust.version) == ("test", 1)
    assert trust.roots_by_region() == {
        region: (space.roots[region].certificate,) for region in REGIONS
    }
    assert [log.origin for log in trust.logs_of("macao")] == ["macao/log"]
    assert trust.broker_keys() == {spki(space.trust_keys["guangzhou-1"])}
    assert str(trust.brokers[0].uri) == "gba://hongkong/h1/broker/main"


def test_a_list_cannot_be_changed_once_it_is_made(space: Space) -> None:
    trust: Any = first(space)
    with pytest.raises(TypeError):
        trust.regions["macao"] = trust.regions["hongkong"]
    with pytest.raises(AttributeError):
        trust.version = 2


@settings(max_examples=20, deadline=None)
@given(
    name=st.text(min_size=1, max_size=20),
    life=st.integers(1, 10 * DAY_MS),
    logs=st.lists(st.sampled_from((*REGIONS, "broker")), max_size=6),
)
def test_what_a_list_says_reads_back(space: Space, name: str, life: int, logs: list[str]) -> None:
    wire = space.list(space=name, issued_at_ms=NOW_MS, expires_at_ms=NOW_MS + life)
    del wire.logs[:]
    wire.logs.extend(
        trust_pb2.TrustedLog(origin=f"log {place}", vkey=f"key {place}", owner=owner)
        for place, owner in enumerate(logs)
    )
    trust = space.trust(wire)
    assert (trust.space, trust.expires_at_ms - trust.issued_at_ms) == (name, life)
    assert [log.owner for log in trust.logs] == logs


def _drop_two_regions(space: Space, wire: trust_pb2.TrustList) -> None:
    del wire.regions[1:], wire.logs[:]


def _suspend_two(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.regions[0].suspended = wire.regions[1].suspended = True


def _one_key_two_regions(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.regions[0].trust_keys[0].public_key = wire.regions[1].trust_keys[0].public_key


def _one_key_two_encodings(space: Space, wire: trust_pb2.TrustList) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    short = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    long = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    wire.regions[0].trust_keys[0].public_key = long
    wire.regions[1].trust_keys[0].public_key = head + short


def _one_keyid_two_regions(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.regions[0].trust_keys[0].keyid = wire.regions[1].trust_keys[0].keyid


def _one_root_two_regions(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.regions[0].root_certificates.extend(wire.regions[1].root_certificates)


def _set(**values: Any) -> Change:
    def change(space: Space, wire: trust_pb2.TrustList) -> None:
        for name, value in values.items():
            setattr(wire, name, value)

    return change


def _region(**values: Any) -> Change:
    def change(space: Space, wire: trust_pb2.TrustList) -> None:
        old = wire.regions[2]
        old.CopyFrom(
            trust_pb2.TrustedRegion(
                region=values.get("region", old.region),
                root_certificates=values.get("roots", old.root_certificates),
                trust_keys=values.get("keys", old.trust_keys),
            )
        )

    return change


def _twice(what: str) -> Change:
    def change(space: Space, wire: trust_pb2.TrustList) -> None:
        listed = getattr(wire, what)
        listed.append(listed[0])

    return change


def _log_of_nobody(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.logs[0].owner = "shenzhen"


def _broker_that_is_none(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.brokers[0].uri = "gba://hongkong/h1/node/main"


def _broker_without_grammar(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.brokers[0].uri = "https://broker.test"


def _broker_key_that_is_none(space: Space, wire: trust_pb2.TrustList) -> None:
    wire.brokers[0].public_keys[0] = b"no key"


FOREIGN_ROOT = der(make_root("hongkong").certificate)
CONTRADICTIONS: dict[str, Change] = {
    "no-space": _set(space=""),
    "no-version": _set(version=0),
    "ends-before-it-begins": _set(expires_at_ms=1),
    "first-with-a-past": _set(previous_sha256=bytes(32)),
    "second-without-a-past": _set(version=2),
    "one-region": _drop_two_regions,
    "two-suspended": _suspend_two,
    "one-key-two-regions": _one_key_two_regions,
    "one-key-two-encodings": _one_key_two_encodings,
    "one-keyid-two-regions": _one_keyid_two_regions,
    "one-root-two-regions": _one_root_two_regions,
    "region-twice": _twice("regions"),
    "log-twice": _twice("logs"),
    "broker-twice": _twice("brokers"),
    "region-without-root": _region(roots=[]),
    "region-without-key": _region(keys=[]),
    "region-that-is-none": _region(region="shenzhen"),
    "root-of-another-region": _region(
        region="macao", roots=[der(make_root("hongkong").certificate)]
    ),
    "root-that-is-none": _region(roots=[b"no certificate"]),
    "key-that-is-none": _region(keys=[trust_pb2.TrustKey(keyid="k", public_key=b"no key")]),
    "key-without-id": _region(keys=[trust_pb2.TrustKey(public_key=spki(generate("ed25519")))]),
    "log-of-nobody": _log_of_nobody,
    "broker-that-is-none": _broker_that_is_none,
    "broker-without-grammar": _broker_without_grammar,
    "broker-key-that-is-none": _broker_key_that_is_none,
}


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_list_that_contradicts_itself_is_unverified_and_cannot_be_sealed(
    space: Space, change: Change
) -> None:
    wire = space.list()
    change(space, wire)
    refusal(Unverified, "bad-trust-list", space.seal, wire, "hongkong-1", "macao-1")
    forged = seal_any(wire, [(k, space.trust_keys[k]) for k in ("hongkong-1", "macao-1")])
    pinned = sha256(forged.payload)
    refusal(Unverified, "bad-trust-list", accept_first, forged, pinned, NOW_MS)


def test_a_key_of_an_unknown_kind_is_unverified(space: Space) -> None:
    wire = space.list()
    other = ec.generate_private_key(ec.SECP384R1())
    wire.regions[0].trust_keys[0].public_key = spki(other)
    refusal(Unverified, "bad-trust-list", space.seal, wire)


# --- the first list


def test_a_first_list_other_than_the_pinned_one_is_unverified(space: Space) -> None:
    envelope = space.seal(space.list(), "hongkong-1", "macao-1")
    for pinned in (bytes(32), b"", sha256(envelope.payload)[:-1]):
        refusal(Unverified, "trust-list-pin", accept_first, envelope, pinned, NOW_MS)


@pytest.mark.parametrize(
    "keyids", [("hongkong-1",), ("hongkong-1", "hongkong-2")], ids=["one", "two-of-one-region"]
)
def test_one_region_alone_makes_no_first_list(space: Space, keyids: tuple[str, ...]) -> None:
    envelope = space.seal(space.list(), *keyids)
    pinned = sha256(envelope.payload)
    refusal(Unverified, "trust-list-quorum", accept_first, envelope, pinned, NOW_MS)


def test_a_space_starts_from_version_one(space: Space) -> None:
    envelope = space.seal(space.list(version=2, previous_sha256=bytes(32)), "hongkong-1", "macao-1")
    pinned = sha256(envelope.payload)
    refusal(Unverified, "trust-list-gap", accept_first, envelope, pinned, NOW_MS)


def test_an_expired_first_list_is_refused(space: Space) -> None:
    envelope = space.seal(space.list(), "hongkong-1", "macao-1")
    pinned, late = sha256(envelope.payload), NOW_MS + DAY_MS
    accept_first(envelope, pinned, late - 1)
    refusal(Refused, "trust-list-expired", accept_first, envelope, pinned, late)


# --- its form


def test_no_byte_of_a_signed_list_can_be_changed(space: Space) -> None:
    current = first(space)
    envelope = space.seal(following(space, current), "hongkong-1", "macao-1")
    data = envelope.SerializeToString()
    for place in range(0, len(data), 5):
        changed = bytearray(data)
        changed[place] ^= 1
        try:
            forged = Envelope.FromString(bytes(changed))
        except DecodeError:
            continue
        with pytest.raises(DataspaceError):
            accept_next(current, forged, NOW_MS)


def test_a_list_signed_out_of_form_is_malformed(space: Space) -> None:
    current = first(space)
    wire = following(space, current)
    for keyids in ((), ("hongkong-1", "hongkong-1", "macao-1")):
        envelope = space.seal(wire, *keyids)
        refusal(Malformed, "bad-envelope", accept_next, current, envelope, NOW_MS)
    with_chain = space.seal(wire, "hongkong-1", "macao-1")
    with_chain.signatures[0].chain.append(b"certificate")
    refusal(Malformed, "bad-envelope", accept_next, current, with_chain, NOW_MS)
    crowd = space.seal(wire, "hongkong-1", "macao-1")
    for place in range(15):
        crowd = cosign_trust_list(crowd, f"stranger-{place}", space.trust_keys["macao-2"])
    refusal(Malformed, "bad-envelope", accept_next, current, crowd, NOW_MS)


def test_another_kind_of_envelope_is_no_trust_list(space: Space) -> None:
    keys = [(k, space.trust_keys[k]) for k in ("hongkong-1", "macao-1")]
    envelope = seal_any(request(), keys)
    code = "wrong-payload-type"
    refusal(Malformed, code, accept_next, first(space), envelope, NOW_MS)
    refusal(Malformed, code, accept_first, envelope, sha256(envelope.payload), NOW_MS)


def test_an_unknown_field_in_a_list_is_malformed(space: Space) -> None:
    wire = following(space, first(space))
    keys = [(k, space.trust_keys[k]) for k in ("hongkong-1", "macao-1")]
    envelope = seal_any(wire, keys, b"\x2a\x03\xa8\x4b\x01")  # inside one more region
    refusal(Malformed, "unknown-field", accept_next, first(space), envelope, NOW_MS)


def test_sealing_needs_no_key_at_all_so_that_regions_sign_at_home(space: Space) -> None:
    envelope = seal_trust_list(space.list(), [])
    for keyid in ("macao-1", "guangzhou-1"):
        envelope = cosign_trust_list(envelope, keyid, space.trust_keys[keyid])
    assert accept_first(envelope, sha256(envelope.payload), NOW_MS).version == 1
