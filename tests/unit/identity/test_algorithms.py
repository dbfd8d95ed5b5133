from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa, x25519
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Unverified
from dataspace.identity.algorithms import ALGORITHMS, algorithm_of, generate, sign, verify

from .world import refusal

KEYS: dict[str, Any] = {name: generate(name) for name in ALGORITHMS}


def test_the_set_of_algorithms_is_closed() -> None:
    assert ALGORITHMS == ("ecdsa-p256-sha256", "ed25519", "ml-dsa-44")
    refusal(Unverified, "unknown-algorithm", generate, "rsa")


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_key_alone_says_which_algorithm_signs(name: str) -> None:
    assert algorithm_of(KEYS[name].public_key()) == name


@pytest.mark.parametrize("name", ALGORITHMS)
@settings(max_examples=20, deadline=None)
@given(data=st.binary(max_size=200))
def test_what_a_key_signs_it_verifies(name: str, data: bytes) -> None:
    verify(KEYS[name].public_key(), sign(KEYS[name], data), data)


@pytest.mark.parametrize("name", ALGORITHMS)
@settings(max_examples=20, deadline=None)
@given(byte=st.integers(0, 1 << 16), bit=st.integers(0, 7))
def test_a_signature_or_message_with_one_bit_changed_is_unverified(
    name: str, byte: int, bit: int
) -> None:
    key, message = KEYS[name], b"what was meant"
    signature = sign(key, message)
    changed = bytearray(signature)
    changed[byte % len(changed)] ^= 1 << bit
    refusal(Unverified, "bad-signature", verify, key.public_key(), bytes(changed), message)
    refusal(Unverified, "bad-signature", verify, key.public_key(), signature, message + b"!")


@pytest.mark.parametrize("signature", [b"", b"\x30\x00", bytes(64), bytes(5000)])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_is_no_signature_is_unverified(name: str, signature: bytes) -> None:
    refusal(Unverified, "bad-signature", verify, KEYS[name].public_key(), signature, b"data")


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
        mldsa.MLDSA65PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
        x25519.X25519PrivateKey.generate(),
    ],
    ids=["p384", "secp256k1", "ed448", "ml-dsa-65", "rsa", "x25519"],
)
def test_other_keys_and_curves_neither_sign_nor_verify(key: Any) -> None:
    refusal(Unverified, "unknown-algorithm", algorithm_of, key.public_key())
    refusal(Unverified, "unknown-algorithm", sign, key, b"data")
    refusal(Unverified, "unknown-algorithm", verify, key.public_key(), b"", b"data")


def test_ed25519_agrees_with_the_first_vector_of_rfc_8032() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(
        bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    )
    expected = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
        "f9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert sign(key, b"").hex() == expected


def test_ecdsa_verifies_the_vector_of_rfc_6979() -> None:
    x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    y = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    r = "00efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    s = "00f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    key = ec.EllipticCurvePublicNumbers(int(x, 16), int(y, 16), ec.SECP256R1()).public_key()
    verify(key, bytes.fromhex("3046022100" + r[2:] + "022100" + s[2:]), b"sample")
