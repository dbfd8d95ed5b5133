from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RevocationList(_message.Message):
    __slots__ = ("signer", "space", "region", "number", "issued_at_ms", "next_at_ms", "revoked")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NEXT_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    space: str
    region: str
    number: int
    issued_at_ms: int
    next_at_ms: int
    revoked: _containers.RepeatedCompositeFieldContainer[RevokedCertificate]
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., space: _Optional[str] = ..., region: _Optional[str] = ..., number: _Optional[int] = ..., issued_at_ms: _Optional[int] = ..., next_at_ms: _Optional[int] = ..., revoked: _Optional[_Iterable[_Union[RevokedCertificate, _Mapping]]] = ...) -> None: ...

class RevokedCertificate(_message.Message):
    __slots__ = ("issuer", "serial", "spki_sha256", "revoked_at_ms", "reason")
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    SERIAL_FIELD_NUMBER: _ClassVar[int]
    SPKI_SHA256_FIELD_NUMBER: _ClassVar[int]
    REVOKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    issuer: bytes
    serial: bytes
    spki_sha256: bytes
    revoked_at_ms: int
    reason: str
    def __init__(self, issuer: _Optional[bytes] = ..., serial: _Optional[bytes] = ..., spki_sha256: _Optional[bytes] = ..., revoked_at_ms: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class RevocationLists(_message.Message):
    __slots__ = ("lists", "trust_lists")
    LISTS_FIELD_NUMBER: _ClassVar[int]
    TRUST_LISTS_FIELD_NUMBER: _ClassVar[int]
    lists: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    trust_lists: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, lists: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., trust_lists: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class RevocationRequest(_message.Message):
    __slots__ = ("trust_version",)
    TRUST_VERSION_FIELD_NUMBER: _ClassVar[int]
    trust_version: int
    def __init__(self, trust_version: _Optional[int] = ...) -> None: ...
