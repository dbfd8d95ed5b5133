"""Cheats at existence checks: by the broker, by a node, by who asks. Each is refused and named."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from dataspace.client.existence import NO, NOT_PERMITTED, YES, ExistenceChecks
from dataspace.errors import Malformed, Unverified
from dataspace.evidence.existence import Asking, answer_info, question_info
from dataspace.evidence.sealing_keys import key_sha256
from dataspace.home import PartyHome
from dataspace.identity.dsse import payload_type_of
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import ActorUri
from dataspace.linkage import oprf
from dataspace.linkage.buckets import BucketTable, bucket_of, name_of
from dataspace.linkage.documents import Document
from dataspace.linkage.points import POINT_BYTES, scalar_from
from dataspace.linkage.sealing import X25519, SealingKey
from dataspace.processes import now_ms
from dataspace.v1 import existence_pb2, query_pb2, sealing_pb2
from node.existence.epochs import Secrets, Served
from tests.attacks.existence_world import (
    STRANGER,
    World,
    existence_world,
    patient_of,
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
    for region, served in tables.items():
        shared.tables(region).served = served


def check(checks: ExistenceChecks, document: Document, *regions: str) -> list[str]:
    found = checks.check(document, "TREAT", regions or ("hongkong",))
    return [each.answer for each in found.regions]


def served(world: World, region: str = "hongkong") -> Served:
    found = world.tables(region).served
    assert found is not None
    return found


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
    with pytest.raises(Unverified):
        check(checks, STRANGER, *TWO)


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


def test_somebody_elses_question_opens_for_nobody_else(world: World) -> None:
    # Whoever saw it would learn from the answer which bucket was asked for.
    check(world.checks("hongkong/clinician"), patient_of("hongkong"))
    seen = existence_pb2.ExistenceRequest.FromString(world.sent[-1].payload)
    reply = SealingKey.from_seed(X25519, secrets.token_bytes(32))
    for stolen in (
        existence_pb2.ExistenceRequest(reply_key=seen.reply_key),
        existence_pb2.ExistenceRequest(
            reply_key=sealing_pb2.SealingPublicKey(kind=reply.kind, data=reply.public.data)
        ),
    ):
        stolen.asks.extend(seen.asks)
        stolen.purpose = "TREAT"
        assert _refusal_of(world, stolen, "macao/clinician").code == "sealed"


def test_a_question_to_one_region_is_none_to_another(world: World) -> None:
    check(world.checks(), STRANGER)
    seen = existence_pb2.ExistenceRequest.FromString(world.sent[-1].payload)
    seen.ClearField("signer")
    seen.asks[0].question.region = "macao"
    seen.asks[0].epoch = served(world, "macao").secrets.number
    assert _refusal_of(world, seen, region="macao").code == "sealing-key-gone"


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
    other = recorder.record("alarm.raised", now_ms(), {"rule": "x"})
    world.tables("hongkong").served = replace(served(world), receipt=other)
    with pytest.raises(Unverified):
        check(world.checks(), STRANGER)


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


# -- who asks --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", [bytes(POINT_BYTES), b"\xff" * POINT_BYTES, b"\x01" + bytes(31), b"short"]
)
def test_points_that_are_none_are_refused_and_do_not_count(world: World, point: bytes) -> None:
    before = _counted(world)
    question = (0).to_bytes(4, "big") + point
    assert _asked(world, question) in {"bad-point", "bad-question"}
    assert _counted(world) == before


def test_a_bucket_that_does_not_exist_is_refused_and_does_not_count(world: World) -> None:
    before = _counted(world)
    blinded = oprf.blind_input(name_of(STRANGER.canonical), _scalar())
    assert _asked(world, (1 << 20).to_bytes(4, "big") + blinded) == "bucket"
    assert _counted(world) == before


def test_a_question_of_another_epoch_is_refused_and_asked_anew(world: World) -> None:
    checks = world.checks()
    check(checks, STRANGER)
    blinded = oprf.blind_input(name_of(STRANGER.canonical), _scalar())
    assert _asked(world, bytes(4) + blinded, epoch=1) == "existence-epoch"
    # The client's own epoch is over: it learns the next one by itself.
    tables = world.tables("hongkong")
    tables.served = None
    assert tables.refresh()
    assert check(checks, patient_of("hongkong")) == [YES]


def test_a_request_without_a_question_to_the_region_is_malformed(world: World) -> None:
    reply = SealingKey.from_seed(X25519, secrets.token_bytes(32))
    request = existence_pb2.ExistenceRequest(
        purpose="TREAT",
        reply_key=sealing_pb2.SealingPublicKey(kind=reply.kind, data=reply.public.data),
    )
    assert _refusal_of(world, request).code == "bad-question"
    request.reply_key.data = bytes(32)
    request.asks.add(epoch=1)
    assert _refusal_of(world, request).error == "malformed"


def test_a_document_that_is_none_is_malformed_before_anything_is_sent(world: World) -> None:
    sent = len(world.sent)
    with pytest.raises(Malformed):
        world.checks().check(Document("hkid", "A1234564"), "TREAT", ("hongkong",))
    with pytest.raises(Malformed):
        world.checks().check(STRANGER, "TREAT", ("atlantis",))
    assert len(world.sent) == sent


def test_who_tries_the_neighbours_of_a_number_is_stopped_and_alarmed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("neighbours")
    limits = {"existence_per_actor": 900, "existence_per_member": 160}
    with existence_world(folder, ("macao",), **limits) as world:
        checks = world.checks("macao/clinician")
        answers = [
            check(checks, Document("bir", f"5{number:06}0"), "macao")[0] for number in range(1000)
        ]
        assert answers.index(NOT_PERMITTED) == 160
        assert set(answers[160:]) == {NOT_PERMITTED}
        node = world.nodes["macao"]
        node.room.follower.wait_for(node.gatekeeper.recorder.log.size, 60)
        raised = {str(each.fields["rule"]): each for each in world.entries("macao", "alarm.raised")}
        assert {"unresolved-checks", "many-refusals"} <= set(raised)
        assert int(str(raised["unresolved-checks"].fields["count"])) <= 200


def _scalar() -> bytes:
    return scalar_from(secrets.token_bytes(64))


def _counted(world: World) -> int:
    """What the member has left unresolved, by what one check more comes to."""
    limits = world.nodes["hongkong"].existence.existence.limits
    with limits._ledger.reading() as connection:
        rows = connection.exec_driver_sql("SELECT checks FROM existence_unresolved").all()
    return sum(int(row[0]) for row in rows)


def _asked(world: World, question: bytes, epoch: int | None = None) -> str:
    """The code of the refusal of a question that no client would put."""
    reply = SealingKey.from_seed(X25519, secrets.token_bytes(32))
    number = epoch or served(world).secrets.number
    ask = _sealed(world, question, number, reply)
    request = existence_pb2.ExistenceRequest(
        purpose="TREAT",
        reply_key=sealing_pb2.SealingPublicKey(kind=reply.kind, data=reply.public.data),
        asks=[ask],
    )
    return str(_refusal_of(world, request).code)


def _sealed(
    world: World, question: bytes, epoch: int, reply: SealingKey
) -> existence_pb2.ExistenceAsk:
    keys, _ = world.nodes["hongkong"].existence.existence.sealing.current(now_ms())
    asker = ActorUri.parse("gba://hongkong/hospital/clinician/clinician-1")
    info = question_info(asker, "hongkong", epoch, reply.public)
    return existence_pb2.ExistenceAsk(
        epoch=epoch,
        question=sealing_pb2.SealedFor(
            region="hongkong", key_sha256=key_sha256(keys[0]), sealed=keys[0].seal(question, info)
        ),
    )


def _refusal_of(
    world: World,
    request: existence_pb2.ExistenceRequest,
    actor: str = "hongkong/clinician",
    region: str = "hongkong",
) -> query_pb2.ErrorStatus:
    party = PartyHome(world.home / "actors" / actor.replace("/", "-"))
    request.freshness.CopyFrom(
        make_freshness(now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=[region, "broker"])
    )
    answer = world.deliver(region, seal(request, party.identity))
    assert answer.body.payload_type == payload_type_of(query_pb2.Refusal)
    return query_pb2.Refusal.FromString(answer.body.payload).status
