"""The form of a signed envelope, DSSE v1. Verifies no signature, judges nobody.

    PAE  = "DSSEv1" SP len(type) SP type SP len(payload) SP payload
    type = "application/vnd.gba.dataspace." message ".v1+protobuf"

`len` is decimal ASCII, `message` the protobuf name in lower case
(https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md).
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from dataspace.errors import Malformed
from dataspace.v1.envelope_pb2 import Envelope

M = TypeVar("M", bound=Message)

MAX_PAYLOAD_BYTES = 4 * 1024 * 1024
MAX_ENVELOPE_BYTES = MAX_PAYLOAD_BYTES + 64 * 1024  # signatures and chains beside the payload


def pae(payload_type: str, payload: bytes) -> bytes:
    """The exact bytes that a signature covers."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def payload_type_of(message_class: type[Message]) -> str:
    """`QueryRequest` -> `application/vnd.gba.dataspace.queryrequest.v1+protobuf`."""
    return f"application/vnd.gba.dataspace.{message_class.DESCRIPTOR.name.lower()}.v1+protobuf"


def check_payload(
    envelope: Envelope, message_class: type[Message], max_bytes: int = MAX_PAYLOAD_BYTES
) -> None:
    """Refuse, as `Malformed`, another type or too large a payload, without parsing it.

    Asked again of envelopes that came inside other messages, which nobody read strictly.
    """
    check_known(envelope)
    if envelope.payload_type != payload_type_of(message_class):
        raise Malformed(
            f"this envelope does not hold a {message_class.DESCRIPTOR.name}; send the right one",
            code="wrong-payload-type",
        )
    if len(envelope.payload) > max_bytes:
        raise _too_large(max_bytes)


def parse_envelope(data: bytes, max_bytes: int = MAX_ENVELOPE_BYTES) -> Envelope:
    """Read an envelope's bytes. Nothing in it is verified, nor its payload parsed."""
    return parse_strictly(Envelope, data, max_bytes)


def parse_strictly(message_class: type[M], data: bytes, max_bytes: int) -> M:
    """Read protobuf bytes; `Malformed` when too large, broken, or with any unknown field."""
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    message = message_class()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Malformed("these bytes are not a message of this kind", code="bad-message") from error
    check_known(message)
    return message


def check_known(message: Message) -> None:
    """Refuse, as `Malformed`, unknown fields at any depth.

    SECURITY: a field that only a newer reader knows would be signed by somebody who meant
    it and ignored by us.
    """
    if len(UnknownFieldSet(message)):
        raise Malformed(
            "the message has a field that this version does not know; use the same version",
            code="unknown-field",
        )
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            # The parser drops unknown fields of a map's entries: they could not be found.
            raise TypeError("signed messages have no map fields")
        for part in value if field.is_repeated else (value,):
            check_known(part)


def _too_large(max_bytes: int) -> Malformed:
    return Malformed(f"the message has more than {max_bytes} bytes; ask for less", code="too-large")
