"""Who gets which part of evidence, and how a whole file comes of the parts."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dataspace.audit.checkpoints import parse_checkpoint
from dataspace.audit.cosigned_store import CosignedStore
from dataspace.audit.notes import parse_note
from dataspace.cli.evidence import check_writable, write_evidence
from dataspace.client.asking import LogAnswer
from dataspace.client.evidence import fetch_evidence
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer, status_of
from dataspace.evidence.archive import Archive
from dataspace.evidence.parts import Keeper
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.query.product import catalogue_digest
from dataspace.v1 import evidence_pb2, query_pb2
from tests.unit.evidence.witnesses import cosign, quorum
from tests.unit.evidence.world import OWNERS, SEEN_MS, Case, make_world, release

ANA = ActorUri("hongkong", "h1", "researcher", "ana")


class Clock:
    """A clock that sleeps without waiting; `then` runs at each sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self.then: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.then()


class Parties:
    """The desks of all log owners, without a network."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.asker, self.asked = case, ANA, 0
        world = case.world
        self.keepers = {}
        self.stores = {owner: CosignedStore(folder / owner) for owner in OWNERS}
        for owner in OWNERS:
            archive = Archive(folder / f"{owner}-archive")
            archive.keep_policies(world.policies)
            catalogues = []
            for region, offer in world.offers.items():
                digest = catalogue_digest({"trial": offer.payload})
                archive.keep_catalogue(digest.hex(), region, [offer])
                catalogues.append(digest)
            if owner == "broker":
                archive.keep_release(
                    evidence_pb2.KeptRelease(
                        request=case.request,
                        release=case.bundle,
                        forwarded_index=case.bundle.receipt.index - 1,
                        catalogues_sha256=catalogues,
                    )
                )
            recorder = world.parties[owner].recorder
            self.keepers[owner] = Keeper(
                owner, recorder.log, self.stores[owner].covering, recorder.bodies.opening, archive
            )

    def cosign(self) -> None:
        for owner in OWNERS:
            note = self.case.world.parties[owner].recorder.log.checkpoint_text
            others = [each for each in REGIONS if each != owner][:2]
            self.stores[owner].keep(cosign(note, others, SEEN_MS), SEEN_MS)

    def ask(
        self, request: evidence_pb2.EvidenceRequest, logs: Sequence[str]
    ) -> tuple[LogAnswer, ...]:
        self.asked += 1
        return tuple(self._answer(request, log) for log in logs)

    def _answer(self, request: evidence_pb2.EvidenceRequest, log: str) -> LogAnswer:
        try:
            body: evidence_pb2.EvidencePart | query_pb2.Refusal = self.keepers[log].part(
                request, self.asker
            )
        except DataspaceError as error:
            body = query_pb2.Refusal(status=status_of(error))
        return LogAnswer(log, "released", "", CheckedAnswer(log, b"", body), None)

    def fetch(self, clock: Clock | None = None, wait: float = 10.0) -> bytes:
        world = self.case.world
        release_id = hashlib.sha256(self.case.bundle.release.payload).hexdigest()
        return fetch_evidence(
            self.ask, release_id, world.trust_lists, world.pinned, quorum,
            wait_seconds=wait, clock=clock or Clock(),
        )  # fmt: skip


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    case = release(make_world(tmp_path / "world"))
    yield Parties(case, tmp_path / "kept")


def test_the_parts_of_all_owners_make_the_evidence_that_holds(parties: Parties) -> None:
    parties.cosign()
    assert parties.fetch() == parties.case.file()
    assert parties.asked == 2


def test_fetching_waits_for_cosignatures_and_then_succeeds(parties: Parties) -> None:
    clock = Clock()
    clock.then = lambda: parties.cosign() if clock.now > 2 else None
    assert parties.fetch(clock) == parties.case.file()
    assert clock.now <= 10


def test_fetching_gives_up_when_its_time_is_over(parties: Parties) -> None:
    clock = Clock()
    with pytest.raises(Unavailable) as caught:
        parties.fetch(clock)
    assert caught.value.code == "not-cosigned"
    assert 7 < clock.now <= 10
    assert parties.asked <= 7  # every asking is an entry in a log


@pytest.mark.parametrize("asker", ["hongkong/h9/regulator/r", "hongkong/h1/researcher/ana"])
def test_the_asker_and_a_regulator_of_its_region_get_it_whole(parties: Parties, asker: str) -> None:
    parties.cosign()
    parties.asker = ActorUri.parse(f"gba://{asker}")
    assert parties.fetch() == parties.case.file()


@pytest.mark.parametrize(
    ("asker", "gets"),
    [
        ("guangzhou/h1/regulator/r", {"broker", "guangzhou"}),
        ("macao/h1/regulator/r", {"broker", "macao"}),
        ("hongkong/h1/researcher/bea", set()),
        ("hongkong/h1/operator/op", set()),
        ("macao/h1/clinician/c", set()),
    ],
)
def test_nobody_else_gets_a_context(parties: Parties, asker: str, gets: set[str]) -> None:
    parties.cosign()
    parties.asker = ActorUri.parse(f"gba://{asker}")
    request = evidence_pb2.EvidenceRequest(
        release_sha256=hashlib.sha256(parties.case.bundle.release.payload).digest()
    )
    for region, answer in zip(REGIONS, parties.case.bundle.answers, strict=True):
        request.places.add(owner=region, index=answer.receipt.index)
    got = set()
    for owner, keeper in parties.keepers.items():
        try:
            keeper.part(request, parties.asker)
            got.add(owner)
        except Refused as error:
            assert error.rule == "evidence-regulator"
    assert got == gets


def test_a_refusal_says_nothing_of_whether_an_entry_is_cosigned(parties: Parties) -> None:
    request = evidence_pb2.EvidenceRequest()
    request.places.add(owner="macao", index=parties.case.bundle.answers[2].receipt.index)
    with pytest.raises(Refused):
        parties.keepers["macao"].part(request, ActorUri("hongkong", "h1", "researcher", "bea"))


def test_an_erased_context_is_named_as_erased(parties: Parties) -> None:
    parties.cosign()
    receipt = parties.case.bundle.answers[2].receipt
    bodies = parties.case.world.parties["macao"].recorder.bodies
    for record in parties.case.parts["macao"].records:
        key = hashlib.sha256(record.salt + record.context).hexdigest()
        assert bodies.erase(key)
    request = evidence_pb2.EvidenceRequest()
    request.places.add(owner="macao", index=receipt.index)
    with pytest.raises(Unavailable) as caught:
        parties.keepers["macao"].part(request, ActorUri("hongkong", "h1", "regulator", "r"))
    assert caught.value.code == "body-erased"


def test_other_entries_than_answers_are_not_handed_over(parties: Parties) -> None:
    parties.cosign()
    request = evidence_pb2.EvidenceRequest()
    request.places.add(owner="macao", index=0)
    with pytest.raises(Malformed):
        parties.keepers["macao"].part(request, ActorUri("macao", "h1", "regulator", "r"))


def test_another_release_from_the_broker_is_noticed(parties: Parties) -> None:
    other = release(parties.case.world)
    parties.cosign()
    kept = parties.keepers["broker"].archive.release(
        hashlib.sha256(parties.case.bundle.release.payload).hexdigest()
    )
    kept.release.CopyFrom(other.bundle)
    parties.keepers["broker"].archive._put(
        "releases", hashlib.sha256(parties.case.bundle.release.payload).hexdigest(), kept
    )
    with pytest.raises(Unverified) as caught:
        parties.fetch()
    assert caught.value.code == "evidence-release"


@pytest.mark.parametrize("name", ["", "abc", "../../../etc/passwd", "0" * 63, "g" * 64])
def test_a_release_is_named_by_its_digest_alone(parties: Parties, name: str) -> None:
    world = parties.case.world
    with pytest.raises(Malformed):
        fetch_evidence(parties.ask, name, world.trust_lists, world.pinned, quorum, clock=Clock())
    with pytest.raises(Malformed):
        parties.keepers["broker"].archive.release(name)


def test_a_policy_set_changed_in_the_archive_is_unverified(
    tmp_path: Path, parties: Parties
) -> None:
    archive, sha256 = parties.keepers["macao"].archive, parties.case.world.policies.sha256
    file = tmp_path / "kept" / "macao-archive" / "policies" / sha256
    file.write_bytes(file.read_bytes().replace(b"permit", b"forbid"))
    with pytest.raises(Unverified):
        archive.policies(sha256)


def test_releases_are_erased_by_age(parties: Parties) -> None:
    archive = parties.keepers["broker"].archive
    release_id = hashlib.sha256(parties.case.bundle.release.payload).hexdigest()
    assert archive.erase_releases(0) == 0
    archive.release(release_id)
    assert archive.erase_releases(4_000_000_000_000) == 1
    with pytest.raises(Unavailable):
        archive.release(release_id)


def test_the_last_cosigned_checkpoint_of_each_hour_is_kept(tmp_path: Path) -> None:
    world = make_world(tmp_path / "world")
    party = world.parties["macao"]
    store, hour = CosignedStore(tmp_path / "cosigned"), 3_600_000
    for minute in (0, 10, 50, 70, 80, 130, 131):
        party.recorder.record("log.grown", SEEN_MS, {})
        at_ms = hour * 500_000 + minute * 60_000
        store.keep(cosign(party.recorder.log.checkpoint_text, ["hongkong"], at_ms), at_ms)
    kept = sorted(int(file.name) for file in (tmp_path / "cosigned").iterdir())
    assert kept == [4, 6]
    newest = store.covering(7)
    assert newest is not None
    for again in (store, CosignedStore(tmp_path / "cosigned", newest[0])):
        sizes = [found[1] if (found := again.covering(index)) else None for index in range(9)]
        assert sizes == [4, 4, 4, 4, 6, 6, 8, 8, None]
    found = store.covering(4)
    assert found is not None
    assert parse_checkpoint(parse_note(found[0]).text).size == 6


def test_an_evidence_file_is_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.evidence"
    file.write_bytes(b"old")
    write_evidence(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["missing/a", "."])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_asked(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(Malformed):
        check_writable(tmp_path / name)
