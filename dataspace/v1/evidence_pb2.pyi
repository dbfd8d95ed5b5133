from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Evidence(_message.Message):
    __slots__ = ("request", "release", "trust_lists", "revocation_lists", "records", "policy_sets", "catalogues")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    TRUST_LISTS_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_LISTS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    POLICY_SETS_FIELD_NUMBER: _ClassVar[int]
    CATALOGUES_FIELD_NUMBER: _ClassVar[int]
    request: _envelope_pb2.Envelope
    release: _query_pb2.ReleaseBundle
    trust_lists: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    revocation_lists: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    records: _containers.RepeatedCompositeFieldContainer[Recorded]
    policy_sets: _containers.RepeatedCompositeFieldContainer[PolicyFiles]
    catalogues: _containers.RepeatedCompositeFieldContainer[RegionCatalogue]
    def __init__(self, request: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., release: _Optional[_Union[_query_pb2.ReleaseBundle, _Mapping]] = ..., trust_lists: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., revocation_lists: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., records: _Optional[_Iterable[_Union[Recorded, _Mapping]]] = ..., policy_sets: _Optional[_Iterable[_Union[PolicyFiles, _Mapping]]] = ..., catalogues: _Optional[_Iterable[_Union[RegionCatalogue, _Mapping]]] = ...) -> None: ...

class Recorded(_message.Message):
    __slots__ = ("owner", "entry", "proof", "salt", "context")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    owner: str
    entry: bytes
    proof: str
    salt: bytes
    context: bytes
    def __init__(self, owner: _Optional[str] = ..., entry: _Optional[bytes] = ..., proof: _Optional[str] = ..., salt: _Optional[bytes] = ..., context: _Optional[bytes] = ...) -> None: ...

class KeptRelease(_message.Message):
    __slots__ = ("request", "release", "forwarded_index", "catalogues_sha256")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_INDEX_FIELD_NUMBER: _ClassVar[int]
    CATALOGUES_SHA256_FIELD_NUMBER: _ClassVar[int]
    request: _envelope_pb2.Envelope
    release: _query_pb2.ReleaseBundle
    forwarded_index: int
    catalogues_sha256: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, request: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., release: _Optional[_Union[_query_pb2.ReleaseBundle, _Mapping]] = ..., forwarded_index: _Optional[int] = ..., catalogues_sha256: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PolicyFiles(_message.Message):
    __slots__ = ("files",)
    FILES_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[PolicyFile]
    def __init__(self, files: _Optional[_Iterable[_Union[PolicyFile, _Mapping]]] = ...) -> None: ...

class PolicyFile(_message.Message):
    __slots__ = ("name", "content")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    content: bytes
    def __init__(self, name: _Optional[str] = ..., content: _Optional[bytes] = ...) -> None: ...

class RegionCatalogue(_message.Message):
    __slots__ = ("region", "offers")
    REGION_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    region: str
    offers: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, region: _Optional[str] = ..., offers: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class EvidenceRequest(_message.Message):
    __slots__ = ("signer", "freshness", "release_sha256", "places", "logs")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_SHA256_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    release_sha256: bytes
    places: _containers.RepeatedCompositeFieldContainer[EntryPlace]
    logs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., release_sha256: _Optional[bytes] = ..., places: _Optional[_Iterable[_Union[EntryPlace, _Mapping]]] = ..., logs: _Optional[_Iterable[str]] = ...) -> None: ...

class EntryPlace(_message.Message):
    __slots__ = ("owner", "index")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    owner: str
    index: int
    def __init__(self, owner: _Optional[str] = ..., index: _Optional[int] = ...) -> None: ...

class EvidencePart(_message.Message):
    __slots__ = ("signer", "request_sha256", "region", "records", "policies", "catalogues", "question", "release", "revocation_lists")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    CATALOGUES_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_LISTS_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    request_sha256: bytes
    region: str
    records: _containers.RepeatedCompositeFieldContainer[Recorded]
    policies: PolicyFiles
    catalogues: _containers.RepeatedCompositeFieldContainer[RegionCatalogue]
    question: _envelope_pb2.Envelope
    release: _query_pb2.ReleaseBundle
    revocation_lists: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., request_sha256: _Optional[bytes] = ..., region: _Optional[str] = ..., records: _Optional[_Iterable[_Union[Recorded, _Mapping]]] = ..., policies: _Optional[_Union[PolicyFiles, _Mapping]] = ..., catalogues: _Optional[_Iterable[_Union[RegionCatalogue, _Mapping]]] = ..., question: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., release: _Optional[_Union[_query_pb2.ReleaseBundle, _Mapping]] = ..., revocation_lists: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...
