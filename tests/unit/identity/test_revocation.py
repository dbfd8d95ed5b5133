"""Revocation lists: who may sign them, which is in force, whom they stop, when they are stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import DataspaceError, Refused, Unverified
from dataspace.identity.certificates import issue_signing
from dataspace.identity.envelopes import SigningIdentity, check_signer, seal
from dataspace.identity.names import REGIONS
from dataspace.identity.revocation import (
    accept_list,
    carry_lists,
    open_revocation_list,
    seal_revocation_list,
)
from dataspace.identity.revoked import PERIOD_MS, REASONS, SKEW_MS, STALE_MS, CertificateId, Revoked
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationList

from .world import (
    BEGIN,
    END,
    NOW,
    NOW_MS,
    Space,
    asked,
    der,
    make_member,
    make_signing,
    refusal,
    request,
    sha256,
    spki,
)

Signers = dict[str, SigningIdentity]


@pytest.fixture(scope="module")
def signers(space: Space) -> Signers:
    return {
        region: make_signing(space.members[region], f"gba://{region}/h1/revocation/r-1")
        for region in REGIONS
    }


def naming(space: Space, signers: Signers, **changes: Any) -> trust_pb2.TrustList:
    wire = space.list(**changes)
    for signer in signers.values():
        wire.revocation_signers.add(uri=str(signer.uri), public_key=spki(signer.private_key))
    return wire


@pytest.fixture(scope="module")
def bare(space: Space, signers: Signers) -> TrustList:
    """A trust list that names signers, before any of them has signed."""
    return space.trust(naming(space, signers))


def revoked(certificate_der: bytes, reason: str = "key-compromise") -> Revoked:
    certificate = x509.load_der_x509_certificate(certificate_der)
    return Revoked(CertificateId.of(certificate), NOW_MS - 1, reason)


def with_lists(
    trust: TrustList, signers: Signers, *certificates: bytes, region: str = "hongkong"
) -> TrustList:
    """The trust list with a list of each region, of which one names certificates."""
    for name, signer in signers.items():
        named = [revoked(each) for each in certificates] if name == region else []
        trust = accept_list(trust, seal_revocation_list(signer, "test", 1, NOW_MS, named), NOW_MS)
    return trust


# --- whom a list stops


def test_a_holder_whom_no_list_names_passes(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    asked(space.actor(), with_lists(bare, signers, space.actor().chain_der[0]))


@pytest.mark.parametrize("place", [0, 1], ids=["leaf", "authority"])
def test_a_revoked_certificate_stops_its_holder(
    space: Space, signers: Signers, bare: TrustList, place: int
) -> None:
    ana = space.actor()
    trust = with_lists(bare, signers, ana.chain_der[place])
    refusal(Refused, "identity-revoked", asked, ana, trust)
    refusal(Refused, "identity-revoked", check_signer, seal(request(), ana), trust, NOW)


def test_a_revoked_key_does_not_come_back_under_a_new_certificate(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    ana = space.actor()
    authority = space.members["hongkong"]
    again = issue_signing(
        ana.uri, ana.private_key.public_key(), authority.certificate, authority.key,  # type: ignore[arg-type]  # P-256
        not_before=BEGIN, not_after=END, serial=9_999_999,
    )  # fmt: skip
    renewed = replace(ana, chain_der=(der(again), ana.chain_der[1]))
    asked(renewed, with_lists(bare, signers))
    refusal(
        Refused, "identity-revoked", asked, renewed, with_lists(bare, signers, ana.chain_der[0])
    )


def test_a_certificate_is_found_by_its_issuer_and_serial_number_alone(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    ana = space.actor()
    named = replace(revoked(ana.chain_der[0]))
    other_key = Revoked(replace(named.certificate, spki_sha256=bytes(32)), NOW_MS, "superseded")
    envelope = seal_revocation_list(signers["hongkong"], "test", 1, NOW_MS, [other_key])
    refusal(Refused, "identity-revoked", asked, ana, accept_list(bare, envelope, NOW_MS))


def test_a_region_revokes_nobody_of_another_region(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    ana = space.actor()
    asked(ana, with_lists(bare, signers, *ana.chain_der, region="macao"))


# --- when there is no list to look in


def test_without_a_list_of_its_region_nobody_passes(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    refusal(Refused, "revocation-stale", asked, space.actor(), bare)
    one = seal_revocation_list(signers["macao"], "test", 1, NOW_MS, [])
    trust = accept_list(bare, one, NOW_MS)
    asked(space.actor("gba://macao/h1/researcher/bo"), trust)
    refusal(Refused, "revocation-stale", asked, space.actor(), trust)


def test_a_list_answers_for_ten_minutes_and_no_longer(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    trust = with_lists(bare, signers)
    asked(space.actor(), trust, NOW + timedelta(milliseconds=STALE_MS))
    late = NOW + timedelta(milliseconds=STALE_MS + 1)
    refusal(Refused, "revocation-stale", asked, space.actor(), trust, late)
    early = NOW - timedelta(milliseconds=SKEW_MS + 1)
    refusal(Refused, "revocation-stale", asked, space.actor(), trust, early)


def test_two_lists_in_a_row_may_fail_to_come_before_the_region_stops() -> None:
    assert STALE_MS == 2 * PERIOD_MS


def test_a_space_whose_trust_list_names_no_signers_needs_no_lists(space: Space) -> None:
    asked(space.actor(), space.trust())


def test_what_is_kept_needs_no_current_list_but_is_refused_once_revoked(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    ana = space.actor()
    asked(ana, bare.for_kept())
    trust = with_lists(bare, signers, ana.chain_der[0]).for_kept()
    refusal(Refused, "identity-revoked", asked, ana, trust)


# --- whose lists count


def lists_refused(
    space: Space, signers: Signers
) -> dict[str, tuple[Envelope, type[DataspaceError], str]]:
    hongkong, macao = signers["hongkong"], signers["macao"]
    other_key = make_signing(space.members["hongkong"], str(hongkong.uri))
    unlisted = make_signing(space.members["hongkong"], "gba://hongkong/h1/revocation/r-2")
    elsewhere = make_member(space.roots["hongkong"], "hongkong", "h2")
    operator = make_signing(space.members["hongkong"], "gba://hongkong/h1/operator/op")
    lists = {
        "a signer's name with another key": seal_revocation_list(other_key, "test", 2, NOW_MS, []),
        "a signer that is not named": seal_revocation_list(unlisted, "test", 2, NOW_MS, []),
        "another member's signer": seal_revocation_list(
            make_signing(elsewhere, "gba://hongkong/h2/revocation/r-1"), "test", 2, NOW_MS, []
        ),
        "an operator": seal_revocation_list(operator, "test", 2, NOW_MS, []),
        "another space": seal_revocation_list(hongkong, "other", 2, NOW_MS, []),
        "another region": seal(
            RevocationList(space="test", region="hongkong", number=2, issued_at_ms=NOW_MS), macao
        ),
    }
    return {
        **{name: (each, Unverified, "revocation-signer") for name, each in lists.items()},
        "an operator": (lists["an operator"], Refused, "revocation-stale"),
        "a signer that is not named": (
            lists["a signer that is not named"], Refused, "revocation-stale",
        ),
        "another member's signer": (lists["another member's signer"], Refused, "revocation-stale"),
    }  # fmt: skip


def test_only_the_signer_that_the_trust_list_names_speaks_for_its_region(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    for name, (envelope, kind, code) in lists_refused(space, signers).items():
        with pytest.raises(kind) as caught:
            accept_list(bare, envelope, NOW_MS)
        assert caught.value.code == code, name
    current = with_lists(bare, signers)
    for name, (envelope, _, _) in lists_refused(space, signers).items():
        with pytest.raises(Unverified) as caught_now:
            accept_list(current, envelope, NOW_MS)
        assert caught_now.value.code == "revocation-signer", name


def test_a_signer_is_stopped_by_its_own_regions_list(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    hongkong = signers["hongkong"]
    trust = with_lists(bare, signers, hongkong.chain_der[0])
    following = seal_revocation_list(hongkong, "test", 2, NOW_MS, [])
    refusal(Refused, "identity-revoked", accept_list, trust, following, NOW_MS)


def test_a_lower_number_is_refused_and_a_second_list_of_one_number(
    signers: Signers, bare: TrustList
) -> None:
    hongkong = signers["hongkong"]
    two = seal_revocation_list(hongkong, "test", 2, NOW_MS, [])
    trust = accept_list(bare, two, NOW_MS)
    assert accept_list(trust, two, NOW_MS) is trust
    one = seal_revocation_list(hongkong, "test", 1, NOW_MS + 1, [])
    refusal(Unverified, "revocation-rollback", accept_list, trust, one, NOW_MS)
    other = seal_revocation_list(hongkong, "test", 2, NOW_MS + 1, [])
    refusal(Unverified, "revocation-fork", accept_list, trust, other, NOW_MS)
    assert trust.revocations.lists["hongkong"].number == 2
    gap = seal_revocation_list(hongkong, "test", 9, NOW_MS, [])
    assert accept_list(trust, gap, NOW_MS).revocations.lists["hongkong"].number == 9


def test_a_list_from_the_future_is_not_taken(signers: Signers, bare: TrustList) -> None:
    late = seal_revocation_list(signers["hongkong"], "test", 1, NOW_MS + SKEW_MS + 1, [])
    refusal(Unverified, "revocation-future", accept_list, bare, late, NOW_MS)


def test_a_newer_trust_list_keeps_the_lists_of_the_signers_that_it_still_names(
    space: Space, signers: Signers, bare: TrustList
) -> None:
    earlier = with_lists(bare, signers).revocations
    assert carry_lists(bare, earlier, NOW_MS).revocations.lists == earlier.lists
    fresh = make_signing(space.members["macao"], "gba://macao/h1/revocation/r-2")
    changed = space.trust(naming(space, {**signers, "macao": fresh}))
    assert set(carry_lists(changed, earlier, NOW_MS).revocations.lists) == {"guangzhou", "hongkong"}


# --- what a list says


ids = st.builds(
    CertificateId,
    issuer=st.binary(min_size=1, max_size=40),
    serial=st.integers(1, 2**159 - 1),
    spki_sha256=st.binary(min_size=32, max_size=32),
)
entries = st.builds(Revoked, ids, st.integers(1, 2**62), st.sampled_from(REASONS))


@settings(max_examples=30, deadline=None)
@given(named=st.lists(entries, max_size=8, unique_by=lambda each: (
    each.certificate.issuer, each.certificate.serial)))  # fmt: skip
def test_what_a_list_says_reads_back(
    signers: Signers, bare: TrustList, named: list[Revoked]
) -> None:
    envelope = seal_revocation_list(signers["macao"], "test", 7, NOW_MS, named)
    read = open_revocation_list(envelope, bare, NOW)
    assert (read.region, read.number, read.issued_at_ms) == ("macao", 7, NOW_MS)
    assert sorted(read.revoked, key=str) == sorted(named, key=str)
    assert read.payload_sha256 == sha256(envelope.payload)
    assert all(read.names(each.certificate) for each in named)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"issued_at_ms": 0},
        {"entry": {"issuer": b""}},
        {"entry": {"serial": b""}},
        {"entry": {"serial": b"\0\5"}},
        {"entry": {"spki_sha256": bytes(31)}},
        {"entry": {"reason": "certificate-hold"}},
        {"entry": {"revoked_at_ms": 0}},
        {"twice": True},
        {"unordered": True},
    ],
    ids=str,
)
def test_a_list_that_contradicts_itself_is_refused(
    signers: Signers, bare: TrustList, change: dict[str, Any]
) -> None:
    wire = RevocationList(space="test", region="macao", number=1, issued_at_ms=NOW_MS)
    entry: dict[str, Any] = {
        "issuer": b"i", "serial": b"\5", "spki_sha256": bytes(32), "revoked_at_ms": 1,
        "reason": "superseded",
    }  # fmt: skip
    wire.revoked.add(**{**entry, **change.get("entry", {})})
    if "twice" in change:
        wire.revoked.add(**entry)
    if "unordered" in change:
        wire.revoked.add(**{**entry, "serial": b"\4"})
    for name in ("number", "issued_at_ms"):
        if name in change:
            setattr(wire, name, change[name])
    envelope = seal(wire, signers["macao"])
    refusal(Unverified, "bad-revocation-list", accept_list, bare, envelope, NOW_MS)


# --- what a trust list says of signers and profiles


def test_a_trust_list_names_signers_for_every_region_or_for_none(
    space: Space, signers: Signers
) -> None:
    two = {name: each for name, each in signers.items() if name != "macao"}
    refusal(Unverified, "bad-trust-list", space.trust, naming(space, two))


def test_a_key_that_revokes_does_nothing_else(space: Space, signers: Signers) -> None:
    wire = naming(space, signers)
    wire.revocation_signers[1].public_key = wire.revocation_signers[0].public_key
    refusal(Unverified, "bad-trust-list", space.trust, wire)
    wire = naming(space, signers)
    wire.revocation_signers[0].public_key = spki(space.trust_keys["macao-1"])
    refusal(Unverified, "bad-trust-list", space.trust, wire)
    wire = naming(space, signers)
    wire.revocation_signers[0].uri = "gba://guangzhou/h1/operator/op"
    refusal(Unverified, "bad-trust-list", space.trust, wire)
