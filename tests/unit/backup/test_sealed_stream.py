"""A sealed stream: whole for its key, or refused."""

from __future__ import annotations

import io

import pytest

from dataspace.backup.sealed_stream import CHUNK_BYTES, MAGIC, OpeningReader, SealingWriter
from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, SealingKey

KEY = SealingKey.from_seed(HYBRID, bytes(range(SEED_BYTES[HYBRID])))
OTHER = SealingKey.from_seed(HYBRID, bytes(SEED_BYTES[HYBRID]))
CHUNK = CHUNK_BYTES + 16


def sealed(data: bytes, piece: int = 10_000) -> bytes:
    out = io.BytesIO()
    writer = SealingWriter(out, KEY.public)
    for at in range(0, len(data), piece):
        writer.write(data[at : at + piece])
    writer.finish()
    return out.getvalue()


def opened(stream: bytes, key: SealingKey = KEY) -> bytes:
    reader = OpeningReader(io.BytesIO(stream), key)
    data = io.BufferedReader(reader).read()
    reader.check_end()
    return data


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_001]
)
def test_what_was_sealed_opens_whole(size: int) -> None:
    data = bytes(each % 251 for each in range(size))
    stream = sealed(data)
    assert opened(stream) == data
    assert size < 40 or data[:40] not in stream


def head() -> int:
    return len(sealed(b"")) - 16


@pytest.mark.parametrize("cut", [1, 16, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_a_stream_that_was_cut_off_is_refused(cut: int) -> None:
    stream = sealed(bytes(2 * CHUNK_BYTES + 100))
    with pytest.raises(Unverified) as caught:
        opened(stream[:-cut])
    assert caught.value.code == "backup-changed"


def test_chunks_in_another_order_twice_or_left_out_are_refused() -> None:
    stream, at = sealed(bytes(4 * CHUNK_BYTES)), head()
    chunks = [stream[at + CHUNK * n : at + CHUNK * (n + 1)] for n in range(4)]
    for order in ([1, 0, 2, 3], [0, 0, 1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [3]):
        with pytest.raises(Unverified):
            opened(stream[:at] + b"".join(chunks[n] for n in order))


def test_anything_after_the_end_is_refused() -> None:
    for more in (b"x", bytes(16), bytes(CHUNK)):
        with pytest.raises(Unverified):
            opened(sealed(b"data") + more)


def test_every_changed_byte_is_refused() -> None:
    stream = sealed(b"a little")
    for at in range(len(stream)):
        changed = bytearray(stream)
        changed[at] ^= 1
        with pytest.raises(DataspaceError):
            opened(bytes(changed))


def test_another_key_opens_nothing_and_says_so() -> None:
    with pytest.raises(Unverified, match="recovery key"):
        opened(sealed(b"data"), OTHER)


def test_the_end_of_one_stream_does_not_fit_another() -> None:
    one, other = sealed(bytes(2 * CHUNK_BYTES)), sealed(bytes(2 * CHUNK_BYTES))
    with pytest.raises(Unverified):
        opened(one[:-CHUNK] + other[-CHUNK:])


@pytest.mark.parametrize("stream", [b"", b"no backup", MAGIC[:-1], b"gba-backup 2\n" + bytes(99)])
def test_another_file_is_no_backup(stream: bytes) -> None:
    with pytest.raises(Malformed):
        opened(stream)


@pytest.mark.parametrize("taken", [0, 3, CHUNK_BYTES])
def test_a_reader_who_stopped_early_is_not_told_that_it_saw_all(taken: int) -> None:
    reader = OpeningReader(io.BytesIO(sealed(bytes(CHUNK_BYTES + 5))), KEY)
    assert len(reader.read(taken)) == taken
    with pytest.raises(Unverified):
        reader.check_end()
