from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReviewRequest(_message.Message):
    __slots__ = ("signer", "freshness", "list", "review")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    LIST_FIELD_NUMBER: _ClassVar[int]
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    list: ReviewList
    review: Review
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., list: _Optional[_Union[ReviewList, _Mapping]] = ..., review: _Optional[_Union[Review, _Mapping]] = ...) -> None: ...

class ReviewList(_message.Message):
    __slots__ = ("all",)
    ALL_FIELD_NUMBER: _ClassVar[int]
    all: bool
    def __init__(self, all: _Optional[bool] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("use", "verdict", "note")
    USE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    use: str
    verdict: str
    note: str
    def __init__(self, use: _Optional[str] = ..., verdict: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class ReviewAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "uses", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    USES_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    uses: _containers.RepeatedCompositeFieldContainer[EmergencyUse]
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., uses: _Optional[_Iterable[_Union[EmergencyUse, _Mapping]]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class EmergencyUse(_message.Message):
    __slots__ = ("use", "actor", "purpose", "reason", "products", "at_ms", "due_ms", "verdict", "reviewed_by", "reviewed_ms", "note")
    USE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    DUE_MS_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_BY_FIELD_NUMBER: _ClassVar[int]
    REVIEWED_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    use: str
    actor: str
    purpose: str
    reason: str
    products: _containers.RepeatedScalarFieldContainer[str]
    at_ms: int
    due_ms: int
    verdict: str
    reviewed_by: str
    reviewed_ms: int
    note: str
    def __init__(self, use: _Optional[str] = ..., actor: _Optional[str] = ..., purpose: _Optional[str] = ..., reason: _Optional[str] = ..., products: _Optional[_Iterable[str]] = ..., at_ms: _Optional[int] = ..., due_ms: _Optional[int] = ..., verdict: _Optional[str] = ..., reviewed_by: _Optional[str] = ..., reviewed_ms: _Optional[int] = ..., note: _Optional[str] = ...) -> None: ...
