from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import sealing_pb2 as _sealing_pb2
from dataspace.v1 import values_pb2 as _values_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Require(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REQUIRE_UNSPECIFIED: _ClassVar[Require]
    REQUIRE_ALL: _ClassVar[Require]
    REQUIRE_ANY: _ClassVar[Require]
REQUIRE_UNSPECIFIED: Require
REQUIRE_ALL: Require
REQUIRE_ANY: Require

class QueryRequest(_message.Message):
    __slots__ = ("signer", "freshness", "sql", "purpose", "project", "require", "pooled", "explain", "distinct_union", "reply_key", "tier")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    SQL_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_FIELD_NUMBER: _ClassVar[int]
    POOLED_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_UNION_FIELD_NUMBER: _ClassVar[int]
    REPLY_KEY_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    sql: str
    purpose: str
    project: str
    require: Require
    pooled: bool
    explain: bool
    distinct_union: bool
    reply_key: _sealing_pb2.SealingPublicKey
    tier: str
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., sql: _Optional[str] = ..., purpose: _Optional[str] = ..., project: _Optional[str] = ..., require: _Optional[_Union[Require, str]] = ..., pooled: _Optional[bool] = ..., explain: _Optional[bool] = ..., distinct_union: _Optional[bool] = ..., reply_key: _Optional[_Union[_sealing_pb2.SealingPublicKey, _Mapping]] = ..., tier: _Optional[str] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("origin", "index", "entry", "inclusion", "checkpoint")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    INCLUSION_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    origin: str
    index: int
    entry: bytes
    inclusion: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: str
    def __init__(self, origin: _Optional[str] = ..., index: _Optional[int] = ..., entry: _Optional[bytes] = ..., inclusion: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[str] = ...) -> None: ...

class PartialCell(_message.Message):
    __slots__ = ("keys", "states")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[_values_pb2.Value]
    states: _containers.RepeatedCompositeFieldContainer[AggregateState]
    def __init__(self, keys: _Optional[_Iterable[_Union[_values_pb2.Value, _Mapping]]] = ..., states: _Optional[_Iterable[_Union[AggregateState, _Mapping]]] = ...) -> None: ...

class AggregateState(_message.Message):
    __slots__ = ("count", "sum", "mean", "variance", "other_sum", "other_mean", "other_variance", "covariance", "labels")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUM_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_FIELD_NUMBER: _ClassVar[int]
    OTHER_SUM_FIELD_NUMBER: _ClassVar[int]
    OTHER_MEAN_FIELD_NUMBER: _ClassVar[int]
    OTHER_VARIANCE_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    count: int
    sum: str
    mean: str
    variance: str
    other_sum: str
    other_mean: str
    other_variance: str
    covariance: str
    labels: _containers.RepeatedCompositeFieldContainer[Label]
    def __init__(self, count: _Optional[int] = ..., sum: _Optional[str] = ..., mean: _Optional[str] = ..., variance: _Optional[str] = ..., other_sum: _Optional[str] = ..., other_mean: _Optional[str] = ..., other_variance: _Optional[str] = ..., covariance: _Optional[str] = ..., labels: _Optional[_Iterable[_Union[Label, _Mapping]]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("value", "level", "position", "count", "span")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    value: _values_pb2.Value
    level: int
    position: int
    count: int
    span: int
    def __init__(self, value: _Optional[_Union[_values_pb2.Value, _Mapping]] = ..., level: _Optional[int] = ..., position: _Optional[int] = ..., count: _Optional[int] = ..., span: _Optional[int] = ...) -> None: ...

class Partial(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "catalogue_sha256", "policy_sha256", "products", "rules", "bases", "key_names", "aggregates", "cells", "decided_at_ms", "round_to")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_SHA256_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    BASES_FIELD_NUMBER: _ClassVar[int]
    KEY_NAMES_FIELD_NUMBER: _ClassVar[int]
    AGGREGATES_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TO_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    catalogue_sha256: bytes
    policy_sha256: bytes
    products: _containers.RepeatedScalarFieldContainer[str]
    rules: _containers.RepeatedScalarFieldContainer[str]
    bases: _containers.RepeatedScalarFieldContainer[str]
    key_names: _containers.RepeatedScalarFieldContainer[str]
    aggregates: _containers.RepeatedScalarFieldContainer[str]
    cells: _containers.RepeatedCompositeFieldContainer[PartialCell]
    decided_at_ms: int
    round_to: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., catalogue_sha256: _Optional[bytes] = ..., policy_sha256: _Optional[bytes] = ..., products: _Optional[_Iterable[str]] = ..., rules: _Optional[_Iterable[str]] = ..., bases: _Optional[_Iterable[str]] = ..., key_names: _Optional[_Iterable[str]] = ..., aggregates: _Optional[_Iterable[str]] = ..., cells: _Optional[_Iterable[_Union[PartialCell, _Mapping]]] = ..., decided_at_ms: _Optional[int] = ..., round_to: _Optional[int] = ...) -> None: ...

class Explanation(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "explanation_json", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_JSON_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    explanation_json: str
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., explanation_json: _Optional[str] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class Explanations(_message.Message):
    __slots__ = ("answers", "nodes")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[NodeAnswer]
    nodes: _containers.RepeatedCompositeFieldContainer[NodeOutcome]
    def __init__(self, answers: _Optional[_Iterable[_Union[NodeAnswer, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[NodeOutcome, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "status", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    status: ErrorStatus
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., status: _Optional[_Union[ErrorStatus, _Mapping]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class ErrorStatus(_message.Message):
    __slots__ = ("error", "code", "rule", "basis", "message")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    error: str
    code: str
    rule: str
    basis: str
    message: str
    def __init__(self, error: _Optional[str] = ..., code: _Optional[str] = ..., rule: _Optional[str] = ..., basis: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class NodeAnswer(_message.Message):
    __slots__ = ("body", "receipt")
    BODY_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    body: _envelope_pb2.Envelope
    receipt: Receipt
    def __init__(self, body: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ...) -> None: ...

class NodeOutcome(_message.Message):
    __slots__ = ("region", "status", "reason", "body_sha256")
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    BODY_SHA256_FIELD_NUMBER: _ClassVar[int]
    region: str
    status: str
    reason: str
    body_sha256: bytes
    def __init__(self, region: _Optional[str] = ..., status: _Optional[str] = ..., reason: _Optional[str] = ..., body_sha256: _Optional[bytes] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("signer", "request_sha256", "nodes", "answer_sha256", "provisional", "released_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    ANSWER_SHA256_FIELD_NUMBER: _ClassVar[int]
    PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    RELEASED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    nodes: _containers.RepeatedCompositeFieldContainer[NodeOutcome]
    answer_sha256: bytes
    provisional: bool
    released_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., nodes: _Optional[_Iterable[_Union[NodeOutcome, _Mapping]]] = ..., answer_sha256: _Optional[bytes] = ..., provisional: _Optional[bool] = ..., released_at_ms: _Optional[int] = ...) -> None: ...

class ReleaseBundle(_message.Message):
    __slots__ = ("release", "receipt", "answers")
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    release: _envelope_pb2.Envelope
    receipt: Receipt
    answers: _containers.RepeatedCompositeFieldContainer[NodeAnswer]
    def __init__(self, release: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., answers: _Optional[_Iterable[_Union[NodeAnswer, _Mapping]]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("region", "stage", "fraction")
    REGION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    region: str
    stage: str
    fraction: float
    def __init__(self, region: _Optional[str] = ..., stage: _Optional[str] = ..., fraction: _Optional[float] = ...) -> None: ...

class CosignedProof(_message.Message):
    __slots__ = ("origin", "proof")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    origin: str
    proof: str
    def __init__(self, origin: _Optional[str] = ..., proof: _Optional[str] = ...) -> None: ...

class Cosigned(_message.Message):
    __slots__ = ("proofs",)
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    proofs: _containers.RepeatedCompositeFieldContainer[CosignedProof]
    def __init__(self, proofs: _Optional[_Iterable[_Union[CosignedProof, _Mapping]]] = ...) -> None: ...

class QueryEvent(_message.Message):
    __slots__ = ("progress", "release", "refusal", "explanations", "cosigned")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    EXPLANATIONS_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_FIELD_NUMBER: _ClassVar[int]
    progress: Progress
    release: ReleaseBundle
    refusal: NodeAnswer
    explanations: Explanations
    cosigned: Cosigned
    def __init__(self, progress: _Optional[_Union[Progress, _Mapping]] = ..., release: _Optional[_Union[ReleaseBundle, _Mapping]] = ..., refusal: _Optional[_Union[NodeAnswer, _Mapping]] = ..., explanations: _Optional[_Union[Explanations, _Mapping]] = ..., cosigned: _Optional[_Union[Cosigned, _Mapping]] = ...) -> None: ...
