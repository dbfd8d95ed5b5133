"""Records of the log's journal: one commit each, found again after any crash. Pure.

    segment = *record *%x00               ; zeros to its end: nothing was written there yet
    record  = magic crc32 length head payload *%x00
                                          ; begins on a sector of 512 bytes, padded to one
    magic   = %xFF "gba"                  ; no payload has these bytes: it is UTF-8 and lengths
    crc32   = uint32                      ; over length and payload
    length  = uint32                      ; of the payload
    head    = uint32                      ; crc32 over magic, crc32 and length, so that a changed
                                          ; length does not pass for an end that was never written
    payload = old-size note-length note 1*256( uint16 entry )
                                          ; old-size uint64, note-length uint32; big-endian

A record never shares a sector with one before it, so that writing it cannot harm what was
acknowledged. The note is the signed checkpoint of the log with the record's entries in it:
it is what makes a record trustworthy; the checksum only tells whether it was written whole.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from dataspace.audit.tiles import FULL_WIDTH, Tile, decode_bundle, encode_bundle
from dataspace.errors import Malformed, Unverified

MAX_BATCH = FULL_WIDTH  # entries in one commit
SECTOR_BYTES = 512
_MAGIC = b"\xffgba"
_HEADER = struct.Struct(">4sIII")
_HEAD = struct.Struct(">4sII")
_FIXED = struct.Struct(">QI")


@dataclass(frozen=True)
class Record:
    """One commit: `entries` follow the first `old_size`; the note is signed over all of them."""

    old_size: int
    checkpoint_text: str
    entries: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.entries) <= MAX_BATCH or not 0 <= self.old_size < 2**63:
            raise Malformed(f"a commit has 1 to {MAX_BATCH} entries", code="journal-record")

    @property
    def size(self) -> int:
        """The log's size with these entries."""
        return self.old_size + len(self.entries)


def encode_record(record: Record) -> bytes:
    """The bytes of a record, whole sectors."""
    note = record.checkpoint_text.encode()
    payload = _FIXED.pack(record.old_size, len(note)) + note + encode_bundle(record.entries)
    head = _HEAD.pack(_MAGIC, _checksum(payload), len(payload))
    data = head + zlib.crc32(head).to_bytes(4, "big") + payload
    return data + bytes(-len(data) % SECTOR_BYTES)


def decode_segment(name: str, data: bytes) -> tuple[Record, ...]:
    """The records of a segment, without a last one whose writing a crash cut short.

    Raises `Unverified` when a record was changed. A crash leaves sectors that were never
    written and read as zeros, and only in the last record: nobody was told of that one.
    Any other record that does not hold its checksum may have been acknowledged.
    """
    records: list[Record] = []
    at = 0
    while at < len(data):
        end = _end_of_record(name, data, at)
        if end is None:
            break
        records.append(_decode_payload(name, at, data[at + _HEADER.size : end]))
        at = end + -end % SECTOR_BYTES
    return tuple(records)


def _end_of_record(name: str, data: bytes, at: int) -> int | None:
    """Where the record at `at` ends; None where there is none, or one that was cut short."""
    if not any(data[at : at + SECTOR_BYTES]):
        # Nothing more, or one record whose first sector never came.
        if any(data.startswith(_MAGIC, each) for each in range(at, len(data), SECTOR_BYTES)):
            raise _changed(name, at)
        return None
    if _MAGIC.startswith(data[at:].rstrip(b"\0")):
        return None
    if len(data) - at < _HEADER.size:
        raise _changed(name, at)
    magic, checksum, length, head = _HEADER.unpack_from(data, at)
    begin = at + _HEADER.size
    if zlib.crc32(data[at : at + _HEAD.size]) != head:
        if any(data[begin:]):
            raise _changed(name, at)
        return None
    end = begin + int(length)
    if magic != _MAGIC or end > len(data):
        raise _changed(name, at)
    if _checksum(memoryview(data)[begin:end]) == checksum:
        if any(data[end : end + -end % SECTOR_BYTES]):
            raise _changed(name, at)
        return end
    # SECURITY: what was acknowledged and then changed must not pass for a crash.
    if not _is_torn(data[at:end]) or any(data[end:]):
        raise _changed(name, at)
    return None


def _checksum(payload: bytes | memoryview) -> int:
    """Over length and payload."""
    return zlib.crc32(payload, zlib.crc32(len(payload).to_bytes(4, "big")))


def _is_torn(record: bytes) -> bool:
    """Whether a part that was never written, and reads as zeros, explains a wrong checksum.

    The end of the record is one, or any sector of it: no entry and no note has a zero byte.
    """
    sectors = range(0, len(record), SECTOR_BYTES)
    return record[-1] == 0 or any(not any(record[at : at + SECTOR_BYTES]) for at in sectors)


def _decode_payload(name: str, at: int, payload: bytes) -> Record:
    try:
        old_size, length = _FIXED.unpack_from(payload)
        bundle = payload[_FIXED.size + length :]
        note = payload[_FIXED.size : _FIXED.size + length].decode()
        return Record(old_size, note, decode_bundle(_counted(bundle), bundle))
    except (struct.error, UnicodeDecodeError, Malformed, Unverified):
        raise _changed(name, at) from None


def _counted(bundle: bytes) -> Tile:
    """The bundle's width, counted along its lengths."""
    at = count = 0
    while at < len(bundle) and count <= FULL_WIDTH:
        at += 2 + int.from_bytes(bundle[at : at + 2], "big")
        count += 1
    return Tile(None, 0, count)


def _changed(name: str, at: int) -> Unverified:
    return Unverified(
        f"the journal's record at byte {at} of {name} was changed; restore the log from a backup",
        code="journal-changed",
    )
