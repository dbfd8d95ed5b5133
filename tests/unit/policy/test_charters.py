"""Charters: who may change what all regions share, what they say, and what they leave to each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed, Unverified
from dataspace.identity.quorum import cosign
from dataspace.identity.trustlist import TrustList, accept_next
from dataspace.policy.charter import (
    Charter,
    Floors,
    columns_of,
    floors_of,
    load_governed,
    read_charter,
    wire_of,
    with_shared,
)
from dataspace.policy.charter_chain import (
    accept_all,
    accept_charter,
    check_current,
    check_restores,
    signers_of,
)
from dataspace.policy.charter_changes import Draft, changes, following, trust_change
from dataspace.policy.faults import PolicyFault
from dataspace.query.product import Offer
from dataspace.v1 import charter_pb2
from tests.unit.identity.world import NOW_MS, refusal, seal_any

from .chartered import FILES, TWO, Regions, make_regions
from .samples import POLICIES, forbid

OFFER = Offer.model_validate(
    {
        "product": "trial",
        "title": {"en": "Trial"},
        "columns": {
            "age": {"type": "integer", "role": "measure", "bounds": [0, 120]},
            "sex": {"type": "varchar", "role": "dimension", "levels": ["F", "M"]},
        },
    }
)


@pytest.fixture(scope="module")
def regions() -> Regions:
    return make_regions()


def accepted(regions: Regions, length: int) -> Charter:
    return accept_all(regions.chain(length), [regions.trust])[-1]


# --- who decides


def test_a_chain_of_charters_that_two_regions_signed_is_followed(regions: Regions) -> None:
    envelopes = regions.chain(4)
    charters = accept_all(envelopes, [regions.trust])
    assert [each.version for each in charters] == [1, 2, 3, 4]
    assert charters[1].previous_sha256 == charters[0].sha256
    assert signers_of(envelopes[0], charters[0], [regions.trust]) == {"guangzhou", "hongkong"}


@pytest.mark.parametrize(
    "keyids", [("macao-1",), ("macao-1", "macao-2")], ids=["one region", "one region twice"]
)
def test_one_region_changes_nothing_however_often_it_signs(
    regions: Regions, keyids: tuple[str, ...]
) -> None:
    first = accepted(regions, 1)
    envelope = regions.seal(regions.next(first), *keyids)
    refusal(Unverified, "charter-quorum", accept_charter, first, envelope, [regions.trust])


def test_the_same_signature_twice_is_no_envelope(regions: Regions) -> None:
    first = accepted(regions, 1)
    envelope = regions.seal(regions.next(first), "macao-1", "macao-1")
    refusal(Malformed, "bad-envelope", accept_charter, first, envelope, [regions.trust])


def test_a_suspended_regions_signature_does_not_count(regions: Regions) -> None:
    wire = regions.space.list(
        version=2, previous_sha256=regions.trust.payload_sha256, issued_at_ms=NOW_MS
    )
    wire.regions[0].suspended = True  # guangzhou
    without = accept_next(regions.trust, regions.space.seal(wire, "hongkong-1", "macao-1"), NOW_MS)
    first, lists = accepted(regions, 1), [regions.trust, without]
    following_wire = regions.next(
        first, authority_sha256=without.payload_sha256, trust_list_sha256=without.payload_sha256
    )
    refusal(
        Unverified, "charter-quorum", accept_charter, first,
        regions.seal(following_wire, *TWO), lists,
    )  # fmt: skip
    both = regions.seal(following_wire, "hongkong-1", "macao-1")
    assert accept_charter(first, both, lists).version == 2


def test_a_key_that_left_the_trust_list_signs_nothing_new(regions: Regions) -> None:
    later = _next_list(regions)
    lists = [regions.trust, later]
    first = accepted(regions, 1)
    old = accept_charter(first, regions.seal(regions.next(first), *TWO), lists)
    refusal(Unverified, "charter-authority", check_current, old, later)
    check_current(old, regions.trust)


def test_a_charter_never_goes_back_to_an_earlier_trust_list(regions: Regions) -> None:
    later = _next_list(regions)
    lists, first = [regions.trust, later], accepted(regions, 1)
    digest = later.payload_sha256
    bringing = accept_charter(
        first, regions.seal(regions.next(first, trust_list_sha256=digest), *TWO), lists
    )
    assert bringing.brings_trust_list
    check_current(bringing, later)
    back = regions.seal(regions.next(bringing), *TWO)
    refusal(Unverified, "charter-authority", accept_charter, bringing, back, lists)


Change = Callable[[charter_pb2.Charter], object]

REFUSED: list[tuple[str, Change]] = [
    ("charter-rollback", lambda wire: setattr(wire, "version", 2)),
    ("charter-gap", lambda wire: setattr(wire, "version", 4)),
    ("charter-history", lambda wire: setattr(wire, "previous_sha256", bytes(32))),
    ("charter-history", lambda wire: setattr(wire, "space", "another")),
    ("charter-authority", lambda wire: setattr(wire, "authority_sha256", bytes(32))),
    ("charter-authority", lambda wire: setattr(wire, "trust_list_sha256", bytes(32))),
    ("bad-charter", lambda wire: setattr(wire, "space", "")),
    ("bad-charter", lambda wire: setattr(wire, "version", 0)),
    ("bad-charter", lambda wire: setattr(wire, "previous_sha256", b"short")),
    ("bad-charter", lambda wire: setattr(wire, "restores", 3)),
    ("bad-charter", lambda wire: setattr(wire, "reason", "x" * 501)),
    ("bad-charter", lambda wire: setattr(wire.files[0], "name", "macao.cedar")),
    ("bad-charter", lambda wire: wire.files.add(name="space.cedar", content=b"")),
    ("bad-charter", lambda wire: wire.ClearField("files")),
    ("bad-charter", lambda wire: wire.ClearField("floors")),
    ("bad-charter", lambda wire: setattr(wire.floors, "min_subjects", 4)),
    ("bad-charter", lambda wire: setattr(wire.floors, "round_to", 11)),
    ("bad-charter", lambda wire: wire.products.add(product="trial", schema_json=b"{}")),
    (
        "bad-charter",
        lambda wire: wire.products.add(product="other", schema_json=OFFER.shape_json()),
    ),
    (
        "bad-charter",
        lambda wire: wire.products.add(
            product="trial", schema_json=OFFER.shape_json().replace(b",", b", ", 1)
        ),
    ),
]


@pytest.mark.parametrize(("code", "change"), REFUSED)
def test_what_does_not_follow_or_is_not_sound_is_refused(
    regions: Regions, code: str, change: Change
) -> None:
    second = accepted(regions, 2)
    wire = regions.next(second)
    change(wire)
    keys = [(each, regions.space.trust_keys[each]) for each in TWO]
    refusal(Unverified, code, accept_charter, second, seal_any(wire, keys), [regions.trust])


def test_a_field_that_nobody_knows_is_refused(regions: Regions) -> None:
    first = accepted(regions, 1)
    keys = [(each, regions.space.trust_keys[each]) for each in TWO]
    more = seal_any(regions.next(first), keys, b"\xf8\x07\x01")
    refusal(Malformed, "unknown-field", accept_charter, first, more, [regions.trust])


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_charter_with_any_bit_changed_is_refused(place: int, bit: int) -> None:
    payload = bytearray(REGIONS.first.payload)
    payload[place % len(payload)] ^= 1 << bit
    envelope = type(REGIONS.first)()
    envelope.CopyFrom(REGIONS.first)
    envelope.payload = bytes(payload)
    with pytest.raises((Malformed, Unverified)):
        accept_charter(None, envelope, [REGIONS.trust])


REGIONS = make_regions()


def test_a_first_charter_is_version_one(regions: Regions) -> None:
    second = regions.chain(2)[1]
    refusal(Unverified, "charter-gap", accept_charter, None, second, [regions.trust])


def test_one_that_says_it_goes_back_holds_what_was_then(regions: Regions) -> None:
    first = accepted(regions, 1)
    second_wire = regions.next(first, space_rules=FILES["space.cedar"] + b"// more\n")
    second = accept_charter(first, regions.seal(second_wire, *TWO), [regions.trust])
    back = following(second, Draft(restores=first), first.authority_sha256, "back", NOW_MS)
    third = accept_charter(second, regions.seal(back, *TWO), [regions.trust])
    check_restores(third, [first, second])
    assert (third.restores, dict(third.files)) == (1, dict(first.files))
    back.files[1].content = b"// something else\n"
    other = accept_charter(second, regions.seal(back, *TWO), [regions.trust])
    refusal(Unverified, "charter-restores", check_restores, other, [first, second])


# --- what they say


def test_a_charter_reads_back_as_it_was_written(regions: Regions) -> None:
    charter = accepted(regions, 2)
    assert read_charter(regions.seal(wire_of(charter), *TWO)) == charter


def test_a_draft_changes_what_it_names_and_nothing_else(regions: Regions) -> None:
    first = accepted(regions, 1)
    draft = Draft(products={"trial": OFFER.shape_json()}, floors=Floors(12, 5))
    wire = following(first, draft, first.authority_sha256, "trial", NOW_MS)
    second = accept_charter(first, regions.seal(wire, *TWO), [regions.trust])
    assert dict(second.files) == dict(first.files)
    found = {each.what: each for each in changes(first, second)}
    assert set(found) == {"product", "floors"}
    assert "+age: integer, measure, bounds [0.0, 120.0]" in found["product"].lines
    assert '+sex: varchar, dimension, levels ["F", "M"]' in found["product"].lines
    assert "+min_subjects: 12" in found["floors"].lines
    same = OFFER.shape_json()
    assert [each.what for each in changes(first, second, {"trial": same})] == ["floors"]


@pytest.mark.parametrize("draft", [Draft(), Draft(files=FILES), Draft(floors=Floors())])
def test_a_proposal_that_changes_nothing_is_refused(regions: Regions, draft: Draft) -> None:
    first = accepted(regions, 1)
    refusal(Malformed, "charter-same", following, first, draft, first.authority_sha256, "x", 1)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_proposal_says_why(regions: Regions, reason: str) -> None:
    first = accepted(regions, 1)
    draft = Draft(floors=Floors(12, 5))
    refusal(Malformed, "charter-reason", following, first, draft, first.authority_sha256, reason, 1)


def test_a_trust_lists_difference_names_each_field(regions: Regions) -> None:
    lines = trust_change(regions.trust, _next_list(regions)).lines
    assert "-guangzhou: in force" in lines
    assert "+guangzhou: suspended" in lines


@pytest.mark.parametrize(
    "values", [{"min_subject": 6}, {"min_subjects": 4}, {"min_subjects": True}, {"round_to": 0.5},
               {"round_to": 0}, {"min_subjects": "11"}, {"min_subjects": 5, "round_to": 11}],
)  # fmt: skip
def test_floors_of_another_form_are_refused(values: dict[str, Any]) -> None:
    refusal(Malformed, "charter-floors", floors_of, values)


def test_a_schema_reads_back() -> None:
    name, columns = columns_of(OFFER.shape_json())
    assert name == "trial"
    assert columns["sex"].levels == ("F", "M")


# --- what they leave to each region


def own(**more: bytes) -> dict[str, bytes]:
    files = {path.name: path.read_bytes() for path in POLICIES.glob("*.cedar*")}
    return {**files, **{name.replace("_", "."): content for name, content in more.items()}}


def test_a_region_adds_rules_that_forbid(regions: Regions) -> None:
    charter = accepted(regions, 1)
    policies = load_governed(own(extra_cedar=forbid("closed", "true").encode()), charter)
    assert "closed" in policies.rules


def test_a_region_permits_nothing_of_its_own(regions: Regions) -> None:
    permit = forbid("open", "true").replace("forbid (", "permit (").encode()
    with pytest.raises(PolicyFault) as caught:
        load_governed(own(extra_cedar=permit), accepted(regions, 1))
    assert (caught.value.source, caught.value.rule) == ("extra.cedar", "open")
    assert "gba govern propose" in caught.value.message


@pytest.mark.parametrize("name", ["schema.cedarschema", "space.cedar"])
def test_a_shared_file_that_differs_or_is_gone_is_refused_by_name(
    regions: Regions, name: str
) -> None:
    charter = accepted(regions, 1)
    for files in (
        own() | {name: FILES[name] + b"\n"},
        {k: v for k, v in own().items() if k != name},
    ):
        with pytest.raises(PolicyFault) as caught:
            load_governed(files, charter)
        assert caught.value.source == name
        assert "charter 1" in caught.value.message
        assert load_governed(with_shared(files, charter), charter).rules


def test_offers_fit_a_charters_schemas_and_floors(regions: Regions) -> None:
    first = accepted(regions, 1)
    first.check_offer(OFFER)  # a new product needs no proposal
    wire = regions.next(first, floors=charter_pb2.CharterFloors(min_subjects=11, round_to=5))
    wire.products.add(product="trial", schema_json=OFFER.shape_json())
    second = accept_charter(first, regions.seal(wire, *TWO), [regions.trust])
    second.check_offer(OFFER)
    columns = {**OFFER.columns, "age": OFFER.columns["age"].model_copy(update={"bounds": None})}
    refusal(
        Malformed, "product-schema", second.check_offer,
        OFFER.model_copy(update={"columns": columns}),
    )  # fmt: skip
    lower = OFFER.disclosure.model_copy(update={"min_subjects": 10})
    refusal(
        Malformed, "product-floor", second.check_offer,
        OFFER.model_copy(update={"disclosure": lower}),
    )  # fmt: skip
    unrounded = OFFER.disclosure.model_copy(update={"round_to": 1})
    refusal(
        Malformed, "product-floor", second.check_offer,
        OFFER.model_copy(update={"disclosure": unrounded}),
    )  # fmt: skip


def test_a_signature_more_changes_no_digest(regions: Regions) -> None:
    envelope = regions.first
    more = cosign(envelope, "macao-1", regions.space.trust_keys["macao-1"])
    assert read_charter(more).sha256 == read_charter(envelope).sha256


def _next_list(regions: Regions) -> TrustList:
    wire = regions.space.list(
        version=2, previous_sha256=regions.trust.payload_sha256, issued_at_ms=NOW_MS
    )
    wire.regions[0].suspended = True
    return accept_next(regions.trust, regions.space.seal(wire, "hongkong-1", "macao-1"), NOW_MS)
