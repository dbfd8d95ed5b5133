"""Signed notes as C2SP signed-note defines them, in their one canonical form. Pure.

    note      = text LF 1*signature       ; text ends in LF; the last empty line divides
    signature = "— " name " " base64( keyid signature-bytes ) LF
    name      = 1*( no Unicode space, no "+" )
    keyid     = SHA-256( name LF type public-key )[:4]
    vkey      = name "+" hex( keyid ) "+" base64( type public-key )

Stricter than the specification where it leaves room: base64 must be what an encoder
writes, hexadecimal is lower case, and no key may sign twice. Type 0x01 (Ed25519 over the
text) is signed and verified here; cosignatures are `cosignatures`' business, and pass
through as lines of other keys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dataspace.errors import Unverified

ED25519 = 0x01
COSIGNATURE_ED25519 = 0x04
COSIGNATURE_ML_DSA_44 = 0x06
KEYID_BYTES = 4
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_DASH = "— "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_BYTES = {
    ED25519: 32,
    COSIGNATURE_ED25519: 32,
    COSIGNATURE_ML_DSA_44: 1312,
}  # public key lengths of the kinds that may be trusted
_KNOWN_KINDS = {
    0x02: "ECDSA",
    0x05: "tree heads of static-ct and RFC 6962 logs",
    0xFF: "a type without a number",
}  # of others' logs; named so that a refusal says what it met


@dataclass(frozen=True)
class NoteSignature:
    """One signature line. The key id says which key, never that it may be trusted."""

    name: str
    keyid: bytes
    signature: bytes

    def __post_init__(self) -> None:
        _check_name(self.name)
        if len(self.keyid) != KEYID_BYTES or not self.signature:
            raise _bad("a signature needs a key id of 4 bytes and a signature after it")

    @property
    def line(self) -> str:
        return f"{_DASH}{self.name} {_encode(self.keyid + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """A text and its signatures, none of them verified."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        _check_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise _bad(f"a note has 1 to {MAX_SIGNATURES} signatures")
        if len({(each.name, each.keyid) for each in self.signatures}) != len(self.signatures):
            raise _bad("a key signs a note once")

    def to_text(self) -> str:
        return self.text + "\n" + "".join(each.line for each in self.signatures)


@dataclass(frozen=True)
class VerifierKey:
    """A named public key. `kind` is the signature type byte of signed-note."""

    name: str
    public: bytes
    kind: int = ED25519

    def __post_init__(self) -> None:
        _check_name(self.name)
        length = _KEY_BYTES.get(self.kind)
        if length is None:
            kind = f"0x{self.kind:02x} ({_KNOWN_KINDS.get(self.kind, 'unknown')})"
            raise Unverified(
                f"key {self.name} is of signature type {kind}, which is not supported here; "
                "give the Ed25519 key of the log (0x01), or a witness's (0x04, 0x06)",
                code="vkey",
            )
        if len(self.public) != length:
            raise Unverified(
                f"key {self.name} has {len(self.public)} bytes, not {length}", code="vkey"
            )

    @property
    def keyid(self) -> bytes:
        seed = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return hashlib.sha256(seed).digest()[:KEYID_BYTES]

    def to_text(self) -> str:
        """`name+hex(keyid)+base64(type ‖ public key)`."""
        return f"{self.name}+{self.keyid.hex()}+{_encode(bytes([self.kind]) + self.public)}"


def verifier_key(name: str, private_key: Ed25519PrivateKey) -> VerifierKey:
    """The public half of a note key."""
    return VerifierKey(name, private_key.public_key().public_bytes_raw())


def parse_vkey(text: str) -> VerifierKey:
    """A verifier key from its text; `Unverified` unless it is the canonical text."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Unverified("a verifier key reads name+keyid+key", code="vkey")
    raw = _decode(parts[2])
    if not raw:
        raise Unverified("a verifier key has a type byte and a key", code="vkey")
    key = VerifierKey(parts[0], raw[1:], raw[0])
    if key.to_text() != text:
        raise Unverified(f"the id of key {key.name} is not that of its bytes", code="vkey")
    return key


def parse_note(text: str) -> Note:
    """A note from its text, unverified; `Unverified` unless it is the canonical text."""
    if len(text) > MAX_NOTE_BYTES:
        raise _bad(f"a note has at most {MAX_NOTE_BYTES} bytes")
    end = text.rfind("\n\n")
    if end < 0 or not text.endswith("\n"):
        raise _bad("a note ends in a blank line and signature lines")
    lines = text[end + 2 : -1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _bad(f"a note has at most {MAX_SIGNATURES} signatures")
    note = Note(text[: end + 1], tuple(map(_parse_signature, lines)))
    # INVARIANT: whatever is accepted is spelt as we would spell it.
    if note.to_text() != text:
        raise _bad("not the canonical text of a note")
    return note


def sign_note(text: str, name: str, private_key: Ed25519PrivateKey) -> Note:
    """The note over `text` with one Ed25519 signature."""
    _check_text(text)
    key = verifier_key(name, private_key)
    return Note(text, (NoteSignature(name, key.keyid, private_key.sign(text.encode())),))


def verify_note(note: Note, key: VerifierKey) -> None:
    """Raises `Unverified` unless `key` signed the note. Lines of other keys are passed over."""
    if key.kind != ED25519:
        raise Unverified(f"{key.name} is a witness's key, and signs no notes", code="vkey")
    for each in note.signatures:
        if (each.name, each.keyid) == (key.name, key.keyid):
            try:
                Ed25519PublicKey.from_public_bytes(key.public).verify(
                    each.signature, note.text.encode()
                )
            except (InvalidSignature, ValueError):
                raise Unverified(
                    f"the signature of {key.name} does not hold", code="note-signature"
                ) from None
            return
    raise Unverified(f"the note is not signed by {key.name}", code="note-unsigned")


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding, as RFC 4648 section 4."""
    return _encode(data)


def decode_base64(text: str) -> bytes:
    """Standard base64 in the one spelling an encoder writes, else `Unverified`."""
    return _decode(text)


def parse_signature_lines(text: str) -> tuple[NoteSignature, ...]:
    """Signature lines by themselves, as a witness answers; `Unverified` for any other text."""
    if not text.endswith("\n") or text.count("\n") > MAX_SIGNATURES:
        raise _bad("signature lines end in a newline, and there are not too many")
    signatures = tuple(map(_parse_signature, text[:-1].split("\n")))
    if "".join(each.line for each in signatures) != text:
        raise _bad("not the canonical text of signature lines")
    return signatures


def _parse_signature(line: str) -> NoteSignature:
    parts = line.removeprefix(_DASH).split(" ")
    if not line.startswith(_DASH) or len(parts) != 2:
        raise _bad("a signature line reads — name base64")
    raw = _decode(parts[1])
    return NoteSignature(parts[0], raw[:KEYID_BYTES], raw[KEYID_BYTES:])


def _check_name(name: str) -> None:
    unfit = any(each.isspace() or each == "+" for each in name) or _CONTROL.search(name)
    if not name or unfit or not _is_utf8(name):
        raise _bad("a key name is not empty and has no space, plus or control character")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text) or not _is_utf8(text):
        raise _bad("a note's text is UTF-8, ends in a newline and has no control characters")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _bad("bad base64") from None
    if _encode(data) != text:
        raise _bad("base64 that no encoder writes")
    return data


def _bad(message: str) -> Unverified:
    return Unverified(message, code="note")
