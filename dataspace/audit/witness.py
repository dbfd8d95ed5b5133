"""The rule of a witness, as C2SP tlog-witness defines it. Pure but for the store it is given.

    request  = "old " size LF *63( base64(hash) LF ) LF checkpoint-note
    200      cosignature lines            the checkpoint extends what was seen
    400/404/403                           malformed, unknown log, not signed by its key
    409      size LF                      `old` is not the size seen, or one size has two roots
    422                                   the consistency proof does not hold

INVARIANT: what is cosigned was consistent with all that was cosigned before, and is stored
before the cosignature goes out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.cosignatures import CosigningPrivateKey, cosign
from dataspace.audit.merkle import HASH_BYTES, verify_consistency
from dataspace.audit.notes import VerifierKey, decode_base64, encode_base64, parse_note
from dataspace.errors import DataspaceError, Malformed, Unverified

MAX_REQUEST_BYTES = 64 * 1024
_MAX_HASHES = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True)
class AddCheckpoint:
    """A request: the size that the witness saw last, the proof from there, the checkpoint."""

    old_size: int
    proof: tuple[bytes, ...]
    note_text: str

    def to_bytes(self) -> bytes:
        """The request's body."""
        lines = [f"old {self.old_size}\n", *(f"{encode_base64(each)}\n" for each in self.proof)]
        return ("".join(lines) + "\n" + self.note_text).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> AddCheckpoint:
        """The request in a body; `Malformed` unless it is spelt as `to_bytes` spells it."""
        if len(data) > MAX_REQUEST_BYTES:
            raise _malformed("an add-checkpoint request has at most 64 KiB")
        try:
            head, _, note_text = data.decode().partition("\n\n")
            first, *hashes = head.split("\n")
            old = _OLD.fullmatch(first)
            if old is None or len(hashes) > _MAX_HASHES:
                raise _malformed("a request begins with the old size and at most 63 hashes")
            proof = tuple(map(decode_base64, hashes))
        except (UnicodeDecodeError, Unverified):
            raise _malformed("a request is UTF-8 text with base64 hashes") from None
        if any(len(each) != HASH_BYTES for each in proof):
            raise _malformed("a hash has 32 bytes")
        return cls(int(old[1]), proof, note_text)


@dataclass(frozen=True)
class Seen:
    """A checkpoint of a log that this witness cosigned; of its signatures the log's alone."""

    size: int
    root: bytes
    note_text: str


class WitnessStore(Protocol):
    """What a witness remembers. `advance` is one atomic step, durable when it returns."""

    def seen(self, origin: str) -> Seen | None:
        """The latest that was cosigned."""

    def earlier(self, origin: str, size: int) -> Seen | None:
        """What was cosigned at a size, as far back as it is remembered."""

    def advance(self, origin: str, old: Seen | None, new: Seen) -> bool:
        """Replace `old` by `new`; False, and nothing changes, where it is not `old` any more."""


@dataclass(frozen=True)
class Alarm:
    """A log that broke its word, with two checkpoints that it signed.

    `log-fork`: one size with two roots; the two notes prove it to anybody.
    `log-inconsistent`: the log gave no proof that `shown` extends `seen`.
    `log-rollback`: `shown` is smaller than `seen`, at a size never cosigned.
    The last two are for the log's owner to explain, by a proof between the two.
    """

    rule: str
    origin: str
    seen: str
    shown: str


@dataclass(frozen=True)
class Verdict:
    """What to answer, and what to raise."""

    status: int
    body: bytes = b""
    origin: str = ""
    alarm: Alarm | None = None
    size: int = field(default=0, compare=False)  # that was cosigned


class Witness:
    """One witness: its name and keys, the logs it knows, what it has seen."""

    def __init__(
        self,
        name: str,
        keys: Sequence[CosigningPrivateKey],
        logs: Mapping[str, VerifierKey],
        store: WitnessStore,
    ) -> None:
        self._name = name
        self._keys = tuple(keys)
        self._logs = dict(logs)
        self._store = store

    def know(self, logs: Mapping[str, VerifierKey]) -> None:
        """Cosign these logs from now on, and no others. What was seen of each is kept."""
        self._logs = dict(logs)

    def judge(self, data: bytes, now_s: int) -> Verdict:
        """The answer to an add-checkpoint request. `now_s`: seconds since 1970."""
        try:
            request = AddCheckpoint.from_bytes(data)
            origin = parse_note(request.note_text).text.split("\n", 1)[0]
        except DataspaceError:
            return Verdict(400)
        key = self._logs.get(origin)
        if key is None:
            return Verdict(404)
        try:
            checkpoint = verify_checkpoint(request.note_text, key)
        except DataspaceError:
            return Verdict(403, origin=origin)
        note_text = _signed_by_log(request.note_text, key)
        new = Seen(checkpoint.size, checkpoint.root, note_text)
        return self._decide(request, checkpoint, new, now_s)

    def _decide(
        self, request: AddCheckpoint, checkpoint: Checkpoint, new: Seen, now_s: int
    ) -> Verdict:
        origin, seen = checkpoint.origin, self._store.seen(checkpoint.origin)
        size = seen.size if seen else 0
        # Whatever the request asks, its checkpoint may give the log away.
        alarm = self._broken(origin, new, seen)
        if request.old_size > new.size:
            return Verdict(400, b"", origin, alarm)
        if request.old_size != size or alarm is not None:
            return Verdict(409, _size_body(seen), origin, alarm)
        try:
            _check_extends(seen, checkpoint, request.proof)
        except DataspaceError:
            shown = (
                Alarm("log-inconsistent", origin, seen.note_text, new.note_text) if seen else None
            )
            return Verdict(422, b"", origin, shown)
        if not self._store.advance(origin, seen, new):
            return Verdict(409, _size_body(self._store.seen(origin)), origin)
        lines = [cosign(checkpoint, self._name, key, now_s).line for key in self._keys]
        return Verdict(200, "".join(lines).encode(), origin, size=checkpoint.size)

    def _broken(self, origin: str, new: Seen, seen: Seen | None) -> Alarm | None:
        """What a signed checkpoint gives away beside what was cosigned."""
        if seen is None or new.size > seen.size:
            return None
        known = seen if new.size == seen.size else self._store.earlier(origin, new.size)
        if known is None:
            return Alarm("log-rollback", origin, seen.note_text, new.note_text)
        if known.root != new.root:
            return Alarm("log-fork", origin, known.note_text, new.note_text)
        return None


def _signed_by_log(note_text: str, key: VerifierKey) -> str:
    """The note with the log's signature alone: all that shows what the log said."""
    note = parse_note(note_text)
    own = [each for each in note.signatures if (each.name, each.keyid) == (key.name, key.keyid)]
    return replace(note, signatures=tuple(own)).to_text()


def _size_body(seen: Seen | None) -> bytes:
    return f"{seen.size if seen else 0}\n".encode()


def _check_extends(seen: Seen | None, checkpoint: Checkpoint, proof: Sequence[bytes]) -> None:
    if seen is None or seen.size == 0:
        if proof:
            raise Unverified("a proof from nothing is empty", code="consistency")
        return
    verify_consistency(seen.size, seen.root, checkpoint.size, checkpoint.root, proof)


def _malformed(message: str) -> Malformed:
    return Malformed(message, code="add-checkpoint")
