from __future__ import annotations

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.identity.dsse import (
    check_payload,
    pae,
    parse_envelope,
    parse_strictly,
    payload_type_of,
)
from dataspace.v1.envelope_pb2 import Envelope, Signature
from dataspace.v1.query_pb2 import NodeAnswer, Partial, PartialCell, QueryRequest, Refusal
from dataspace.v1.trust_pb2 import TrustList

from .world import refusal

UNKNOWN = b"\xa8\x4b\x01"  # field 1205, varint 1


def read_pae(data: bytes) -> tuple[str, bytes]:
    """An independent reader of the encoding, as the DSSE specification describes it."""
    magic, kind_length, rest = data.split(b" ", 2)
    kind, rest = rest[: int(kind_length)], rest[int(kind_length) :]
    _, payload_length, payload = rest.split(b" ", 2)
    assert magic == b"DSSEv1"
    assert len(payload) == int(payload_length)
    return kind.decode(), payload


def test_pae_agrees_with_the_vector_of_the_dsse_specification() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        ("", b"", b"DSSEv1 0  0 "),
        ("x", b"", b"DSSEv1 1 x 0 "),
        ("澳", b"a b", b"DSSEv1 3 \xe6\xbe\xb3 3 a b"),  # lengths count bytes
    ],
)
def test_pae_counts_bytes_in_decimal(kind: str, payload: bytes, expected: bytes) -> None:
    assert pae(kind, payload) == expected


@given(kind=st.text(max_size=40), payload=st.binary(max_size=200))
def test_pae_reads_back_in_one_way_alone(kind: str, payload: bytes) -> None:
    assert read_pae(pae(kind, payload)) == (kind, payload)


@pytest.mark.parametrize(
    ("message_class", "name"),
    [(QueryRequest, "queryrequest"), (Partial, "partial"), (TrustList, "trustlist")],
)
def test_a_payload_type_names_the_message(message_class: type[Message], name: str) -> None:
    expected = f"application/vnd.gba.dataspace.{name}.v1+protobuf"
    assert payload_type_of(message_class) == expected


@given(
    st.builds(
        Envelope,
        payload_type=st.text(max_size=20),
        payload=st.binary(max_size=50),
        signatures=st.lists(
            st.builds(
                Signature,
                sig=st.binary(max_size=20),
                chain=st.lists(st.binary(max_size=20), max_size=2),
                keyid=st.text(max_size=5),
            ),
            max_size=3,
        ),
    )
)
def test_an_envelope_reads_back_from_its_bytes(envelope: Envelope) -> None:
    assert parse_envelope(envelope.SerializeToString()) == envelope


@given(st.binary(max_size=200))
def test_any_bytes_are_an_envelope_or_malformed(data: bytes) -> None:
    try:
        parse_envelope(data)
    except Malformed as error:
        assert error.code in {"bad-message", "unknown-field"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (UNKNOWN, "unknown-field"),
        (Envelope(signatures=[Signature()]).SerializeToString() + UNKNOWN, "unknown-field"),
        (b"\x1a\x03" + UNKNOWN, "unknown-field"),  # inside a signature
        (b"\x12\x05ab", "bad-message"),  # cut short
        (b"\x0a\x01\xff", "bad-message"),  # a payload type that is no UTF-8
        (b"\xff", "bad-message"),
        (b"\x12\x0a0123456789" * 10, "too-large"),
    ],
)
def test_an_envelope_out_of_form_is_malformed(data: bytes, code: str) -> None:
    refusal(Malformed, code, parse_envelope, data, 100)


@pytest.mark.parametrize(
    "data",
    [
        b"\x5a\x03" + UNKNOWN,  # Partial.cells[0]
        b"\x5a\x05\x12\x03" + UNKNOWN,  # Partial.cells[0].states[0]
        b"\x5a\x02\x12\x00\x5a\x07\x12\x00\x12\x03" + UNKNOWN,  # the second state of the second
        b"\x0a\x03" + UNKNOWN,  # Partial.signer
    ],
)
def test_an_unknown_field_is_found_at_any_depth(data: bytes) -> None:
    refusal(Malformed, "unknown-field", parse_strictly, Partial, data, 1000)


def test_known_fields_at_every_depth_pass() -> None:
    partial = Partial(region="macao", cells=[PartialCell(states=[{"count": 5}])])
    assert parse_strictly(Partial, partial.SerializeToString(), 1000) == partial


def test_an_envelope_inside_another_message_is_read_strictly_when_it_is_used() -> None:
    inner = Envelope(payload_type=payload_type_of(Refusal)).SerializeToString() + UNKNOWN
    answer = NodeAnswer.FromString(b"\x0a" + bytes([len(inner)]) + inner)
    refusal(Malformed, "unknown-field", check_payload, answer.body, Refusal)
