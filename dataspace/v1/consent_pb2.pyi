from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ConsentRequest(_message.Message):
    __slots__ = ("signer", "freshness", "give", "withdraw", "list")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    GIVE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    give: ConsentGive
    withdraw: ConsentWithdraw
    list: ConsentList
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., give: _Optional[_Union[ConsentGive, _Mapping]] = ..., withdraw: _Optional[_Union[ConsentWithdraw, _Mapping]] = ..., list: _Optional[_Union[ConsentList, _Mapping]] = ...) -> None: ...

class ConsentGive(_message.Message):
    __slots__ = ("document_kind", "document_number", "scope")
    DOCUMENT_KIND_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    document_kind: str
    document_number: str
    scope: ConsentScope
    def __init__(self, document_kind: _Optional[str] = ..., document_number: _Optional[str] = ..., scope: _Optional[_Union[ConsentScope, _Mapping]] = ...) -> None: ...

class ConsentScope(_message.Message):
    __slots__ = ("region", "member", "purposes", "categories", "expires_ms")
    REGION_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    CATEGORIES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_MS_FIELD_NUMBER: _ClassVar[int]
    region: str
    member: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    categories: _containers.RepeatedScalarFieldContainer[str]
    expires_ms: int
    def __init__(self, region: _Optional[str] = ..., member: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., categories: _Optional[_Iterable[str]] = ..., expires_ms: _Optional[int] = ...) -> None: ...

class ConsentWithdraw(_message.Message):
    __slots__ = ("consent",)
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    consent: str
    def __init__(self, consent: _Optional[str] = ...) -> None: ...

class ConsentList(_message.Message):
    __slots__ = ("consent", "document_kind", "document_number")
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_KIND_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    consent: str
    document_kind: str
    document_number: str
    def __init__(self, consent: _Optional[str] = ..., document_kind: _Optional[str] = ..., document_number: _Optional[str] = ...) -> None: ...

class ConsentReceipt(_message.Message):
    __slots__ = ("signer", "consent", "subject_commitment", "scope", "issued_by", "request_sha256", "given_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ISSUED_BY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    GIVEN_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    consent: str
    subject_commitment: bytes
    scope: ConsentScope
    issued_by: str
    request_sha256: bytes
    given_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., consent: _Optional[str] = ..., subject_commitment: _Optional[bytes] = ..., scope: _Optional[_Union[ConsentScope, _Mapping]] = ..., issued_by: _Optional[str] = ..., request_sha256: _Optional[bytes] = ..., given_ms: _Optional[int] = ...) -> None: ...

class ConsentAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "held", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    held: _containers.RepeatedCompositeFieldContainer[ConsentHeld]
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., held: _Optional[_Iterable[_Union[ConsentHeld, _Mapping]]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class ConsentHeld(_message.Message):
    __slots__ = ("receipt", "withdrawn_ms")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_MS_FIELD_NUMBER: _ClassVar[int]
    receipt: _envelope_pb2.Envelope
    withdrawn_ms: int
    def __init__(self, receipt: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., withdrawn_ms: _Optional[int] = ...) -> None: ...
