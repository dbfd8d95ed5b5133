from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AuditRequest(_message.Message):
    __slots__ = ("signer", "freshness", "purpose", "logs", "search", "show", "subject")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    SHOW_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    purpose: str
    logs: _containers.RepeatedScalarFieldContainer[str]
    search: AuditSearch
    show: AuditShow
    subject: AuditSubject
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., purpose: _Optional[str] = ..., logs: _Optional[_Iterable[str]] = ..., search: _Optional[_Union[AuditSearch, _Mapping]] = ..., show: _Optional[_Union[AuditShow, _Mapping]] = ..., subject: _Optional[_Union[AuditSubject, _Mapping]] = ...) -> None: ...

class AuditSearch(_message.Message):
    __slots__ = ("from_ms", "until_ms", "kind", "actor", "member", "region", "role", "purpose", "product", "rule", "outcome", "code", "request_sha256", "limit", "newest_first", "document_kind", "document_number", "without_looks", "cursors")
    FROM_MS_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    MEMBER_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    NEWEST_FIRST_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_KIND_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_LOOKS_FIELD_NUMBER: _ClassVar[int]
    CURSORS_FIELD_NUMBER: _ClassVar[int]
    from_ms: int
    until_ms: int
    kind: str
    actor: str
    member: str
    region: str
    role: str
    purpose: str
    product: str
    rule: str
    outcome: str
    code: str
    request_sha256: bytes
    limit: int
    newest_first: bool
    document_kind: str
    document_number: str
    without_looks: bool
    cursors: _containers.RepeatedCompositeFieldContainer[AuditCursor]
    def __init__(self, from_ms: _Optional[int] = ..., until_ms: _Optional[int] = ..., kind: _Optional[str] = ..., actor: _Optional[str] = ..., member: _Optional[str] = ..., region: _Optional[str] = ..., role: _Optional[str] = ..., purpose: _Optional[str] = ..., product: _Optional[str] = ..., rule: _Optional[str] = ..., outcome: _Optional[str] = ..., code: _Optional[str] = ..., request_sha256: _Optional[bytes] = ..., limit: _Optional[int] = ..., newest_first: _Optional[bool] = ..., document_kind: _Optional[str] = ..., document_number: _Optional[str] = ..., without_looks: _Optional[bool] = ..., cursors: _Optional[_Iterable[_Union[AuditCursor, _Mapping]]] = ...) -> None: ...

class AuditCursor(_message.Message):
    __slots__ = ("log", "next")
    LOG_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    log: str
    next: int
    def __init__(self, log: _Optional[str] = ..., next: _Optional[int] = ...) -> None: ...

class AuditShow(_message.Message):
    __slots__ = ("index",)
    INDEX_FIELD_NUMBER: _ClassVar[int]
    index: int
    def __init__(self, index: _Optional[int] = ...) -> None: ...

class AuditSubject(_message.Message):
    __slots__ = ("document_kind", "document_number")
    DOCUMENT_KIND_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    document_kind: str
    document_number: str
    def __init__(self, document_kind: _Optional[str] = ..., document_number: _Optional[str] = ...) -> None: ...

class AuditAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "origin", "log_size", "entries", "more", "next", "accesses", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    ACCESSES_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    origin: str
    log_size: int
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    more: bool
    next: int
    accesses: AuditAccesses
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., origin: _Optional[str] = ..., log_size: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ..., more: _Optional[bool] = ..., next: _Optional[int] = ..., accesses: _Optional[_Union[AuditAccesses, _Mapping]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("index", "at_ms", "kind", "outcome", "code", "rules", "purpose", "products", "actor_region", "actor_role", "request_sha256", "body_sha256", "outcomes", "entry", "body_json", "body_erased")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    ACTOR_REGION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ROLE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    BODY_SHA256_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    BODY_JSON_FIELD_NUMBER: _ClassVar[int]
    BODY_ERASED_FIELD_NUMBER: _ClassVar[int]
    index: int
    at_ms: int
    kind: str
    outcome: str
    code: str
    rules: _containers.RepeatedScalarFieldContainer[str]
    purpose: str
    products: _containers.RepeatedScalarFieldContainer[str]
    actor_region: str
    actor_role: str
    request_sha256: bytes
    body_sha256: bytes
    outcomes: _containers.RepeatedCompositeFieldContainer[AuditOutcome]
    entry: bytes
    body_json: str
    body_erased: bool
    def __init__(self, index: _Optional[int] = ..., at_ms: _Optional[int] = ..., kind: _Optional[str] = ..., outcome: _Optional[str] = ..., code: _Optional[str] = ..., rules: _Optional[_Iterable[str]] = ..., purpose: _Optional[str] = ..., products: _Optional[_Iterable[str]] = ..., actor_region: _Optional[str] = ..., actor_role: _Optional[str] = ..., request_sha256: _Optional[bytes] = ..., body_sha256: _Optional[bytes] = ..., outcomes: _Optional[_Iterable[_Union[AuditOutcome, _Mapping]]] = ..., entry: _Optional[bytes] = ..., body_json: _Optional[str] = ..., body_erased: _Optional[bool] = ...) -> None: ...

class AuditOutcome(_message.Message):
    __slots__ = ("region", "status", "body_sha256")
    REGION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BODY_SHA256_FIELD_NUMBER: _ClassVar[int]
    region: str
    status: str
    body_sha256: bytes
    def __init__(self, region: _Optional[str] = ..., status: _Optional[str] = ..., body_sha256: _Optional[bytes] = ...) -> None: ...

class AuditAccesses(_message.Message):
    __slots__ = ("accesses", "statistics")
    ACCESSES_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    accesses: _containers.RepeatedCompositeFieldContainer[AuditAccess]
    statistics: _containers.RepeatedCompositeFieldContainer[AuditStatistics]
    def __init__(self, accesses: _Optional[_Iterable[_Union[AuditAccess, _Mapping]]] = ..., statistics: _Optional[_Iterable[_Union[AuditStatistics, _Mapping]]] = ...) -> None: ...

class AuditAccess(_message.Message):
    __slots__ = ("index", "at_ms", "kind", "actor_region", "actor_member", "actor_role", "purpose", "products")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACTOR_REGION_FIELD_NUMBER: _ClassVar[int]
    ACTOR_MEMBER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_ROLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    index: int
    at_ms: int
    kind: str
    actor_region: str
    actor_member: str
    actor_role: str
    purpose: str
    products: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, index: _Optional[int] = ..., at_ms: _Optional[int] = ..., kind: _Optional[str] = ..., actor_region: _Optional[str] = ..., actor_member: _Optional[str] = ..., actor_role: _Optional[str] = ..., purpose: _Optional[str] = ..., products: _Optional[_Iterable[str]] = ...) -> None: ...

class AuditStatistics(_message.Message):
    __slots__ = ("product", "released")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    product: str
    released: int
    def __init__(self, product: _Optional[str] = ..., released: _Optional[int] = ...) -> None: ...

class AuditAnswers(_message.Message):
    __slots__ = ("answers", "nodes")
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    NODES_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[_query_pb2.NodeAnswer]
    nodes: _containers.RepeatedCompositeFieldContainer[_query_pb2.NodeOutcome]
    def __init__(self, answers: _Optional[_Iterable[_Union[_query_pb2.NodeAnswer, _Mapping]]] = ..., nodes: _Optional[_Iterable[_Union[_query_pb2.NodeOutcome, _Mapping]]] = ...) -> None: ...
