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
from dataspace.identity.algorithms import ALGORITHMS, generate
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import (
    TrustList,
    accept_chain,
    accept_first,
    accept_next,
    cosign_trust_list,
    seal_trust_list,
)
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope

from .world import DAY_MS, NOW_MS, Space, der, make_root, refusal, request, seal_any, sha256, spki

Change = Callable[[Space, trust_pb2.TrustList], None]


def first(space: Space) -> TrustList:
    return space.trust()


def following(space: Space, current: TrustList, version: int | None = None) -> trust_pb2.TrustList:
    """What comes after `current`, with nothing changed but what must change."""
    return space.list(
        version=version or current.version + 1,
        previous_sha256=current.payload_sha256,
        issued_at_ms=current.issued_at_ms + 1,
    )


def accept(space: Space, wire: trust_pb2.TrustList, *keyids: str) -> TrustList:
    return accept_next(first(space), space.seal(wire, *keyids), NOW_MS)


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


# --- the lists after it


def test_the_next_list_is_accepted_from_two_regions(space: Space) -> None:
    trust = accept(space, following(space, first(space)), "guangzhou-2", "macao-1")
    assert trust.version == 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_trust_keys_may_be_of_any_algorithm(space: Space, algorithm: str) -> None:
    keys = {f"{region}-1": generate(algorithm) for region in REGIONS}
    other = Space(space.roots, space.members, keys)
    current = first(other)
    assert accept_next(
        current, other.seal(following(other, current), "macao-1", "hongkong-1"), NOW_MS
    )


@pytest.mark.parametrize(
    "keyids", [("hongkong-1",), ("hongkong-1", "hongkong-2")], ids=["one", "two-of-one-region"]
)
def test_one_region_alone_makes_no_next_list(space: Space, keyids: tuple[str, ...]) -> None:
    wire = following(space, first(space))
    refusal(Unverified, "trust-list-quorum", accept, space, wire, *keyids)


def test_a_key_that_only_the_new_list_knows_does_not_count(space: Space) -> None:
    current, key = first(space), generate("ed25519")
    wire = following(space, current)
    wire.regions[2].trust_keys.append(trust_pb2.TrustKey(keyid="macao-9", public_key=spki(key)))
    envelope = cosign_trust_list(space.seal(wire, "hongkong-1"), "macao-9", key)
    refusal(Unverified, "trust-list-quorum", accept_next, current, envelope, NOW_MS)


def test_a_wrong_signature_under_a_known_id_refuses_the_list(space: Space) -> None:
    current = first(space)
    envelope = space.seal(following(space, current), "hongkong-1", "macao-1")
    forged = cosign_trust_list(envelope, "guangzhou-1", space.trust_keys["macao-1"])
    refusal(Unverified, "bad-signature", accept_next, current, forged, NOW_MS)


def test_an_older_or_equal_version_is_a_rollback(space: Space) -> None:
    current = first(space)
    second = accept(space, following(space, current), "hongkong-1", "macao-1")
    old = space.seal(space.list(), "hongkong-1", "macao-1")
    again = space.seal(following(space, current), "hongkong-1", "macao-1")
    for envelope in (old, again):
        refusal(Unverified, "trust-list-rollback", accept_next, second, envelope, NOW_MS)


def test_a_missing_version_is_refused_unless_it_is_handed_over(space: Space) -> None:
    current = first(space)
    between = space.seal(following(space, current), "hongkong-1", "macao-1")
    second = accept_next(current, between, NOW_MS)
    third = space.seal(following(space, second), "guangzhou-1", "hongkong-2")
    refusal(Unverified, "trust-list-gap", accept_next, current, third, NOW_MS)
    assert accept_next(current, third, NOW_MS, between=[between]).version == 3


def test_versions_passed_on_the_way_may_have_expired_but_not_the_last(space: Space) -> None:
    one = space.seal(space.list(), "hongkong-1", "macao-1")
    pinned, late = sha256(one.payload), NOW_MS + 2 * DAY_MS
    wire = following(space, first(space))
    wire.expires_at_ms = late + 1
    two = space.seal(wire, "hongkong-1", "macao-1")
    assert accept_chain([one, two], pinned, late).version == 2
    refusal(Refused, "trust-list-expired", accept_chain, [one, two], pinned, late + 1)
    refusal(Refused, "trust-list-expired", accept_chain, [one], pinned, late)
    refusal(Malformed, "bad-envelope", accept_chain, [], pinned, NOW_MS)


@pytest.mark.parametrize(
    "changes",
    [{"previous_sha256": bytes(32)}, {"space": "other"}, {"issued_at_ms": NOW_MS - 1001}],
    ids=["another-past", "another-space", "issued-before"],
)
def test_a_list_that_does_not_follow_is_unverified(space: Space, changes: dict[str, Any]) -> None:
    wire = following(space, first(space))
    for name, value in changes.items():
        setattr(wire, name, value)
    refusal(Unverified, "trust-list-history", accept, space, wire, "hongkong-1", "macao-1")


