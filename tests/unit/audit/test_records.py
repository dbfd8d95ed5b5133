from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.merkle import leaf_hash, root_of
from dataspace.audit.records import (
    MAX_BATCH,
    SECTOR_BYTES,
    Record,
    decode_segment,
    encode_record,
)
from dataspace.errors import Malformed, Unverified

from .samples import ORIGIN, PRIVATE_KEY, entry

HUGE = b"\xffgba" + bytes(4) + b"\xff" * 4  # a header, whose record would be 4 GB long
ZEROS = bytes(4 * SECTOR_BYTES)
texts = st.text(st.characters(min_codepoint=1, codec="utf-8"), min_size=1)
records = st.builds(
    Record,
    st.integers(0, 2**63 - 1),
    texts,
    st.lists(texts.map(str.encode), min_size=1, max_size=12).map(tuple),
)


def record(old_size: int, count: int) -> Record:
    entries = tuple(entry(number) for number in range(old_size, old_size + count))
    root = root_of(leaf_hash(entry(number)) for number in range(old_size + count))
    text = sign_checkpoint(Checkpoint(ORIGIN, old_size + count, root), PRIVATE_KEY)
    return Record(old_size, text, entries)


FIRST, SECOND = encode_record(record(0, 7)), encode_record(record(7, 9))


@given(st.lists(records, max_size=4), st.integers(0, 5))
def test_records_come_back_as_they_were_written(written: list[Record], room: int) -> None:
    data = b"".join(map(encode_record, written)) + bytes(room * SECTOR_BYTES)
    assert decode_segment("s", data) == tuple(written)


@given(records)
def test_a_record_takes_whole_sectors(written: Record) -> None:
    assert len(encode_record(written)) % SECTOR_BYTES == 0


@pytest.mark.parametrize("length", range(len(SECOND.rstrip(b"\0"))))
def test_a_last_record_that_was_cut_short_is_left_out(length: int) -> None:
    data = FIRST + SECOND[:length].ljust(len(SECOND), b"\0") + ZEROS
    assert decode_segment("s", data) == (record(0, 7),)


@given(st.sets(st.integers(0, len(SECOND) // SECTOR_BYTES - 1), min_size=1))
def test_a_last_record_of_which_sectors_never_came_is_left_out(lost: set[int]) -> None:
    torn = bytearray(SECOND)
    for sector in lost:
        torn[sector * SECTOR_BYTES : (sector + 1) * SECTOR_BYTES] = bytes(SECTOR_BYTES)
    whole = (record(0, 7), record(7, 9))
    expected = whole if torn == SECOND else whole[:1]
    assert decode_segment("s", FIRST + torn + ZEROS) == expected


def test_a_changed_byte_of_a_header_is_never_taken_for_a_crash() -> None:
    for start in (0, len(FIRST)):
        for at in range(start, start + 16):
            for value in range(256):
                data = bytearray(FIRST + SECOND + ZEROS)
                if data[at] == value:
                    continue
                data[at] = value
                with pytest.raises(Unverified, match="was changed; restore the log from a backup"):
                    decode_segment("s", bytes(data))


@given(st.integers(0, len(FIRST + SECOND) + SECTOR_BYTES - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_and_never_taken_for_a_crash(at: int, change: int) -> None:
    data = bytearray(FIRST + SECOND + ZEROS)
    data[at] ^= change
    if data[at] == 0:  # zeros are what a crash leaves
        data[at] = 0x7F if change == 0x7E else 0x7E
    with pytest.raises(Unverified, match="was changed; restore the log from a backup"):
        decode_segment("s", bytes(data))


@pytest.mark.parametrize(
    "data",
    [
        FIRST[:SECTOR_BYTES] + bytes(len(FIRST) - SECTOR_BYTES) + SECOND + ZEROS,
        bytes(SECTOR_BYTES) + FIRST[SECTOR_BYTES:] + SECOND + ZEROS,
        bytes(len(FIRST)) + SECOND + ZEROS,
        (FIRST + SECOND)[:-SECTOR_BYTES],
        FIRST[:5],
        HUGE + zlib.crc32(HUGE).to_bytes(4, "big") + ZEROS,
    ],
)
def test_a_record_before_another_or_at_a_missing_end_is_not_torn(data: bytes) -> None:
    with pytest.raises(Unverified):
        decode_segment("s", data)


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_commit_of_no_entry_or_too_many_cannot_exist(count: int) -> None:
    with pytest.raises(Malformed):
        Record(0, "note", (b"{}",) * count)
