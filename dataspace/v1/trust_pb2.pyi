from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrustList(_message.Message):
    __slots__ = ("space", "version", "issued_at_ms", "expires_at_ms", "regions", "logs", "brokers", "witnesses", "revocation_signers", "previous_sha256")
    SPACE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REGIONS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    BROKERS_FIELD_NUMBER: _ClassVar[int]
    WITNESSES_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_SIGNERS_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_SHA256_FIELD_NUMBER: _ClassVar[int]
    space: str
    version: int
    issued_at_ms: int
    expires_at_ms: int
    regions: _containers.RepeatedCompositeFieldContainer[TrustedRegion]
    logs: _containers.RepeatedCompositeFieldContainer[TrustedLog]
    brokers: _containers.RepeatedCompositeFieldContainer[TrustedBroker]
    witnesses: _containers.RepeatedCompositeFieldContainer[TrustedWitness]
    revocation_signers: _containers.RepeatedCompositeFieldContainer[TrustedRevocationSigner]
    previous_sha256: bytes
    def __init__(self, space: _Optional[str] = ..., version: _Optional[int] = ..., issued_at_ms: _Optional[int] = ..., expires_at_ms: _Optional[int] = ..., regions: _Optional[_Iterable[_Union[TrustedRegion, _Mapping]]] = ..., logs: _Optional[_Iterable[_Union[TrustedLog, _Mapping]]] = ..., brokers: _Optional[_Iterable[_Union[TrustedBroker, _Mapping]]] = ..., witnesses: _Optional[_Iterable[_Union[TrustedWitness, _Mapping]]] = ..., revocation_signers: _Optional[_Iterable[_Union[TrustedRevocationSigner, _Mapping]]] = ..., previous_sha256: _Optional[bytes] = ...) -> None: ...

class TrustedRegion(_message.Message):
    __slots__ = ("region", "root_certificates", "trust_keys", "suspended", "profiles")
    REGION_FIELD_NUMBER: _ClassVar[int]
    ROOT_CERTIFICATES_FIELD_NUMBER: _ClassVar[int]
    TRUST_KEYS_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_FIELD_NUMBER: _ClassVar[int]
    PROFILES_FIELD_NUMBER: _ClassVar[int]
    region: str
    root_certificates: _containers.RepeatedScalarFieldContainer[bytes]
    trust_keys: _containers.RepeatedCompositeFieldContainer[TrustKey]
    suspended: bool
    profiles: _containers.RepeatedCompositeFieldContainer[TrustedProfile]
    def __init__(self, region: _Optional[str] = ..., root_certificates: _Optional[_Iterable[bytes]] = ..., trust_keys: _Optional[_Iterable[_Union[TrustKey, _Mapping]]] = ..., suspended: _Optional[bool] = ..., profiles: _Optional[_Iterable[_Union[TrustedProfile, _Mapping]]] = ...) -> None: ...

class TrustedProfile(_message.Message):
    __slots__ = ("profile", "role", "assurance")
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ASSURANCE_FIELD_NUMBER: _ClassVar[int]
    profile: str
    role: str
    assurance: int
    def __init__(self, profile: _Optional[str] = ..., role: _Optional[str] = ..., assurance: _Optional[int] = ...) -> None: ...

class TrustedRevocationSigner(_message.Message):
    __slots__ = ("uri", "public_key")
    URI_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    uri: str
    public_key: bytes
    def __init__(self, uri: _Optional[str] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class TrustKey(_message.Message):
    __slots__ = ("keyid", "public_key")
    KEYID_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    keyid: str
    public_key: bytes
    def __init__(self, keyid: _Optional[str] = ..., public_key: _Optional[bytes] = ...) -> None: ...

class TrustedLog(_message.Message):
    __slots__ = ("origin", "vkey", "owner")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    VKEY_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    origin: str
    vkey: str
    owner: str
    def __init__(self, origin: _Optional[str] = ..., vkey: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class TrustedWitness(_message.Message):
    __slots__ = ("name", "region", "vkeys")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    VKEYS_FIELD_NUMBER: _ClassVar[int]
    name: str
    region: str
    vkeys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., region: _Optional[str] = ..., vkeys: _Optional[_Iterable[str]] = ...) -> None: ...

class TrustedBroker(_message.Message):
    __slots__ = ("uri", "public_keys", "dns_name")
    URI_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEYS_FIELD_NUMBER: _ClassVar[int]
    DNS_NAME_FIELD_NUMBER: _ClassVar[int]
    uri: str
    public_keys: _containers.RepeatedScalarFieldContainer[bytes]
    dns_name: str
    def __init__(self, uri: _Optional[str] = ..., public_keys: _Optional[_Iterable[bytes]] = ..., dns_name: _Optional[str] = ...) -> None: ...
