"""A region's own word for a profession, and the role that the space knows it as."""

from __future__ import annotations

import pytest

from dataspace.errors import Refused, Unverified
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.v1.query_pb2 import QueryRequest

from .world import NOW, Space, asked, make_signing, refusal, request

PROFILES = {"hongkong": "registered-doctor", "guangzhou": "licensed-physician", "macao": "medico"}


def mapping(space: Space, **assurances: int) -> TrustList:
    wire = space.list()
    for region in wire.regions:
        if region.region in assurances:
            region.profiles.add(
                profile=PROFILES[region.region],
                role="clinician",
                assurance=assurances[region.region],
            )
    return space.trust(wire)


@pytest.mark.parametrize("region", REGIONS)
def test_each_regions_own_word_for_a_doctor_is_a_clinician_here(space: Space, region: str) -> None:
    trust = mapping(space, hongkong=3, guangzhou=2, macao=1)
    uri = f"gba://{region}/h1/clinician/d-1"
    doctor = make_signing(space.members[region], uri, profile=PROFILES[region])
    opened = open_envelope(seal(request(), doctor), QueryRequest, trust, NOW)
    expected = {"hongkong": 3, "guangzhou": 2, "macao": 1}[region]
    assert (opened.signer.profile, opened.signer.assurance) == (PROFILES[region], expected)


@pytest.mark.parametrize(
    ("uri", "profile"),
    [
        ("gba://hongkong/h1/clinician/d-1", ""),
        ("gba://hongkong/h1/clinician/d-1", "medico"),
        ("gba://hongkong/h1/regulator/d-1", "registered-doctor"),
        ("gba://macao/h1/clinician/d-1", "medico"),
    ],
    ids=["no profile", "another region's word", "another role", "a region that maps none"],
)
def test_a_role_that_the_region_does_not_vouch_for_is_refused(
    space: Space, uri: str, profile: str
) -> None:
    trust = mapping(space, hongkong=3, guangzhou=2)
    actor = make_signing(space.members[ActorUri.parse(uri).region], uri, profile=profile)
    refusal(Refused, "role-unrecognised", asked, actor, trust)


def test_services_need_no_profile_and_a_space_without_profiles_takes_every_role(
    space: Space,
) -> None:
    asked(space.actor("gba://macao/h1/node/n-1"), mapping(space, hongkong=3))
    opened = open_envelope(seal(request(), space.actor()), QueryRequest, space.trust(), NOW)
    assert opened.signer.assurance == 1


@pytest.mark.parametrize(
    ("role", "assurance"), [("node", 1), ("clinician", 0), ("clinician", 4)], ids=str
)
def test_a_profile_maps_to_a_person_and_a_level_of_three(
    space: Space, role: str, assurance: int
) -> None:
    wire = space.list()
    wire.regions[0].profiles.add(profile="x", role=role, assurance=assurance)
    refusal(Unverified, "bad-trust-list", space.trust, wire)
