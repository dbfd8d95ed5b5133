from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AgreementStep(_message.Message):
    __slots__ = ("signer", "freshness", "state", "agreement", "previous", "terms", "terms_sha256", "reason")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    TERMS_SHA256_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    state: str
    agreement: bytes
    previous: bytes
    terms: str
    terms_sha256: bytes
    reason: str
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., state: _Optional[str] = ..., agreement: _Optional[bytes] = ..., previous: _Optional[bytes] = ..., terms: _Optional[str] = ..., terms_sha256: _Optional[bytes] = ..., reason: _Optional[str] = ...) -> None: ...

class AgreementChain(_message.Message):
    __slots__ = ("steps",)
    STEPS_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, steps: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class AgreementRequest(_message.Message):
    __slots__ = ("signer", "freshness", "agreement")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    AGREEMENT_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    agreement: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., agreement: _Optional[bytes] = ...) -> None: ...

class AgreementAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "held", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    held: _containers.RepeatedCompositeFieldContainer[AgreementHeld]
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., held: _Optional[_Iterable[_Union[AgreementHeld, _Mapping]]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class AgreementHeld(_message.Message):
    __slots__ = ("chain", "budget_used", "received_ms")
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    BUDGET_USED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_MS_FIELD_NUMBER: _ClassVar[int]
    chain: AgreementChain
    budget_used: int
    received_ms: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, chain: _Optional[_Union[AgreementChain, _Mapping]] = ..., budget_used: _Optional[int] = ..., received_ms: _Optional[_Iterable[int]] = ...) -> None: ...
