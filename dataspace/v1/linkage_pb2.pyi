from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import sealing_pb2 as _sealing_pb2
from dataspace.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RoundPlan(_message.Message):
    __slots__ = ("request_sha256", "attempt", "tier", "regions", "slots", "chunk_tuples")
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_TUPLES_FIELD_NUMBER: _ClassVar[int]
    request_sha256: bytes
    attempt: int
    tier: str
    regions: _containers.RepeatedScalarFieldContainer[str]
    slots: _containers.RepeatedScalarFieldContainer[str]
    chunk_tuples: int
    def __init__(self, request_sha256: _Optional[bytes] = ..., attempt: _Optional[int] = ..., tier: _Optional[str] = ..., regions: _Optional[_Iterable[str]] = ..., slots: _Optional[_Iterable[str]] = ..., chunk_tuples: _Optional[int] = ...) -> None: ...

class RoundInvitation(_message.Message):
    __slots__ = ("plan", "request", "offers", "deadline_ms", "credit")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    plan: RoundPlan
    request: _envelope_pb2.Envelope
    offers: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    deadline_ms: int
    credit: int
    def __init__(self, plan: _Optional[_Union[RoundPlan, _Mapping]] = ..., request: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., offers: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., deadline_ms: _Optional[int] = ..., credit: _Optional[int] = ...) -> None: ...

class LinkageBatch(_message.Message):
    __slots__ = ("code", "tuples")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TUPLES_FIELD_NUMBER: _ClassVar[int]
    code: bytes
    tuples: int
    def __init__(self, code: _Optional[bytes] = ..., tuples: _Optional[int] = ...) -> None: ...

class RoundJoin(_message.Message):
    __slots__ = ("signer", "region", "round_id", "sealing_key", "inputs_commitment", "batches", "contribution_sha256", "padded")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ROUND_ID_FIELD_NUMBER: _ClassVar[int]
    SEALING_KEY_FIELD_NUMBER: _ClassVar[int]
    INPUTS_COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_SHA256_FIELD_NUMBER: _ClassVar[int]
    PADDED_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    region: str
    round_id: bytes
    sealing_key: _sealing_pb2.SealingPublicKey
    inputs_commitment: bytes
    batches: _containers.RepeatedCompositeFieldContainer[LinkageBatch]
    contribution_sha256: bytes
    padded: bool
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., region: _Optional[str] = ..., round_id: _Optional[bytes] = ..., sealing_key: _Optional[_Union[_sealing_pb2.SealingPublicKey, _Mapping]] = ..., inputs_commitment: _Optional[bytes] = ..., batches: _Optional[_Iterable[_Union[LinkageBatch, _Mapping]]] = ..., contribution_sha256: _Optional[bytes] = ..., padded: _Optional[bool] = ...) -> None: ...

class RoundStart(_message.Message):
    __slots__ = ("joins",)
    JOINS_FIELD_NUMBER: _ClassVar[int]
    joins: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, joins: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class HopPlace(_message.Message):
    __slots__ = ("transcript", "stream", "hop", "chunk", "tuples")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TUPLES_FIELD_NUMBER: _ClassVar[int]
    transcript: bytes
    stream: str
    hop: int
    chunk: int
    tuples: int
    def __init__(self, transcript: _Optional[bytes] = ..., stream: _Optional[str] = ..., hop: _Optional[int] = ..., chunk: _Optional[int] = ..., tuples: _Optional[int] = ...) -> None: ...

class HopChunk(_message.Message):
    __slots__ = ("signer", "place", "to", "sealed")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    place: HopPlace
    to: str
    sealed: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., place: _Optional[_Union[HopPlace, _Mapping]] = ..., to: _Optional[str] = ..., sealed: _Optional[bytes] = ...) -> None: ...

class BlindedChunk(_message.Message):
    __slots__ = ("signer", "place", "tokens")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    place: HopPlace
    tokens: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., place: _Optional[_Union[HopPlace, _Mapping]] = ..., tokens: _Optional[bytes] = ...) -> None: ...

