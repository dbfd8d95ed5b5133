from dataspace.v1 import agreement_pb2 as _agreement_pb2
from dataspace.v1 import audit_pb2 as _audit_pb2
from dataspace.v1 import envelope_pb2 as _envelope_pb2
from dataspace.v1 import linkage_pb2 as _linkage_pb2
from dataspace.v1 import query_pb2 as _query_pb2
from dataspace.v1 import revocation_pb2 as _revocation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hello(_message.Message):
    __slots__ = ("signer", "freshness", "region", "challenge", "version", "offers", "witness", "wire")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    WIRE_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    freshness: _envelope_pb2.Freshness
    region: str
    challenge: bytes
    version: str
    offers: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    witness: str
    wire: int
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., freshness: _Optional[_Union[_envelope_pb2.Freshness, _Mapping]] = ..., region: _Optional[str] = ..., challenge: _Optional[bytes] = ..., version: _Optional[str] = ..., offers: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., witness: _Optional[str] = ..., wire: _Optional[int] = ...) -> None: ...

class NodeFrame(_message.Message):
    __slots__ = ("call", "hello", "offers", "progress", "chunk", "pong", "failure", "witness_ask", "witness_reply", "log_update", "revocation_list", "held", "round")
    CALL_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    WITNESS_ASK_FIELD_NUMBER: _ClassVar[int]
    WITNESS_REPLY_FIELD_NUMBER: _ClassVar[int]
    LOG_UPDATE_FIELD_NUMBER: _ClassVar[int]
    REVOCATION_LIST_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    call: int
    hello: _envelope_pb2.Envelope
    offers: Offers
    progress: _query_pb2.Progress
    chunk: Chunk
    pong: Pong
    failure: _query_pb2.ErrorStatus
    witness_ask: WitnessAsk
    witness_reply: WitnessReply
    log_update: LogUpdate
    revocation_list: _envelope_pb2.Envelope
    held: Held
    round: RoundFrame
    def __init__(self, call: _Optional[int] = ..., hello: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., offers: _Optional[_Union[Offers, _Mapping]] = ..., progress: _Optional[_Union[_query_pb2.Progress, _Mapping]] = ..., chunk: _Optional[_Union[Chunk, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., failure: _Optional[_Union[_query_pb2.ErrorStatus, _Mapping]] = ..., witness_ask: _Optional[_Union[WitnessAsk, _Mapping]] = ..., witness_reply: _Optional[_Union[WitnessReply, _Mapping]] = ..., log_update: _Optional[_Union[LogUpdate, _Mapping]] = ..., revocation_list: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., held: _Optional[_Union[Held, _Mapping]] = ..., round: _Optional[_Union[RoundFrame, _Mapping]] = ...) -> None: ...

class Held(_message.Message):
    __slots__ = ("revocations", "charters", "agreements")
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    CHARTERS_FIELD_NUMBER: _ClassVar[int]
    AGREEMENTS_FIELD_NUMBER: _ClassVar[int]
    revocations: _revocation_pb2.RevocationLists
    charters: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    agreements: _containers.RepeatedCompositeFieldContainer[_agreement_pb2.AgreementChain]
    def __init__(self, revocations: _Optional[_Union[_revocation_pb2.RevocationLists, _Mapping]] = ..., charters: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., agreements: _Optional[_Iterable[_Union[_agreement_pb2.AgreementChain, _Mapping]]] = ...) -> None: ...

class Offers(_message.Message):
    __slots__ = ("offers",)
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    offers: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, offers: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class BrokerFrame(_message.Message):
    __slots__ = ("call", "challenge", "welcome", "ask", "cancel", "credit", "ping", "offers_reply", "witness_ask", "witness_reply", "log_mirrored", "revocations", "round", "held")
    CALL_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    OFFERS_REPLY_FIELD_NUMBER: _ClassVar[int]
    WITNESS_ASK_FIELD_NUMBER: _ClassVar[int]
    WITNESS_REPLY_FIELD_NUMBER: _ClassVar[int]
    LOG_MIRRORED_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    call: int
    challenge: Challenge
    welcome: Welcome
    ask: Ask
    cancel: Cancel
    credit: Credit
    ping: Ping
    offers_reply: OffersReply
    witness_ask: WitnessAsk
    witness_reply: WitnessReply
    log_mirrored: LogMirrored
    revocations: _revocation_pb2.RevocationLists
    round: RoundFrame
    held: Held
    def __init__(self, call: _Optional[int] = ..., challenge: _Optional[_Union[Challenge, _Mapping]] = ..., welcome: _Optional[_Union[Welcome, _Mapping]] = ..., ask: _Optional[_Union[Ask, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., credit: _Optional[_Union[Credit, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., offers_reply: _Optional[_Union[OffersReply, _Mapping]] = ..., witness_ask: _Optional[_Union[WitnessAsk, _Mapping]] = ..., witness_reply: _Optional[_Union[WitnessReply, _Mapping]] = ..., log_mirrored: _Optional[_Union[LogMirrored, _Mapping]] = ..., revocations: _Optional[_Union[_revocation_pb2.RevocationLists, _Mapping]] = ..., round: _Optional[_Union[RoundFrame, _Mapping]] = ..., held: _Optional[_Union[Held, _Mapping]] = ...) -> None: ...

class WitnessAsk(_message.Message):
    __slots__ = ("witness", "request")
    WITNESS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    witness: str
    request: bytes
    def __init__(self, witness: _Optional[str] = ..., request: _Optional[bytes] = ...) -> None: ...

class WitnessReply(_message.Message):
    __slots__ = ("status", "body")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    status: int
    body: bytes
    def __init__(self, status: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class LogUpdate(_message.Message):
    __slots__ = ("old_size", "tiles", "checkpoint", "cosigned")
    OLD_SIZE_FIELD_NUMBER: _ClassVar[int]
    TILES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_FIELD_NUMBER: _ClassVar[int]
    old_size: int
    tiles: _containers.RepeatedCompositeFieldContainer[LogTile]
    checkpoint: str
    cosigned: str
    def __init__(self, old_size: _Optional[int] = ..., tiles: _Optional[_Iterable[_Union[LogTile, _Mapping]]] = ..., checkpoint: _Optional[str] = ..., cosigned: _Optional[str] = ...) -> None: ...

class LogTile(_message.Message):
    __slots__ = ("path", "data")
    PATH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    path: str
    data: bytes
    def __init__(self, path: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class LogMirrored(_message.Message):
    __slots__ = ("size", "problem")
    SIZE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    size: int
    problem: str
    def __init__(self, size: _Optional[int] = ..., problem: _Optional[str] = ...) -> None: ...

class Challenge(_message.Message):
    __slots__ = ("nonce", "wire", "oldest_wire")
    NONCE_FIELD_NUMBER: _ClassVar[int]
    WIRE_FIELD_NUMBER: _ClassVar[int]
    OLDEST_WIRE_FIELD_NUMBER: _ClassVar[int]
    nonce: bytes
    wire: int
    oldest_wire: int
    def __init__(self, nonce: _Optional[bytes] = ..., wire: _Optional[int] = ..., oldest_wire: _Optional[int] = ...) -> None: ...

class BrokerHello(_message.Message):
    __slots__ = ("signer", "challenge_sha256")
    SIGNER_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    signer: _envelope_pb2.Signer
    challenge_sha256: bytes
    def __init__(self, signer: _Optional[_Union[_envelope_pb2.Signer, _Mapping]] = ..., challenge_sha256: _Optional[bytes] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("broker", "rejected", "mirrored_size", "revocations", "agreements", "charters")
    BROKER_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    MIRRORED_SIZE_FIELD_NUMBER: _ClassVar[int]
    REVOCATIONS_FIELD_NUMBER: _ClassVar[int]
    AGREEMENTS_FIELD_NUMBER: _ClassVar[int]
    CHARTERS_FIELD_NUMBER: _ClassVar[int]
    broker: _envelope_pb2.Envelope
    rejected: _containers.RepeatedCompositeFieldContainer[_query_pb2.ErrorStatus]
    mirrored_size: int
    revocations: _revocation_pb2.RevocationLists
    agreements: _containers.RepeatedCompositeFieldContainer[_agreement_pb2.AgreementChain]
    charters: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    def __init__(self, broker: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., rejected: _Optional[_Iterable[_Union[_query_pb2.ErrorStatus, _Mapping]]] = ..., mirrored_size: _Optional[int] = ..., revocations: _Optional[_Union[_revocation_pb2.RevocationLists, _Mapping]] = ..., agreements: _Optional[_Iterable[_Union[_agreement_pb2.AgreementChain, _Mapping]]] = ..., charters: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ...) -> None: ...

class Ask(_message.Message):
    __slots__ = ("request", "deadline_ms", "credit")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    request: _envelope_pb2.Envelope
    deadline_ms: int
    credit: int
    def __init__(self, request: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., deadline_ms: _Optional[int] = ..., credit: _Optional[int] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Credit(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    def __init__(self, bytes: _Optional[int] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Pong(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class OffersReply(_message.Message):
    __slots__ = ("rejected",)
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    rejected: _containers.RepeatedCompositeFieldContainer[_query_pb2.ErrorStatus]
    def __init__(self, rejected: _Optional[_Iterable[_Union[_query_pb2.ErrorStatus, _Mapping]]] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("data", "last")
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    last: bool
    def __init__(self, data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class RoundFrame(_message.Message):
    __slots__ = ("invitation", "join", "start", "hop", "blinded", "contribution", "taken", "counts", "padding")
    INVITATION_FIELD_NUMBER: _ClassVar[int]
    JOIN_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    HOP_FIELD_NUMBER: _ClassVar[int]
    BLINDED_FIELD_NUMBER: _ClassVar[int]
    CONTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    TAKEN_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    invitation: _linkage_pb2.RoundInvitation
    join: _envelope_pb2.Envelope
    start: _linkage_pb2.RoundStart
    hop: _envelope_pb2.Envelope
    blinded: _envelope_pb2.Envelope
    contribution: _envelope_pb2.Envelope
    taken: _linkage_pb2.ChunksTaken
    counts: _linkage_pb2.OverlapCounts
    padding: _envelope_pb2.Envelope
    def __init__(self, invitation: _Optional[_Union[_linkage_pb2.RoundInvitation, _Mapping]] = ..., join: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., start: _Optional[_Union[_linkage_pb2.RoundStart, _Mapping]] = ..., hop: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., blinded: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., contribution: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ..., taken: _Optional[_Union[_linkage_pb2.ChunksTaken, _Mapping]] = ..., counts: _Optional[_Union[_linkage_pb2.OverlapCounts, _Mapping]] = ..., padding: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...
