from dataspace.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BackupManifest(_message.Message):
    __slots__ = ("signer", "space", "made_at_ms", "release", "origin", "log_size", "log_root", "ledger_elsewhere", "files", "files_sha256")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    SPACE_FIELD_NUMBER: _ClassVar[int]
    MADE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    LOG_SIZE_FIELD_NUMBER: _ClassVar[int]
    LOG_ROOT_FIELD_NUMBER: _ClassVar[int]
    LEDGER_ELSEWHERE_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    FILES_SHA256_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    space: str
    made_at_ms: int
    release: str
    origin: str
    log_size: int
    log_root: bytes
    ledger_elsewhere: bool
    files: int
    files_sha256: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., space: _Optional[str] = ..., made_at_ms: _Optional[int] = ..., release: _Optional[str] = ..., origin: _Optional[str] = ..., log_size: _Optional[int] = ..., log_root: _Optional[bytes] = ..., ledger_elsewhere: _Optional[bool] = ..., files: _Optional[int] = ..., files_sha256: _Optional[bytes] = ...) -> None: ...