# --- what is a region's own


def _new_root(wire: trust_pb2.TrustList) -> None:
    wire.regions[2].root_certificates[0] = der(make_root("macao").certificate)


def _more_roots(wire: trust_pb2.TrustList) -> None:
    wire.regions[2].root_certificates.append(der(make_root("macao").certificate))


def _new_key(wire: trust_pb2.TrustList) -> None:
    wire.regions[2].trust_keys[1].public_key = spki(generate("ed25519"))


def _fewer_keys(wire: trust_pb2.TrustList) -> None:
    del wire.regions[2].trust_keys[0]


def _new_log_key(wire: trust_pb2.TrustList) -> None:
    wire.logs[2].vkey = "macao+other"


def _log_given_away(wire: trust_pb2.TrustList) -> None:
    wire.logs[2].owner = "hongkong"


def _region_gone(wire: trust_pb2.TrustList) -> None:
    del wire.regions[2], wire.logs[2]


def _profile(wire: trust_pb2.TrustList) -> None:
    wire.regions[2].profiles.add(profile="medico", role="clinician", assurance=3)


def _signers(wire: trust_pb2.TrustList) -> None:
    for region in REGIONS:
        signer = f"gba://{region}/h1/revocation/r-1"
        wire.revocation_signers.add(uri=signer, public_key=spki(generate("ed25519")))


def test_every_region_agrees_to_begin_with_revocation_lists(space: Space) -> None:
    wire = following(space, first(space))
    _signers(wire)
    refusal(Unverified, "trust-list-own-signature", accept, space, wire, "macao-1", "hongkong-1")
    every = ("guangzhou-1", "hongkong-1", "macao-2")
    assert len(accept(space, wire, *every).revocation_signers) == 3


@pytest.mark.parametrize(
    "change",
    [
        _new_root, _more_roots, _new_key, _fewer_keys, _new_log_key, _log_given_away, _region_gone,
        _profile,
    ],
)  # fmt: skip
def test_what_is_a_regions_own_changes_only_with_its_signature(
    space: Space, change: Callable[[trust_pb2.TrustList], None]
) -> None:
    wire = following(space, first(space))
    change(wire)
    both = ("guangzhou-1", "hongkong-1")
    error = refusal(Unverified, "trust-list-own-signature", accept, space, wire, *both)
    assert "macao" in error.message
    assert accept(space, wire, *both, "macao-2").version == 2
    if change is not _log_given_away:  # that one is hongkong's own too
        assert accept(space, wire, "guangzhou-1", "macao-2").version == 2


def test_two_regions_suspend_a_third_and_readmit_it_unchanged(space: Space) -> None:
    wire = following(space, first(space))
    wire.regions[2].suspended = True
    suspended = accept(space, wire, "guangzhou-1", "hongkong-1")
    assert suspended.is_suspended("macao")
    assert set(suspended.roots_by_region()) == {"guangzhou", "hongkong"}
    assert set(suspended.listed_roots()) == set(REGIONS)
    back = space.seal(following(space, suspended), "guangzhou-1", "hongkong-1")
    assert not accept_next(suspended, back, NOW_MS).is_suspended("macao")


def test_a_suspended_region_does_not_count_towards_two(space: Space) -> None:
    wire = following(space, first(space))
    wire.regions[2].suspended = True
    suspended = accept(space, wire, "guangzhou-1", "hongkong-1")
    back = space.seal(following(space, suspended), "macao-1", "hongkong-1")
    refusal(Unverified, "trust-list-quorum", accept_next, suspended, back, NOW_MS)


def test_a_suspended_region_changes_its_keys_with_two_others_and_its_own_signature(
    space: Space,
) -> None:
    wire = following(space, first(space))
    wire.regions[2].suspended = True
    suspended = accept(space, wire, "guangzhou-1", "hongkong-1")
    renewed = following(space, suspended)
    _new_key(renewed)
    both = ("guangzhou-1", "hongkong-1")
    without, with_own = space.seal(renewed, *both), space.seal(renewed, *both, "macao-1")
    refusal(Unverified, "trust-list-own-signature", accept_next, suspended, without, NOW_MS)
    assert accept_next(suspended, with_own, NOW_MS).version == 3


def test_a_region_that_is_not_listed_is_as_good_as_suspended(space: Space) -> None:
    wire = following(space, first(space))
    _region_gone(wire)
    trust = accept(space, wire, "guangzhou-1", "hongkong-1", "macao-1")
    assert trust.is_suspended("macao")


def test_sealing_needs_no_key_at_all_so_that_regions_sign_at_home(space: Space) -> None:
    envelope = seal_trust_list(space.list(), [])
    for keyid in ("macao-1", "guangzhou-1"):
        envelope = cosign_trust_list(envelope, keyid, space.trust_keys[keyid])
    assert accept_first(envelope, sha256(envelope.payload), NOW_MS).version == 1
