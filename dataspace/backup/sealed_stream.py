"""A stream of any length, encrypted to one recovery key. Rim: reads and writes what it is given.

    "gba-backup 1\\n"
    uint16 length ‖ HPKE(recovery key; info = magic)         of a fresh 32-byte key
    chunk*                                                   each ≤ 64 KiB of plaintext, + 16

Chunk i is AES-256-GCM under nonce `i[11] ‖ last[1]`, so that chunks can be neither reordered nor
left out, and an end that was cut off is no end (the STREAM construction of Hoang, Reyhanitabar,
Rogaway and Vizár, "Online authenticated-encryption and its nonce-reuse misuse-resistance",
CRYPTO 2015, as age uses it). The key is of this stream alone. Nothing is handed out that does
not verify; that the whole does is known at its end alone.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dataspace.errors import Malformed, Unverified
from dataspace.linkage.sealing import PublicSealingKey, SealingKey, bound_to

MAGIC = b"gba-backup 1\n"
CHUNK_BYTES = 64 * 1024
_TAG_BYTES = 16
_KEY_BYTES = 32
_COUNTER_BYTES = 11


class SealingWriter(io.RawIOBase):
    """Encrypts what is written. Only after `finish` is the stream whole."""

    def __init__(self, out: IO[bytes], key: PublicSealingKey) -> None:
        self._out = out
        self._buffer = bytearray()
        self._number = 0
        content_key = secrets.token_bytes(_KEY_BYTES)
        sealed = key.seal(content_key, bound_to("backup", MAGIC))
        self._cipher = AESGCM(content_key)
        out.write(MAGIC + len(sealed).to_bytes(2, "big") + sealed)

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        """Take all of `data`."""
        view = memoryview(data)  # type: ignore[arg-type]  # whatever a stream may be given
        self._buffer += view
        # INVARIANT: the last chunk is known as such only at the end, so one is always held back.
        while len(self._buffer) > CHUNK_BYTES:
            self._put(bytes(self._buffer[:CHUNK_BYTES]), last=False)
            del self._buffer[:CHUNK_BYTES]
        return len(view)

    def finish(self) -> None:
        """Write the last chunk."""
        self._put(bytes(self._buffer), last=True)
        self._buffer.clear()

    def _put(self, plaintext: bytes, *, last: bool) -> None:
        self._out.write(self._cipher.encrypt(_nonce(self._number, last=last), plaintext, None))
        self._number += 1


class OpeningReader(io.RawIOBase):
    """Decrypts a stream. Raises `Malformed` (`backup-form`) for another file, and `Unverified`
    (`sealed`) for another key, (`backup-changed`) for a stream that was changed or cut."""

    def __init__(self, source: IO[bytes], key: SealingKey) -> None:
        if source.read(len(MAGIC)) != MAGIC:
            raise Malformed(
                "this is no backup that this release reads; name a file of `gba backup`",
                code="backup-form",
            )
        length = int.from_bytes(source.read(2), "big")
        try:
            content_key = key.open(source.read(length), bound_to("backup", MAGIC))
        except Unverified:
            raise Unverified(
                "this backup is not sealed to this recovery key, or was changed; try the key "
                "whose .pub it was made with",
                code="sealed",
            ) from None
        self._chunks = self._opened(source, AESGCM(content_key))
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        """Fill as much as one chunk has."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # any writable buffer
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        taken = self._rest[: len(view)]
        view[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)

    def check_end(self) -> None:
        """Raise unless the stream ends here, whole."""
        if self._rest or next(self._chunks, b""):
            raise _changed()

    @staticmethod
    def _opened(source: IO[bytes], cipher: AESGCM) -> Iterator[bytes]:
        size = CHUNK_BYTES + _TAG_BYTES
        ahead, number = source.read(size), 0
        while True:
            chunk, ahead = ahead, source.read(size)
            try:
                plaintext = cipher.decrypt(_nonce(number, last=not ahead), chunk, None)
            except (InvalidTag, ValueError):
                raise _changed() from None
            yield plaintext
            number += 1
            if not ahead:
                return


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])


def _changed() -> Unverified:
    return Unverified(
        "the backup was changed or cut off; take another copy of it", code="backup-changed"
    )
