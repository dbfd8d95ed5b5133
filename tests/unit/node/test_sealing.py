"""A node's sealing keys: certified by its signature, renewed, and forgotten."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import pytest

from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.sealing_keys import GONE, key_sha256, read_keys
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.linkage.sealing import HYBRID, X25519
from dataspace.v1 import sealing_pb2
from node.sealing import LIFE_MS, NodeSealing
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import operators

HALF = LIFE_MS // 2
LATE = LIFE_MS + 600_000


def asked(node: NodeSealing, at_ms: int = NOW_MS) -> sealing_pb2.SealingKeyAnswer:
    request = sealing_pb2.SealingKeyRequest(
        freshness=make_freshness(
            now_ms=NOW_MS, nonce=secrets.token_bytes(16), audience=["hongkong"]
        )
    )
    signed = seal(request, operators().of["macao"])
    at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    opened: Any = open_envelope(signed, sealing_pb2.SealingKeyRequest, operators().trust, at)
    body = node.kind("hongkong").answer(opened, at_ms).body
    assert isinstance(body, sealing_pb2.SealingKeyAnswer)
    return body


def test_what_is_sealed_to_a_certified_key_opens_at_its_node_alone() -> None:
    node, other = NodeSealing(), NodeSealing()
    key = read_keys(asked(node), NOW_MS).choose()
    assert key.kind == HYBRID
    sealed = key.seal(b"secret", b"info")
    assert node.open(key_sha256(key), sealed, b"info", NOW_MS) == b"secret"
    with pytest.raises(Unverified):
        node.open(key_sha256(key), sealed, b"other", NOW_MS)
    with pytest.raises(Unavailable) as caught:
        other.open(key_sha256(key), sealed, b"info", NOW_MS)
    assert caught.value.code == GONE


def test_the_hybrid_is_chosen_only_where_both_sides_have_it() -> None:
    keys = read_keys(asked(NodeSealing()), NOW_MS)
    assert keys.choose([X25519]).kind == X25519
    with pytest.raises(Malformed) as caught:
        keys.choose(["p256"])
    assert caught.value.code == "sealing-kind"


def test_a_key_is_used_half_its_life_and_forgotten_soon_after_its_end() -> None:
    node = NodeSealing()
    first = read_keys(asked(node), NOW_MS).choose()
    sealed = first.seal(b"secret", b"")
    assert read_keys(asked(node, NOW_MS + HALF - 1), NOW_MS).choose() == first
    assert read_keys(asked(node, NOW_MS + HALF), NOW_MS).choose() != first
    assert node.open(key_sha256(first), sealed, b"", NOW_MS + LIFE_MS) == b"secret"
    with pytest.raises(Unavailable) as caught:
        node.open(key_sha256(first), sealed, b"", NOW_MS + LATE)
    assert caught.value.code == GONE


@pytest.mark.parametrize("wrong", ["over", "twice"])
def test_keys_that_are_over_or_stand_twice_are_not_believed(wrong: str) -> None:
    answer = asked(NodeSealing())
    if wrong == "over":
        answer.not_after_ms = NOW_MS
    else:
        answer.keys.append(answer.keys[0])
    with pytest.raises(Unverified) as caught:
        read_keys(answer, NOW_MS)
    assert caught.value.code == "sealing-key"


def test_a_kind_of_a_later_version_is_left_alone() -> None:
    answer = asked(NodeSealing())
    answer.keys.append(sealing_pb2.SealingPublicKey(kind="later", data=b"x"))
    assert read_keys(answer, NOW_MS).choose().kind == HYBRID
