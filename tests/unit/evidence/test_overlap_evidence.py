"""Evidence of a question across regions: it holds, from the broker's and the nodes' own parts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataspace.audit.cosigned_store import CosignedStore
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.evidence.archive import Archive
from dataspace.evidence.parts import Keeper
from dataspace.identity.names import ActorUri
from dataspace.query.product import catalogue_digest
from dataspace.v1 import evidence_pb2
from tests.unit.evidence.overlap_world import REGIONS, UNION, Telling, linked, release_across
from tests.unit.evidence.witnesses import cosign
from tests.unit.evidence.world import SEEN_MS, Case, World, make_world, verify

ANA = ActorUri("hongkong", "h1", "researcher", "ana")
ALL = ("guangzhou", "hongkong", "macao")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield linked(make_world(tmp_path_factory.mktemp("world")))


def held(case: Case) -> dict[str, str]:
    """The words of each step of what holds."""
    report = verify(case.file(), case.world)
    assert report.failed is None, report.failed
    return {step.name: step.words for step in report.steps}


def test_a_release_across_regions_is_proved_and_its_labels_stay_sealed(world: World) -> None:
    case = release_across(world)
    words = held(case)
    assert "blind" in words["round"]
    assert "commitment before its answer" in words["round"]
    assert "sealed to who asked" in words["combination"]
    # Sizes before any threshold are in nobody's file.
    assert b"4711" not in case.file()


def test_a_union_over_three_regions_is_proved(world: World) -> None:
    words = held(release_across(world, sql=UNION, regions=ALL, union=True))
    assert "1 cells" in words["combination"]


def test_a_second_attempt_is_proved_as_one(world: World) -> None:
    held(release_across(world, Telling(attempt=1)))


def test_a_round_that_a_region_refused_is_proved_with_its_refusal(world: World) -> None:
    words = held(release_across(world, Telling(refusing="macao")))
    assert "macao refused" in words["answers"]
    assert "0 cells" in words["combination"]


def test_a_plain_question_has_no_round(tmp_path: Path) -> None:
    from tests.unit.evidence.world import release

    words = held(release(make_world(tmp_path)))
    assert "no round" in words["round"]


# --- what log owners hand over ---------------------------------------------------------------


def keeper(case: Case, owner: str, folder: Path) -> Keeper:
    world = case.world
    archive = Archive(folder / f"{owner}-archive")
    archive.keep_policies(world.policies)
    catalogues = []
    for region in REGIONS:
        digest = catalogue_digest({"trial": world.offers[region].payload})
        archive.keep_catalogue(digest.hex(), region, [world.offers[region]])
        catalogues.append(digest)
    recorder, store = world.parties[owner].recorder, CosignedStore(folder / owner)
    others = [each for each in ALL if each != owner][:2]
    store.keep(cosign(recorder.log.checkpoint_text, others, SEEN_MS), SEEN_MS)
    if owner == "broker":
        kept = evidence_pb2.KeptRelease(
            request=case.request, release=case.bundle, catalogues_sha256=catalogues,
            forwarded_index=case.bundle.receipt.index - 2,
        )  # fmt: skip
        archive.keep_release(kept)
    return Keeper(owner, recorder.log, store.covering, recorder.bodies.opening, archive)


def asked(case: Case) -> evidence_pb2.EvidenceRequest:
    request = evidence_pb2.EvidenceRequest(
        release_sha256=hashlib.sha256(case.bundle.release.payload).digest()
    )
    for region, answer in zip(REGIONS, case.bundle.answers, strict=True):
        request.places.add(owner=region, index=answer.receipt.index)
    return request


def test_the_parts_of_all_owners_make_the_evidence_that_holds(world: World, tmp_path: Path) -> None:
    case = release_across(world)
    parts = {
        owner: keeper(case, owner, tmp_path).part(asked(case), ANA)
        for owner in ("broker", *REGIONS)
    }
    assert [len(part.records) for part in parts.values()] == [3, 2, 2]
    handed = Case(world, case.request, case.bundle, parts)
    assert handed.file() == case.file()
    held(handed)


@pytest.mark.parametrize("owner", ["broker", "macao"])
def test_an_entry_with_sizes_is_handed_to_nobody(world: World, owner: str, tmp_path: Path) -> None:
    def change(_: str, kind: str, fields: dict[str, object]) -> None:
        if kind in {"overlap.committed", "overlap.matched"}:
            fields["tuples"] = 4711

    case = release_across(world, Telling(change))
    with pytest.raises(Unavailable) as caught:
        keeper(case, owner, tmp_path).part(asked(case), ANA)
    assert caught.value.code == "round-entry"


@pytest.mark.parametrize("place", [0, 1])
def test_an_answer_that_names_another_entry_hands_nothing_over(
    world: World, place: int, tmp_path: Path
) -> None:
    """Nor does a wrong place open a way to other entries of the log."""

    def change(owner: str, kind: str, fields: dict[str, object]) -> None:
        if (owner, kind) == ("macao", "overlap.released"):
            fields["committed"] = place

    case = release_across(world, Telling(change))
    with pytest.raises(Unavailable) as caught:
        keeper(case, "macao", tmp_path).part(asked(case), ANA)
    assert caught.value.code == "round-entry"


def test_what_is_beside_a_commitment_is_not_handed_over_by_asking_for_it(
    world: World, tmp_path: Path
) -> None:
    case = release_across(world)
    request = asked(case)
    del request.places[:]
    request.places.add(owner="macao", index=case.bundle.answers[1].receipt.index - 1)
    with pytest.raises(Malformed):
        keeper(case, "macao", tmp_path).part(request, ActorUri("macao", "h1", "regulator", "r"))


@pytest.mark.parametrize(
    ("asker", "gets"),
    [
        ("macao/h1/regulator/r", True),
        ("hongkong/h1/regulator/r", False),
        ("hongkong/h1/researcher/ana", False),
    ],
)
def test_the_set_that_decided_a_check_goes_to_the_own_regions_regulator_alone(
    world: World, asker: str, *, gets: bool, tmp_path: Path
) -> None:
    fields = {"actor_region": "hongkong", "policy_sha256": world.policies.sha256}
    recorder = world.parties["macao"].recorder
    receipt = recorder.record("existence.read", 1_000, fields, {"actor": f"gba://{ANA}"})
    request = evidence_pb2.EvidenceRequest()
    request.places.add(owner="macao", index=receipt.index)
    case = release_across(world)
    keeping = keeper(case, "macao", tmp_path)
    try:
        part = keeping.part(request, ActorUri.parse(f"gba://{asker}"))
    except DataspaceError:
        assert not gets
    else:
        assert gets
        assert part.policies.files
