from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import query_pb2 as _query_pb2
from dataspace.v1 import sealing_pb2 as _sealing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExistenceTermsRequest(_message.Message):
    __slots__ = ("signer", "freshness", "purpose")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    purpose: str
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., purpose: _Optional[str] = ...) -> None: ...

class ExistenceTerms(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "epoch", "ends_at_ms", "public_key", "bucket_bits", "table", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ENDS_AT_MS_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    BUCKET_BITS_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    epoch: int
    ends_at_ms: int
    public_key: bytes
    bucket_bits: int
    table: _query_pb2.Receipt
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., epoch: _Optional[int] = ..., ends_at_ms: _Optional[int] = ..., public_key: _Optional[bytes] = ..., bucket_bits: _Optional[int] = ..., table: _Optional[_Union[_query_pb2.Receipt, _Mapping]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class ExistenceRequest(_message.Message):
    __slots__ = ("signer", "freshness", "purpose", "reply_key", "asks")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    REPLY_KEY_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    purpose: str
    reply_key: _sealing_pb2.SealingPublicKey
    asks: _containers.RepeatedCompositeFieldContainer[ExistenceAsk]
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., purpose: _Optional[str] = ..., reply_key: _Optional[_Union[_sealing_pb2.SealingPublicKey, _Mapping]] = ..., asks: _Optional[_Iterable[_Union[ExistenceAsk, _Mapping]]] = ...) -> None: ...

class ExistenceAsk(_message.Message):
    __slots__ = ("epoch", "question")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    question: _sealing_pb2.SealedFor
    def __init__(self, epoch: _Optional[int] = ..., question: _Optional[_Union[_sealing_pb2.SealedFor, _Mapping]] = ...) -> None: ...

class ExistenceAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "epoch", "sealed", "table", "rules", "bases", "policy_sha256", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    TABLE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    epoch: int
    sealed: bytes
    table: _query_pb2.Receipt
    rules: _containers.RepeatedScalarFieldContainer[str]
    bases: _containers.RepeatedScalarFieldContainer[str]
    policy_sha256: bytes
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., epoch: _Optional[int] = ..., sealed: _Optional[bytes] = ..., table: _Optional[_Union[_query_pb2.Receipt, _Mapping]] = ..., rules: _Optional[_Iterable[str]] = ..., bases: _Optional[_Iterable[str]] = ..., policy_sha256: _Optional[bytes] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class ExistenceBucket(_message.Message):
    __slots__ = ("evaluated", "proof", "row", "path")
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    ROW_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    evaluated: bytes
    proof: bytes
    row: bytes
    path: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, evaluated: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., row: _Optional[bytes] = ..., path: _Optional[_Iterable[bytes]] = ...) -> None: ...
