"""Cheats at existence checks: by the broker, and by a node. Each is refused and named."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from dataspace.client.existence import NO, NOT_PERMITTED, YES
from dataspace.errors import Refused, Unverified
from dataspace.evidence.existence import EPOCH_KIND, Asking, answer_info
from dataspace.identity.dsse import payload_type_of
from dataspace.identity.envelopes import open_envelope
from dataspace.linkage import oprf
from dataspace.linkage.buckets import BucketTable, bucket_of, name_of
from dataspace.linkage.points import scalar_from
from dataspace.linkage.sealing import X25519, SealingKey
from dataspace.processes import now_ms
from dataspace.v1 import existence_pb2, query_pb2
from node.existence.epochs import Secrets
from tests.attacks.existence_world import (
    STRANGER,
    World,
    check,
    existence_world,
    patient_of,
    served,
)

TWO = ("guangzhou", "hongkong")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with existence_world(tmp_path_factory.mktemp("existence")) as world:
        yield world


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    plain = shared.send, shared.bring
    tables = {region: shared.tables(region).served for region in shared.nodes}
    yield shared
    shared.send, shared.bring = plain
    for region, table in tables.items():
        shared.tables(region).served = table


def lie(world: World, *, table: BucketTable | None = None, key: Secrets | None = None) -> None:
    """Have Hong Kong's node answer by something else than what it put on record."""
    true = served(world)
    false = replace(true, secrets=key or true.secrets)
    false.__dict__.update(epoch=true.epoch, table=table or true.table)
    world.tables("hongkong").served = false


# -- what should come out --------------------------------------------------------------------


def test_a_patient_is_known_where_there_is_a_record_and_nowhere_else(world: World) -> None:
    checks = world.checks()
    assert (
        checks.check(patient_of("hongkong"), "TREAT", tuple(world.nodes))["hongkong"].answer == YES
    )
    found = checks.check(STRANGER, "TREAT", tuple(world.nodes))
    assert [each.answer for each in found.regions] == [NO, NO, NO]
    assert found.known_at == ()


@pytest.mark.parametrize(
    ("actor", "purpose"),
    [("hongkong/clinician", "PATRQT"), ("hongkong/researcher", "TREAT"),
     ("macao/public_health", "PUBHLTH"), ("macao/regulator", "TREAT")],
)  # fmt: skip
def test_others_and_other_purposes_are_not_permitted_and_learn_no_epoch(
    world: World, actor: str, purpose: str
) -> None:
    found = world.checks(actor).check(STRANGER, purpose, tuple(world.nodes))
    assert {each.answer for each in found.regions} == {NOT_PERMITTED}
    assert all(each.rule and each.message for each in found.regions)


def test_products_that_the_charter_does_not_let_be_offered_are_not_asked(world: World) -> None:
    node = world.nodes["hongkong"]
    existence = node.existence.existence
    assert existence.gate.check_offered == node.governance.governor.check_offered

    def check_offered(_offer: object) -> None:
        raise Refused("load it anew", code="charter", rule="charter", basis="b")

    gate = replace(existence.gate, check_offered=check_offered)
    check(world.checks(), STRANGER)
    at = datetime.fromtimestamp(now_ms() / 1000, UTC)
    opened = open_envelope(world.sent[-1], existence_pb2.ExistenceRequest, world.trust, at)
    with pytest.raises(Refused, match="load it anew"):
        replace(existence, gate=gate).answer(opened, now_ms())


def test_the_log_says_that_a_check_was_made_and_not_of_whom(world: World) -> None:
    checks = world.checks()
    asked = [patient_of("hongkong", 1), STRANGER]
    for document in asked:
        check(checks, document)
    entry = world.entries("hongkong", "existence.read")[-1]
    recorder = world.nodes["hongkong"].gatekeeper.recorder
    said = entry.to_bytes() + (recorder.bodies.get(str(entry.fields["context"])) or b"")
    assert entry.fields["rules"] == ("treatment-existence",)
    assert b"clinician-1" in said
    assert not any(each.number.encode() in said for each in asked)
    assert b"bucket" not in said
    assert b"blinded" not in said


def test_all_answers_are_of_one_size(world: World) -> None:
    checks = world.checks()
    for document in (STRANGER, patient_of("hongkong"), patient_of("macao")):
        check(checks, document)
    answers = [
        existence_pb2.ExistenceAnswer.FromString(answer.body.payload)
        for answer in (each["hongkong"] for each in world.brought if "hongkong" in each)
        if answer.body.payload_type == payload_type_of(existence_pb2.ExistenceAnswer)
    ]
    assert len(answers) >= 3
    assert len({len(each.sealed) for each in answers}) == 1
    requests = [
        existence_pb2.ExistenceRequest.FromString(each.payload)
        for each in world.sent
        if each.payload_type == payload_type_of(existence_pb2.ExistenceRequest)
    ]
    assert len({len(ask.question.sealed) for each in requests for ask in each.asks}) == 1


# -- the broker, or whoever stands between ---------------------------------------------------


