"""Evidence is judged by the revocation lists that were in force when it was cosigned."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from dataspace.audit.cosigned_store import CosignedStore
from dataspace.evidence.parts import Keeper
from dataspace.identity.envelopes import SigningIdentity
from dataspace.identity.names import ActorUri
from dataspace.identity.revocation import seal_revocation_list
from dataspace.identity.revoked import STALE_MS, CertificateId, Revoked
from dataspace.v1 import evidence_pb2
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists
from tests.unit.evidence.test_parts import Parties
from tests.unit.evidence.world import SEEN_MS, World, make_world, release, verify
from tests.unit.identity.world import NOW_MS, sha256


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "world", revoking=True)


def failed(world: World, lists: list[Envelope]) -> tuple[str, str]:
    """The step that fails, and its code, where each part holds these lists; or nothing."""
    made = release(world)
    for part in made.parts.values():
        del part.revocation_lists[:]
        part.revocation_lists.extend(lists)
    step = verify(made.file(), world).failed
    return ("", "") if step is None else (step.name, step.code)


def list_of(
    world: World, region: str, *named: SigningIdentity, number: int = 2, at_ms: int = NOW_MS
) -> Envelope:
    revoked = [
        Revoked(
            CertificateId.of(x509.load_der_x509_certificate(each.chain_der[0])),
            NOW_MS,
            "key-compromise",
        )
        for each in named
    ]
    return seal_revocation_list(world.signers[region], "test", number, at_ms, revoked)


def test_evidence_with_the_lists_of_its_time_verifies(world: World) -> None:
    report = verify(release(world).file(), world)
    report.require()
    told = next(each.words for each in report.steps if each.name == "revocation")
    assert "guangzhou 1, hongkong 1, macao 1" in told


def test_evidence_without_a_list_of_a_signers_region_does_not_verify(world: World) -> None:
    assert failed(world, []) == ("request", "revocation-stale")
    assert failed(world, world.lists[:2]) == ("answers", "revocation-stale")


def test_a_requester_or_a_node_that_was_revoked_by_then_proves_nothing(world: World) -> None:
    guangzhou, hongkong, macao = world.lists
    requester = list_of(world, "hongkong", world.requester)
    assert failed(world, [guangzhou, requester, macao]) == ("request", "identity-revoked")
    node = list_of(world, "macao", world.parties["macao"].identity)
    assert failed(world, [guangzhou, hongkong, node]) == ("answers", "identity-revoked")
    broker = list_of(world, "hongkong", world.parties["broker"].identity)
    assert failed(world, [guangzhou, broker, macao]) == ("release", "identity-revoked")


def test_the_later_of_two_lists_counts(world: World) -> None:
    requester = list_of(world, "hongkong", world.requester, number=2, at_ms=NOW_MS + 1)
    assert failed(world, [*world.lists, requester]) == ("request", "identity-revoked")


def test_a_list_of_another_time_is_no_part_of_evidence(world: World) -> None:
    old = list_of(world, "hongkong", at_ms=SEEN_MS - STALE_MS - 1)
    assert failed(world, [world.lists[0], old, world.lists[2]])[0] == "revocation"


def test_a_list_that_no_signer_of_the_region_signed_is_refused(world: World) -> None:
    world.signers["hongkong"] = world.parties["hongkong"].identity
    forged = list_of(world, "hongkong")
    step, _ = failed(world, [world.lists[0], forged, world.lists[2]])
    assert step == "revocation"


def test_lists_are_no_part_of_evidence_where_the_trust_list_names_no_signers(
    world: World, tmp_path: Path
) -> None:
    bare = make_world(tmp_path / "bare")
    assert failed(bare, []) == ("", "")
    assert failed(bare, world.lists)[0] == "revocation"


def test_a_keeper_hands_over_the_lists_beside_the_checkpoint(world: World, tmp_path: Path) -> None:
    case = release(world)
    parties = Parties(case, tmp_path / "parties")
    parties.cosign()
    store, lists = parties.stores["broker"], RevocationLists(lists=world.lists)
    note, size = store.covering(0) or ("", 0)
    store.keep(note, SEEN_MS, lists.SerializeToString())
    again = CosignedStore(tmp_path / "parties" / "broker", note)
    assert again.beside(size) == lists.SerializeToString()
    plain = parties.keepers["broker"]
    keeper = Keeper("broker", plain.log, again.covering, plain.opening, plain.archive, again.beside)
    request = evidence_pb2.EvidenceRequest(release_sha256=sha256(case.bundle.release.payload))
    part = keeper.part(request, ActorUri("hongkong", "h1", "researcher", "ana"))
    assert {each.payload for each in keeper.lists_beside(part)} == {
        each.payload for each in world.lists
    }