class KeyContribution(_message.Message):
    __slots__ = ("signer", "transcript", "to", "sealed")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    transcript: bytes
    to: str
    sealed: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., transcript: _Optional[bytes] = ..., to: _Optional[str] = ..., sealed: _Optional[bytes] = ...) -> None: ...

class PaddingNote(_message.Message):
    __slots__ = ("signer", "transcript", "to", "sealed")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    transcript: bytes
    to: str
    sealed: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., transcript: _Optional[bytes] = ..., to: _Optional[str] = ..., sealed: _Optional[bytes] = ...) -> None: ...

class ChunksTaken(_message.Message):
    __slots__ = ("stream", "hop", "chunks")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    CHUNKS_FIELD_NUMBER: _ClassVar[int]
    stream: str
    hop: int
    chunks: int
    def __init__(self, stream: _Optional[str] = ..., hop: _Optional[int] = ..., chunks: _Optional[int] = ...) -> None: ...

class OverlapCounts(_message.Message):
    __slots__ = ("transcript", "counts", "margins", "unused")
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    MARGINS_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    transcript: bytes
    counts: _containers.RepeatedCompositeFieldContainer[OverlapCount]
    margins: _containers.RepeatedCompositeFieldContainer[OverlapCount]
    unused: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, transcript: _Optional[bytes] = ..., counts: _Optional[_Iterable[_Union[OverlapCount, _Mapping]]] = ..., margins: _Optional[_Iterable[_Union[OverlapCount, _Mapping]]] = ..., unused: _Optional[_Iterable[str]] = ...) -> None: ...

class OverlapCount(_message.Message):
    __slots__ = ("codes", "people")
    CODES_FIELD_NUMBER: _ClassVar[int]
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    codes: _containers.RepeatedScalarFieldContainer[bytes]
    people: int
    def __init__(self, codes: _Optional[_Iterable[bytes]] = ..., people: _Optional[int] = ...) -> None: ...

class OverlapPartial(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "transcript", "catalogue_sha256", "policy_sha256", "product", "rules", "bases", "decided_at_ms", "min_subjects", "round_to", "cells", "labels_sealed", "unused")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_SHA256_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    MIN_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TO_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    LABELS_SEALED_FIELD_NUMBER: _ClassVar[int]
    UNUSED_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    transcript: bytes
    catalogue_sha256: bytes
    policy_sha256: bytes
    product: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    bases: _containers.RepeatedScalarFieldContainer[str]
    decided_at_ms: int
    min_subjects: int
    round_to: int
    cells: _containers.RepeatedCompositeFieldContainer[OverlapCount]
    labels_sealed: bytes
    unused: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., transcript: _Optional[bytes] = ..., catalogue_sha256: _Optional[bytes] = ..., policy_sha256: _Optional[bytes] = ..., product: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., bases: _Optional[_Iterable[str]] = ..., decided_at_ms: _Optional[int] = ..., min_subjects: _Optional[int] = ..., round_to: _Optional[int] = ..., cells: _Optional[_Iterable[_Union[OverlapCount, _Mapping]]] = ..., labels_sealed: _Optional[bytes] = ..., unused: _Optional[_Iterable[str]] = ...) -> None: ...

class OverlapLabels(_message.Message):
    __slots__ = ("labels",)
    LABELS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[OverlapLabel]
    def __init__(self, labels: _Optional[_Iterable[_Union[OverlapLabel, _Mapping]]] = ...) -> None: ...

class OverlapLabel(_message.Message):
    __slots__ = ("code", "values")
    CODE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    code: bytes
    values: _containers.RepeatedCompositeFieldContainer[_values_pb2.Value]
    def __init__(self, code: _Optional[bytes] = ..., values: _Optional[_Iterable[_Union[_values_pb2.Value, _Mapping]]] = ...) -> None: ...