def test_answers_of_two_regions_that_are_swapped_are_not_believed(world: World) -> None:
    checks = world.checks()
    check(checks, STRANGER, *TWO)
    world.bring = lambda answers: dict(zip(TWO, reversed(answers.values()), strict=True))
    with pytest.raises(Unverified) as caught:
        check(checks, STRANGER, *TWO)
    assert caught.value.code == "partial-signer"


def test_an_answer_to_another_request_is_not_believed(world: World) -> None:
    checks = world.checks()
    check(checks, patient_of("hongkong"))
    earlier = world.brought[-1]
    world.bring = lambda _answers: earlier
    with pytest.raises(Unverified, match="another request"):
        check(checks, STRANGER)


def test_a_request_is_answered_once(world: World) -> None:
    check(world.checks(), STRANGER)
    again = world.deliver("hongkong", world.sent[-1])
    assert query_pb2.Refusal.FromString(again.body.payload).status.code == "replay"


# -- a node that lies ------------------------------------------------------------------------


def test_a_node_that_evaluates_by_another_key_is_found_out(world: World) -> None:
    checks = world.checks()
    check(checks, STRANGER)
    lie(world, key=Secrets(served(world).secrets.number, secrets.token_bytes(96)))
    with pytest.raises(Unverified) as caught:
        check(checks, STRANGER)
    assert caught.value.code == "oprf-proof"


def test_a_node_that_shows_one_person_another_table_is_found_out(world: World) -> None:
    checks = world.checks()
    check(checks, STRANGER)
    lie(world, table=BucketTable(np.zeros_like(served(world).table.rows)))
    with pytest.raises(Unverified) as caught:
        check(checks, patient_of("hongkong"))
    assert caught.value.code == "inclusion"


@pytest.mark.parametrize("rows", [512, 2048])
def test_a_bucket_of_another_size_is_not_used(world: World, rows: int) -> None:
    checks = world.checks()
    check(checks, STRANGER)
    table = object.__new__(BucketTable)
    shape = (served(world).table.buckets, rows)
    object.__setattr__(table, "rows", np.zeros(shape, np.uint64))
    lie(world, table=table)
    with pytest.raises(Unverified) as caught:
        check(checks, STRANGER)
    assert caught.value.code == "bucket-size"


def test_an_epoch_that_is_in_no_log_is_not_believed(world: World) -> None:
    true = served(world)
    assert true.receipt is not None
    for name in ("entry", "checkpoint", "origin"):
        receipt = query_pb2.Receipt()
        receipt.CopyFrom(true.receipt)
        value = getattr(receipt, name)
        setattr(receipt, name, value[:-2] + value[:2])
        world.tables("hongkong").served = replace(true, receipt=receipt)
        with pytest.raises(Unverified):
            check(world.checks(), STRANGER)


def test_a_receipt_of_another_entry_commits_to_no_table(world: World) -> None:
    recorder = world.nodes["hongkong"].gatekeeper.recorder
    for kind, fields in (("alarm.raised", served(world).epoch.fields()), (EPOCH_KIND, {})):
        other = recorder.record(kind, now_ms(), fields)
        world.tables("hongkong").served = replace(served(world), receipt=other)
        with pytest.raises(Unverified) as caught:
            check(world.checks(), STRANGER)
        assert caught.value.code == "existence-epoch"


def test_an_answer_sealed_for_another_session_does_not_open(world: World) -> None:
    checks = world.checks()
    check(checks, STRANGER)
    epoch = served(world).epoch
    reply = SealingKey.from_seed(X25519, secrets.token_bytes(32))
    asking = Asking("hongkong", epoch, name_of(STRANGER.canonical), _scalar(), reply)
    for info in (answer_info(bytes(32), "hongkong"), answer_info(b"r" * 32, "macao")):
        answer = existence_pb2.ExistenceAnswer(
            request_sha256=b"r" * 32, region="hongkong", epoch=epoch.number,
            table=served(world).receipt, sealed=reply.public.seal(b"", info),
        )  # fmt: skip
        with pytest.raises(Unverified) as caught:
            asking.read(answer, world.trust)
        assert caught.value.code == "sealed"


def test_a_token_of_an_earlier_check_proves_nothing_in_another(world: World) -> None:
    secret, epoch = served(world).secrets, served(world).epoch
    table = served(world).table
    reply = SealingKey.from_seed(X25519, secrets.token_bytes(32))
    document = name_of(patient_of("hongkong").canonical)
    asking = Asking("hongkong", epoch, document, _scalar(), reply)
    earlier = oprf.evaluate_blinded(secret.key, oprf.blind_input(document, _scalar()), _scalar())
    bucket = bucket_of(document, epoch.bits)
    found = existence_pb2.ExistenceBucket(
        evaluated=earlier[0], proof=earlier[1], row=table.row(bucket), path=table.path(bucket)
    )
    info = answer_info(b"r" * 32, "hongkong")
    answer = existence_pb2.ExistenceAnswer(
        request_sha256=b"r" * 32, region="hongkong", epoch=epoch.number,
        table=served(world).receipt, sealed=reply.public.seal(found.SerializeToString(), info),
    )  # fmt: skip
    with pytest.raises(Unverified) as caught:
        asking.read(answer, world.trust)
    assert caught.value.code == "oprf-proof"


def _scalar() -> bytes:
    return scalar_from(secrets.token_bytes(64))
