from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import query_pb2 as _query_pb2
from dataspace.v1 import sealing_pb2 as _sealing_pb2
from dataspace.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordRequest(_message.Message):
    __slots__ = ("signer", "freshness", "asks")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    asks: _containers.RepeatedCompositeFieldContainer[_sealing_pb2.SealedFor]
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., asks: _Optional[_Iterable[_Union[_sealing_pb2.SealedFor, _Mapping]]] = ...) -> None: ...

class RecordAsk(_message.Message):
    __slots__ = ("documents", "purpose", "consents", "products", "reason", "reply_key")
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REPLY_KEY_FIELD_NUMBER: _ClassVar[int]
    documents: _containers.RepeatedCompositeFieldContainer[RecordDocument]
    purpose: str
    consents: _containers.RepeatedScalarFieldContainer[str]
    products: _containers.RepeatedScalarFieldContainer[str]
    reason: str
    reply_key: _sealing_pb2.SealingPublicKey
    def __init__(self, documents: _Optional[_Iterable[_Union[RecordDocument, _Mapping]]] = ..., purpose: _Optional[str] = ..., consents: _Optional[_Iterable[str]] = ..., products: _Optional[_Iterable[str]] = ..., reason: _Optional[str] = ..., reply_key: _Optional[_Union[_sealing_pb2.SealingPublicKey, _Mapping]] = ...) -> None: ...

class RecordDocument(_message.Message):
    __slots__ = ("kind", "number")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    kind: str
    number: str
    def __init__(self, kind: _Optional[str] = ..., number: _Optional[str] = ...) -> None: ...

class RecordAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "sealed", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    sealed: bytes
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., sealed: _Optional[bytes] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class RecordReply(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "tables", "catalogue_sha256", "policy_sha256", "consents", "emergency_use", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    TABLES_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_SHA256_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    CONSENTS_FIELD_NUMBER: _ClassVar[int]
    EMERGENCY_USE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    tables: _containers.RepeatedCompositeFieldContainer[RecordTable]
    catalogue_sha256: bytes
    policy_sha256: bytes
    consents: _containers.RepeatedScalarFieldContainer[str]
    emergency_use: str
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., tables: _Optional[_Iterable[_Union[RecordTable, _Mapping]]] = ..., catalogue_sha256: _Optional[bytes] = ..., policy_sha256: _Optional[bytes] = ..., consents: _Optional[_Iterable[str]] = ..., emergency_use: _Optional[str] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class RecordTable(_message.Message):
    __slots__ = ("product", "columns", "rows", "truncated", "left_out", "refused", "rules", "bases")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    product: str
    columns: _containers.RepeatedScalarFieldContainer[str]
    rows: _containers.RepeatedCompositeFieldContainer[RecordRow]
    truncated: bool
    left_out: _containers.RepeatedCompositeFieldContainer[LeftOut]
    refused: _query_pb2.ErrorStatus
    rules: _containers.RepeatedScalarFieldContainer[str]
    bases: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, product: _Optional[str] = ..., columns: _Optional[_Iterable[str]] = ..., rows: _Optional[_Iterable[_Union[RecordRow, _Mapping]]] = ..., truncated: _Optional[bool] = ..., left_out: _Optional[_Iterable[_Union[LeftOut, _Mapping]]] = ..., refused: _Optional[_Union[_query_pb2.ErrorStatus, _Mapping]] = ..., rules: _Optional[_Iterable[str]] = ..., bases: _Optional[_Iterable[str]] = ...) -> None: ...

class RecordRow(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[_values_pb2.Value]
    def __init__(self, values: _Optional[_Iterable[_Union[_values_pb2.Value, _Mapping]]] = ...) -> None: ...

class LeftOut(_message.Message):
    __slots__ = ("column", "refused")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    column: str
    refused: _query_pb2.ErrorStatus
    def __init__(self, column: _Optional[str] = ..., refused: _Optional[_Union[_query_pb2.ErrorStatus, _Mapping]] = ...) -> None: ...
