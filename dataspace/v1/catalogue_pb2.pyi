from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProductOffer(_message.Message):
    __slots__ = ("signer", "region", "product", "definition_json", "file_sha256", "published_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_JSON_FIELD_NUMBER: _ClassVar[int]
    FILE_SHA256_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    region: str
    product: str
    definition_json: str
    file_sha256: bytes
    published_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., region: _Optional[str] = ..., product: _Optional[str] = ..., definition_json: _Optional[str] = ..., file_sha256: _Optional[bytes] = ..., published_at_ms: _Optional[int] = ...) -> None: ...

class CatalogueRequest(_message.Message):
    __slots__ = ("signer", "freshness", "known_sha256")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_SHA256_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    known_sha256: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., known_sha256: _Optional[bytes] = ...) -> None: ...

class RuleNote(_message.Message):
    __slots__ = ("region", "product", "action", "purpose", "outcome", "rule", "basis")
    REGION_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    region: str
    product: str
    action: str
    purpose: str
    outcome: str
    rule: str
    basis: str
    def __init__(self, region: _Optional[str] = ..., product: _Optional[str] = ..., action: _Optional[str] = ..., purpose: _Optional[str] = ..., outcome: _Optional[str] = ..., rule: _Optional[str] = ..., basis: _Optional[str] = ...) -> None: ...

class CatalogueReply(_message.Message):
    __slots__ = ("signer", "request_sha256", "offers", "rules", "attached", "content_sha256")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    CONTENT_SHA256_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    offers: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    rules: _containers.RepeatedCompositeFieldContainer[RuleNote]
    attached: _containers.RepeatedScalarFieldContainer[str]
    content_sha256: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., offers: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., rules: _Optional[_Iterable[_Union[RuleNote, _Mapping]]] = ..., attached: _Optional[_Iterable[str]] = ..., content_sha256: _Optional[bytes] = ...) -> None: ...
