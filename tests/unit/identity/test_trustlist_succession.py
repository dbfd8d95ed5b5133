"""Which list follows which, and what of it is for a region alone to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dataspace.errors import Malformed, Refused, Unverified
from dataspace.identity.algorithms import ALGORITHMS, generate
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import accept_chain, accept_next, cosign_trust_list
from dataspace.v1 import trust_pb2

from .succession import accept, first, following
from .world import DAY_MS, NOW_MS, Space, der, make_root, refusal, sha256, spki


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
