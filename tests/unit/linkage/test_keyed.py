"""The keyed tier: one key for the round's nodes alone, and HMAC as everybody computes it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.keyed import (
    Pads,
    contribute,
    contribution_digest,
    read_contribution,
    send,
    slot_keys,
)
from dataspace.linkage.ring import Collector, Participant
from dataspace.linkage.rounds import KEYED, BatchShape, Joined, Transcript
from dataspace.linkage.sealing import X25519, SealingKey
from dataspace.v1.linkage_pb2 import BlindedChunk
from node.warehouse.keyed import hmac_expression
from node.warehouse.tagging import tag_slots

from .rings import SLOTS, THREE, plan, seed, uri
from .vectors import read_vectors

PLAN = plan(tier=KEYED)


@dataclass
class Party:
    region: str
    salt: str = ""

    @property
    def contribution(self) -> bytes:
        return seed("contribution", self.region, self.salt)

    @property
    def key(self) -> SealingKey:
        return SealingKey.from_seed(X25519, seed("key", self.region, self.salt))

    @property
    def joined(self) -> Joined:
        return Joined(
            uri(self.region),
            PLAN.round_id,
            self.key.public,
            bytes(32),
            (BatchShape(seed("code", self.region)[:16], 3),),
            contribution_digest(self.contribution),
            seed("payload", self.region, self.salt),
        )


PARTIES = {region: Party(region) for region in THREE}
TRANSCRIPT = Transcript.agree(PLAN, [party.joined for party in PARTIES.values()], None)


def heard_by(receiver: str) -> dict[str, bytes]:
    heard = {receiver: PARTIES[receiver].contribution}
    for region, party in PARTIES.items():
        if region != receiver:
            message = contribute(TRANSCRIPT, region, receiver, party.contribution)
            key = PARTIES[receiver].key
            heard[region] = read_contribution(message, uri(region), TRANSCRIPT, receiver, key)
    return heard


def test_all_nodes_come_to_the_same_keys_one_for_each_slot() -> None:
    keys = [slot_keys(TRANSCRIPT, heard_by(region)) for region in THREE]
    assert keys[0] == keys[1] == keys[2]
    assert set(keys[0]) == set(SLOTS) and len(set(keys[0].values())) == len(SLOTS)


def test_the_broker_sees_no_contribution() -> None:
    message = contribute(TRANSCRIPT, "macao", "guangzhou", PARTIES["macao"].contribution)
    assert PARTIES["macao"].contribution not in message.SerializeToString()


def test_another_transcript_or_contribution_gives_other_keys() -> None:
    heard = heard_by("macao")
    other = Transcript(PLAN, tuple(Party(region, "b").joined for region in THREE))
    assert slot_keys(other, heard) != slot_keys(TRANSCRIPT, heard)
    assert slot_keys(TRANSCRIPT, {**heard, "macao": bytes(32)}) != slot_keys(TRANSCRIPT, heard)


@pytest.mark.parametrize(
    "attack", ["round", "receiver", "label", "signer", "stranger", "sealed", "another"]
)
def test_a_contribution_that_was_moved_or_exchanged_is_refused(attack: str) -> None:
    contribution = PARTIES["macao"].contribution
    if attack == "another":
        contribution = b"e" * 32  # a node that would rather have another key
    message = contribute(TRANSCRIPT, "macao", "guangzhou", contribution)
    signer = uri("macao")
    if attack == "round":
        message.transcript = b"o" * 32
    elif attack == "receiver":
        message = contribute(TRANSCRIPT, "macao", "hongkong", contribution)
        message.to = "guangzhou"
    elif attack == "label":
        message.to = "hongkong"
    elif attack == "signer":
        signer = uri("hongkong")
    elif attack == "stranger":
        signer = uri("macao", "node2")
    elif attack == "sealed":
        message.sealed = message.sealed[:-1] + b"x"
    with pytest.raises(Unverified) as caught:
        read_contribution(message, signer, TRANSCRIPT, "guangzhou", PARTIES["guangzhou"].key)
    assert caught.value.code == "contribution"


def test_keys_need_every_nodes_contribution_and_the_tier() -> None:
    heard = heard_by("macao")
    with pytest.raises(Malformed):
        slot_keys(TRANSCRIPT, {"macao": heard["macao"]})
    blind_joins = [replace(join, round_id=plan().round_id, contribution_sha256=b"")
                   for join in TRANSCRIPT.joins]  # fmt: skip
    with pytest.raises(Malformed):
        slot_keys(Transcript.agree(plan(), blind_joins, None), heard)


def test_a_keyed_stream_goes_to_the_broker_at_once() -> None:
    assert [PLAN.route(region) for region in THREE] == [(region,) for region in THREE]
    with pytest.raises(ValueError):
        Participant(TRANSCRIPT, "macao", PARTIES["macao"].key, bytes(32))
    collector = Collector(TRANSCRIPT)
    tags = np.frombuffer(hashlib.shake_256(b"tags").digest(3 * 2 * 32), np.uint8)
    batch = tags.reshape(3, 2, 32)
    for region in THREE:
        assert not collector.complete
        for place, tokens in send(TRANSCRIPT, region, [batch], seed(region)):
            message = place.message(tokens)
            assert isinstance(message, BlindedChunk)
            collector.receive(message, uri(region))
    expected = {row.tobytes() for row in batch.reshape(3, 64)}
    for (found,) in collector.batches().values():
        assert {row.tobytes() for row in found.tokens.reshape(3, 64)} == expected


def in_duckdb(key: bytes, text: bytes) -> bytes:
    pads = Pads.of(key)
    sql = f"SELECT {hmac_expression('$text::BLOB', 'inner_pad', 'outer_pad')}"
    with duckdb.connect() as connection:
        values = {"text": text, "inner_pad": pads.inner, "outer_pad": pads.outer}
        row = connection.execute(sql, values).fetchone()
    assert row is not None
    return bytes(row[0])


@pytest.mark.parametrize("case", read_vectors("rfc4231"), ids=lambda case: str(case["case"]))
def test_hmac_in_the_warehouse_gives_the_tags_of_rfc_4231(case: dict[str, str]) -> None:
    key, data = bytes.fromhex(case["key"]), bytes.fromhex(case["data"])
    assert in_duckdb(key, data).hex().startswith(case["tag"])


@given(st.binary(max_size=64), st.binary(max_size=100))
@settings(max_examples=25, deadline=None)
def test_hmac_in_the_warehouse_is_hmac(key: bytes, text: bytes) -> None:
    assert in_duckdb(key, text) == hmac.new(key, text, hashlib.sha256).digest()


def test_no_key_has_no_tag_and_no_name_is_taken_that_is_none() -> None:
    with duckdb.connect() as connection:
        sql = f"SELECT {hmac_expression('NULL::BLOB', 'a', 'b')}"
        assert connection.execute(sql, {"a": b"", "b": b""}).fetchone() == (None,)
    with pytest.raises(ValueError):
        hmac_expression("k", "a)--", "b")
    with pytest.raises(Malformed):
        Pads.of(bytes(65))


def test_pads_are_not_printed() -> None:
    assert repr(Pads.of(b"k")) == "Pads()"


def test_the_warehouse_tags_every_slot_under_its_own_key() -> None:
    digests = np.frombuffer(hashlib.shake_256(b"digests").digest(7 * 2 * 32), np.uint8)
    digests = digests.reshape(7, 2, 32)
    keys = [b"k" * 32, b"l" * 32]
    tags = tag_slots(digests, [Pads.of(key) for key in keys])
    for row in range(7):
        for slot, key in enumerate(keys):
            expected = hmac.digest(key, digests[row, slot].tobytes(), "sha256")
            assert tags[row, slot].tobytes() == expected
    assert tag_slots(digests[:0], [Pads.of(key) for key in keys]).shape == (0, 2, 32)
