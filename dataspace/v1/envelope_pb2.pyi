from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Envelope(_message.Message):
    __slots__ = ("payload_type", "payload", "signatures")
    PAYLOAD_TYPE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    payload_type: str
    payload: bytes
    signatures: _containers.RepeatedCompositeFieldContainer[Signature]
    def __init__(self, payload_type: _Optional[str] = ..., payload: _Optional[bytes] = ..., signatures: _Optional[_Iterable[_Union[Signature, _Mapping]]] = ...) -> None: ...

class Signature(_message.Message):
    __slots__ = ("sig", "chain", "keyid")
    SIG_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    KEYID_FIELD_NUMBER: _ClassVar[int]
    sig: bytes
    chain: _containers.RepeatedScalarFieldContainer[bytes]
    keyid: str
    def __init__(self, sig: _Optional[bytes] = ..., chain: _Optional[_Iterable[bytes]] = ..., keyid: _Optional[str] = ...) -> None: ...

class Signer(_message.Message):
    __slots__ = ("uri", "leaf_sha256")
    URI_FIELD_NUMBER: _ClassVar[int]
    LEAF_SHA256_FIELD_NUMBER: _ClassVar[int]
    uri: str
    leaf_sha256: bytes
    def __init__(self, uri: _Optional[str] = ..., leaf_sha256: _Optional[bytes] = ...) -> None: ...

class Freshness(_message.Message):
    __slots__ = ("issued_at_ms", "expires_at_ms", "nonce", "audience")
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    issued_at_ms: int
    expires_at_ms: int
    nonce: bytes
    audience: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, issued_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., nonce: _Optional[bytes] = ..., audience: _Optional[_Iterable[str]] = ...) -> None: ...
