"""Sealing: opened by one key, in one place, and of a size that says little."""

from __future__ import annotations

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.sealing import (
    HYBRID,
    KINDS,
    SEED_BYTES,
    X25519,
    PublicSealingKey,
    SealingKey,
    bound_to,
    common_kind,
    pad,
    unpad,
)

from .vectors import read_vectors

INFO = bound_to("test", b"one")


def key(kind: str, first: int = 1) -> SealingKey:
    return SealingKey.from_seed(kind, bytes([first]) * SEED_BYTES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sealed_opens_with_the_key_and_its_place(kind: str) -> None:
    holder = key(kind)
    public = PublicSealingKey(kind, holder.public.data)
    sealed = public.seal(b"secret", INFO)
    assert b"secret" not in sealed
    assert holder.open(sealed, INFO) == b"secret"
    assert public.seal(b"secret", INFO) != sealed


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_key_place_or_changed_bytes_open_it(kind: str) -> None:
    holder = key(kind)
    sealed = holder.public.seal(b"secret", INFO)
    changed = [sealed[:-1], sealed[:10], b"", sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed + b"a"]
    tries = [(holder, bound_to("test", b"two")), (key(kind, 2), INFO)]
    for opener, info in tries:
        with pytest.raises(Unverified):
            opener.open(sealed, info)
    for other in changed:
        with pytest.raises(Unverified) as caught:
            holder.open(other, INFO)
        assert caught.value.code == "sealed"


def test_the_x25519_suite_opens_the_vector_of_rfc_9180() -> None:
    # Appendix A.1.1 uses AES-128-GCM and associated data, which we do not: it holds the KEM and
    # the key schedule that we do use to what others made.
    vector = {name: bytes.fromhex(text) for name, text in read_vectors("rfc9180_a1").items()}
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_128_GCM)
    private = X25519PrivateKey.from_private_bytes(vector["recipient_secret"])
    sealed = vector["enc"] + vector["ciphertext"]
    opened = openssl.hpke._decrypt_with_aad(suite, sealed, private, vector["info"], vector["aad"])
    assert opened == vector["plaintext"]


@pytest.mark.parametrize(
    ("kind", "data"),
    [(X25519, b"a" * 31), (HYBRID, b"a" * 32), ("rot13", b"a" * 32), (HYBRID, b"\xff" * 1216)],
)
def test_what_is_no_key_is_refused(kind: str, data: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        PublicSealingKey(kind, data)
    assert caught.value.code == "sealing-key"


def test_a_key_of_small_order_is_refused_when_used() -> None:
    with pytest.raises(Malformed):
        PublicSealingKey(X25519, bytes(32)).seal(b"a", INFO)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_makes_no_key(length: int) -> None:
    with pytest.raises(Malformed):
        SealingKey.from_seed(X25519, bytes(length))


def test_the_hybrid_is_used_where_both_sides_have_it() -> None:
    assert common_kind(KINDS, [X25519, HYBRID]) == HYBRID
    assert common_kind(KINDS, [X25519]) == X25519
    with pytest.raises(Malformed):
        common_kind([X25519], ["rot13"])


def test_parts_of_a_place_cannot_be_shifted_into_each_other() -> None:
    assert bound_to("a", b"bc", b"d") != bound_to("a", b"b", b"cd")
    assert bound_to("ab", b"c") != bound_to("a", b"bc")
    assert bound_to("a", b"", b"b") != bound_to("a", b"b")


@given(st.binary(max_size=20_000))
def test_padding_comes_off_as_it_went_on(data: bytes) -> None:
    assert unpad(pad(data)) == data


def test_nothing_looks_like_something() -> None:
    assert len(pad(b"")) == len(pad(b"a" * 4092)) == 4096
    assert len(pad(b"a" * 4093)) == 8192


@pytest.mark.parametrize(
    "padded",
    [b"", b"\0\0\0", pad(b"a")[:-1], pad(b"a") + b"\0", pad(b"a")[:-1] + b"x", b"\xff" * 4096],
)
def test_any_other_filling_is_refused(padded: bytes) -> None:
    with pytest.raises(Unverified):
        unpad(padded)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(Malformed):
        pad(bytes(4 * 1024 * 1024))
