from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SealingKeyRequest(_message.Message):
    __slots__ = ("signer", "freshness")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ...) -> None: ...

class SealingKeyAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "keys", "not_after_ms", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    NOT_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    keys: _containers.RepeatedCompositeFieldContainer[SealingPublicKey]
    not_after_ms: int
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[SealingPublicKey, _Mapping]]] = ..., not_after_ms: _Optional[int] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class SealingPublicKey(_message.Message):
    __slots__ = ("kind", "data")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    kind: str
    data: bytes
    def __init__(self, kind: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class SealedFor(_message.Message):
    __slots__ = ("region", "key_sha256", "sealed")
    REGION_FIELD_NUMBER: _ClassVar[int]
    KEY_SHA256_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    region: str
    key_sha256: bytes
    sealed: bytes
    def __init__(self, region: _Optional[str] = ..., key_sha256: _Optional[bytes] = ..., sealed: _Optional[bytes] = ...) -> None: ...
