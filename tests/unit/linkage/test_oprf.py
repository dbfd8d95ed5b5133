"""The OPRF: every vector of RFC 9497 in VOPRF mode, and what a cheating node is caught at."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.oprf import (
    EpochKey,
    blind_input,
    derive_key,
    evaluate,
    evaluate_blinded,
    finalize,
)
from dataspace.linkage.points import GENERATOR, GROUP_ORDER, scalar_from

from .vectors import read_vectors

RFC = read_vectors("rfc9497_voprf")
KEY = derive_key(bytes.fromhex(RFC["seed"]), bytes.fromhex(RFC["key_info"]))
OTHER = derive_key(b"\x01" * 32, b"")
NONCE = scalar_from(b"\x05" * 64)
BLINDS = [scalar_from(bytes([number]) * 64) for number in (6, 7, 8)]


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def test_keys_are_derived_as_rfc_9497_says() -> None:
    assert (KEY.secret.hex(), KEY.public.hex()) == (RFC["secret"], RFC["public"])


@pytest.mark.parametrize("vector", RFC["vectors"], ids=["one", "two", "batch"])
def test_every_step_gives_the_bytes_of_rfc_9497(vector: dict[str, Any]) -> None:
    inputs, scalars = unhex(vector["input"]), unhex(vector["blind"])
    blinded = list(map(blind_input, inputs, scalars))
    assert [each.hex() for each in blinded] == vector["blinded"]
    nonce = bytes.fromhex(vector["proof_scalar"])
    evaluated, proof = evaluate_blinded(KEY, b"".join(blinded), nonce)
    assert evaluated.hex() == "".join(vector["evaluated"])
    assert proof.hex() == vector["proof"]
    outputs = finalize(KEY.public, inputs, scalars, evaluated, proof)
    assert [each.hex() for each in outputs] == vector["output"]
    assert evaluate(KEY.secret, inputs) == b"".join(outputs)


@given(
    st.lists(st.binary(max_size=30), min_size=1, max_size=3), st.binary(min_size=64, max_size=64)
)
@settings(max_examples=15, deadline=None)
def test_what_the_requester_gets_is_what_the_node_would_compute(
    inputs: list[bytes], uniform: bytes
) -> None:
    scalars = BLINDS[: len(inputs)]
    blinded = b"".join(map(blind_input, inputs, scalars))
    nonce = scalar_from(uniform[:-1] + b"\x01")
    evaluated, proof = evaluate_blinded(KEY, blinded, nonce)
    outputs = finalize(KEY.public, inputs, scalars, evaluated, proof)
    assert b"".join(outputs) == evaluate(KEY.secret, inputs)


def test_a_node_that_uses_another_key_than_its_epochs_is_caught() -> None:
    evaluated, proof = evaluate_blinded(OTHER, blind_input(b"a", BLINDS[0]), NONCE)
    with pytest.raises(Unverified) as caught:
        finalize(KEY.public, [b"a"], BLINDS[:1], evaluated, proof)
    assert caught.value.code == "oprf-proof"


def test_one_element_under_another_key_spoils_the_proof_of_all() -> None:
    inputs, scalars = [b"a", b"b"], BLINDS[:2]
    blinded = b"".join(map(blind_input, inputs, scalars))
    evaluated, proof = evaluate_blinded(KEY, blinded, NONCE)
    swapped, _ = evaluate_blinded(OTHER, blinded[32:], NONCE)
    for answer in (evaluated[:32] + swapped, evaluated[32:] + evaluated[:32], evaluated[:32]):
        with pytest.raises(Unverified) as caught:
            finalize(KEY.public, inputs, scalars, answer, proof)
        assert caught.value.code == "oprf-proof"


@pytest.mark.parametrize("change", ["zero", "unreduced", "short", "flipped"])
def test_a_proof_in_any_other_form_is_refused(change: str) -> None:
    evaluated, proof = evaluate_blinded(KEY, blind_input(b"a", BLINDS[0]), NONCE)
    unreduced = (int.from_bytes(proof[32:], "little") + GROUP_ORDER).to_bytes(32, "little")
    changed = {
        "zero": proof[:32] + bytes(32),
        "unreduced": proof[:32] + unreduced,
        "short": proof[:-1],
        "flipped": bytes([proof[0] ^ 1]) + proof[1:],
    }[change]
    with pytest.raises(Unverified) as caught:
        finalize(KEY.public, [b"a"], BLINDS[:1], evaluated, changed)
    assert caught.value.code == "oprf-proof"


def test_the_identity_and_other_non_points_are_never_evaluated() -> None:
    for element in (bytes(32), b"\xff" * 32, GENERATOR[:-1]):
        with pytest.raises(Unverified) as caught:
            evaluate_blinded(KEY, element, NONCE)
        assert caught.value.code == "bad-point"


def test_a_batch_of_none_has_no_proof() -> None:
    with pytest.raises(Malformed):
        evaluate_blinded(KEY, b"", NONCE)


def test_a_key_whose_halves_do_not_belong_together_cannot_be_made() -> None:
    with pytest.raises(Malformed):
        EpochKey(KEY.secret, OTHER.public)
