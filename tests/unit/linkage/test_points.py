"""Points: vectors of RFC 9380 and 9496, what is refused, and the algebra that rings rest on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed, Unverified
from dataspace.linkage import sodium
from dataspace.linkage.hashing import expand, expand_each
from dataspace.linkage.points import (
    GENERATOR,
    GROUP_ORDER,
    blind,
    check_points,
    hash_all,
    hash_to_group,
    inverse,
    random_points,
    scalar_from,
)

from .vectors import read_vectors

_RFC9496 = read_vectors("rfc9496")
MULTIPLES: list[str] = _RFC9496["multiples"]
INVALID: list[str] = _RFC9496["invalid"]
HASHED: dict[str, str] = _RFC9496["hashed"]

DST = b"test of points"
UNIFORM = st.binary(min_size=64, max_size=64).filter(any)
SCALARS = UNIFORM.map(scalar_from)
MESSAGES = st.lists(st.binary(max_size=40), min_size=1, max_size=8)

# RFC 9380, appendix K.3: expand_message_xmd with SHA-512.
EXPANDER_DST = b"QUUX-V01-CS02-with-expander-SHA512-256"
EXPANDED = [
    (b"", "6b9a7312411d92f921c6f68ca0b6380730a1a4d982c507211a90964c394179ba"),
    (b"abc", "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc"),
    (b"abcdef0123456789", "087e45a86e2939ee8b91100af1583c4938e0f5fc6c9db4b107b83346bc967f58"),
    (
        b"abc",
        "7f1dddd13c08b543f2e2037b14cefb255b44c83cc397c1786d975653e36a6b11"
        "bdd7732d8b38adb4a0edc26a0cef4bb45217135456e58fbca1703cd6032cb134"
        "7ee720b87972d63fbf232587043ed2901bce7f22610c0419751c065922b48843"
        "1851041310ad659e4b23520e1772ab29dcdeb2002222a363f0c2b1c972b3efe1",
    ),
]


def small(value: int) -> bytes:
    return value.to_bytes(32, "little")


@pytest.mark.parametrize(("message", "expected"), EXPANDED)
def test_messages_expand_as_rfc_9380_says(message: bytes, expected: str) -> None:
    assert expand(message, EXPANDER_DST, len(expected) // 2).hex() == expected


def test_many_messages_expand_as_each_of_them_does() -> None:
    messages = [b"", b"a", b"b" * 200]
    assert expand_each(messages, DST) == b"".join(expand(each, DST, 64) for each in messages)


@pytest.mark.parametrize(("text", "expected"), HASHED.items())
def test_the_one_way_map_is_that_of_rfc_9496(text: str, expected: str) -> None:
    assert random_points(hashlib.sha512(text.encode()).digest()).hex() == expected


@pytest.mark.parametrize("factor", range(1, 16))
def test_multiples_of_the_generator_are_those_of_rfc_9496(factor: int) -> None:
    assert blind(GENERATOR, small(factor)).hex() == MULTIPLES[factor]


@pytest.mark.parametrize("encoding", [*INVALID, MULTIPLES[0]])
@pytest.mark.parametrize("position", [0, 2])
def test_encodings_that_are_not_canonical_and_the_identity_are_refused_by_position(
    encoding: str, position: int
) -> None:
    batch = GENERATOR * position + bytes.fromhex(encoding) + GENERATOR
    with pytest.raises(Unverified, match=f"point {100 + position} ") as caught:
        blind(batch, small(7), first=100)
    assert caught.value.code == "bad-point"
    with pytest.raises(Unverified, match=f"point {100 + position} "):
        check_points(batch, 100)


def test_zeros_across_two_points_are_not_the_identity() -> None:
    ends_in_zeros = next(small(even) for even in range(2, 256, 2) if sodium.valid(small(even)))
    begins_with_zero = next(
        point
        for point in (hash_to_group(b"%d" % number, DST) for number in range(10_000))
        if point[0] == 0
    )
    check_points(ends_in_zeros + begins_with_zero)


@pytest.mark.parametrize("scalar", [bytes(32), small(GROUP_ORDER), b"\xff" * 32, b"\x01"])
def test_scalars_that_are_zero_or_not_reduced_are_refused(scalar: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        blind(GENERATOR, scalar)
    assert caught.value.code == "scalar"
    with pytest.raises(Malformed):
        inverse(scalar)


@pytest.mark.parametrize("uniform", [bytes(64), b"\x01" * 63, small(GROUP_ORDER) + bytes(32)])
def test_bytes_that_make_no_scalar_are_refused(uniform: bytes) -> None:
    with pytest.raises(Malformed):
        scalar_from(uniform)


def test_a_point_cut_short_is_refused() -> None:
    with pytest.raises(Unverified):
        blind(GENERATOR[:-1], small(3))
    with pytest.raises(Unverified):
        check_points(b"\x00")


def test_the_same_message_under_another_tag_is_another_point() -> None:
    assert hash_to_group(b"a", b"one") != hash_to_group(b"a", b"two")


def test_nothing_shorter_than_c_reads_reaches_it() -> None:
    short = GENERATOR[:-1]
    calls: list[Callable[[], object]] = [
        lambda: sodium.multiply(short, GENERATOR),
        lambda: sodium.multiply(small(2), short),
        lambda: sodium.valid(short),
        lambda: sodium.from_uniform(short),
        lambda: sodium.multiply_base(short),
        lambda: sodium.add(GENERATOR, short),
        lambda: sodium.add(short, GENERATOR),
        lambda: sodium.scalar_reduce(short),
        lambda: sodium.scalar_invert(short),
        lambda: sodium.scalar_multiply(short, small(2)),
        lambda: sodium.scalar_subtract(small(2), short),
    ]
    for call in calls:
        with pytest.raises(ValueError):
            call()


def test_an_empty_batch_stays_empty() -> None:
    assert blind(b"", small(3)) == hash_all([], DST) == random_points(b"") == b""
    check_points(b"")


@given(MESSAGES, st.lists(SCALARS, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_the_order_of_blinding_does_not_matter(messages: list[bytes], scalars: list[bytes]) -> None:
    forward = backward = hash_all(messages, DST)
    for scalar in scalars:
        forward = blind(forward, scalar)
    for scalar in reversed(scalars):
        backward = blind(backward, scalar)
    assert forward == backward
    check_points(forward)


@given(MESSAGES, SCALARS)
@settings(max_examples=25, deadline=None)
def test_the_inverse_undoes_blinding(messages: list[bytes], scalar: bytes) -> None:
    points = hash_all(messages, DST)
    assert blind(blind(points, scalar), inverse(scalar)) == points


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=8), SCALARS)
@settings(max_examples=25, deadline=None)
def test_blinded_points_are_equal_exactly_where_the_messages_are(
    messages: list[bytes], scalar: bytes
) -> None:
    blinded = blind(hash_all(messages, DST), scalar)
    each = [blinded[at : at + 32] for at in range(0, len(blinded), 32)]
    for one, first in zip(messages, each, strict=True):
        for other, second in zip(messages, each, strict=True):
            assert (first == second) == (one == other)


def test_the_library_leaves_no_file_behind() -> None:
    assert not Path(sodium.LIBRARY_FILE).exists()
