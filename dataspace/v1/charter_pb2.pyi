from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Charter(_message.Message):
    __slots__ = ("space", "version", "previous_sha256", "proposed_at_ms", "reason", "files", "products", "floors", "authority_sha256", "trust_list_sha256", "restores")
    SPACE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_SHA256_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    FLOORS_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_SHA256_FIELD_NUMBER: _ClassVar[int]
    TRUST_LIST_SHA256_FIELD_NUMBER: _ClassVar[int]
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    space: str
    version: int
    previous_sha256: bytes
    proposed_at_ms: int
    reason: str
    files: _containers.RepeatedCompositeFieldContainer[CharterFile]
    products: _containers.RepeatedCompositeFieldContainer[CharterProduct]
    floors: CharterFloors
    authority_sha256: bytes
    trust_list_sha256: bytes
    restores: int
    def __init__(self, space: _Optional[str] = ..., version: _Optional[int] = ..., previous_sha256: _Optional[bytes] = ..., proposed_at_ms: _Optional[int] = ..., reason: _Optional[str] = ..., files: _Optional[_Iterable[_Union[CharterFile, _Mapping]]] = ..., products: _Optional[_Iterable[_Union[CharterProduct, _Mapping]]] = ..., floors: _Optional[_Union[CharterFloors, _Mapping]] = ..., authority_sha256: _Optional[bytes] = ..., trust_list_sha256: _Optional[bytes] = ..., restores: _Optional[int] = ...) -> None: ...

class CharterFile(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class CharterProduct(_message.Message):
    __slots__ = ("product", "schema_json")
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    product: str
    schema_json: bytes
    def __init__(self, product: _Optional[str] = ..., schema_json: _Optional[bytes] = ...) -> None: ...

class CharterFloors(_message.Message):
    __slots__ = ("min_subjects", "round_to")
    MIN_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    ROUND_TO_FIELD_NUMBER: _ClassVar[int]
    min_subjects: int
    round_to: int
    def __init__(self, min_subjects: _Optional[int] = ..., round_to: _Optional[int] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("charter", "trust_list")
    CHARTER_FIELD_NUMBER: _ClassVar[int]
    TRUST_LIST_FIELD_NUMBER: _ClassVar[int]
    charter: _envelope_pb2.Envelope
    trust_list: _envelope_pb2.Envelope
    def __init__(self, charter: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., trust_list: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...

class GovernanceRequest(_message.Message):
    __slots__ = ("signer", "freshness", "logs", "submit")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    logs: _containers.RepeatedScalarFieldContainer[str]
    submit: Proposal
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., logs: _Optional[_Iterable[str]] = ..., submit: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class GovernanceAnswer(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "charters", "proposals", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CHARTERS_FIELD_NUMBER: _ClassVar[int]
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    charters: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    proposals: _containers.RepeatedCompositeFieldContainer[Proposal]
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., charters: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., proposals: _Optional[_Iterable[_Union[Proposal, _Mapping]]] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...

class CharterApplication(_message.Message):
    __slots__ = ("signer", "freshness", "proposal")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    proposal: Proposal
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class CharterApplied(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "version", "charter_sha256", "policy_sha256", "already", "decided_at_ms")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHARTER_SHA256_FIELD_NUMBER: _ClassVar[int]
    POLICY_SHA256_FIELD_NUMBER: _ClassVar[int]
    ALREADY_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    version: int
    charter_sha256: bytes
    policy_sha256: str
    already: bool
    decided_at_ms: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., version: _Optional[int] = ..., charter_sha256: _Optional[bytes] = ..., policy_sha256: _Optional[str] = ..., already: _Optional[bool] = ..., decided_at_ms: _Optional[int] = ...) -> None: ...
