"""Who asks what no client would: thieves of questions, bad points, and who tries every number."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from dataspace.client.existence import NOT_PERMITTED, YES
from dataspace.errors import Malformed
from dataspace.evidence.existence import question_info
from dataspace.evidence.sealing_keys import key_sha256
from dataspace.home import PartyHome
from dataspace.identity.dsse import payload_type_of
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import ActorUri
from dataspace.linkage import oprf
from dataspace.linkage.buckets import name_of
from dataspace.linkage.documents import Document
from dataspace.linkage.points import POINT_BYTES, scalar_from
from dataspace.linkage.sealing import X25519, SealingKey
from dataspace.processes import now_ms
from dataspace.v1 import existence_pb2, query_pb2, sealing_pb2
from tests.attacks.existence_world import (
    STRANGER,
    World,
    check,
    existence_world,
    patient_of,
    served,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with existence_world(tmp_path_factory.mktemp("askers")) as made:
        yield made


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
