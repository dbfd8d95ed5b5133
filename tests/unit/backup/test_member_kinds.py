"""Members of an archive that pass for files and are none."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from dataspace.backup.archive import FILES, MANIFEST, read_archive
from dataspace.errors import Unverified

LARGE = 8 << 20


def listed(info: tarfile.TarInfo, stored: bytes, content: bytes) -> io.BytesIO:
    """An archive of one member, whose listing says what a reader would make of it."""
    line = f"{hashlib.sha256(content).hexdigest()}  {len(content)} {info.name}\n".encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for member, data in (
            (info, stored),
            (tarfile.TarInfo(FILES), line),
            (tarfile.TarInfo(MANIFEST), b"m"),
        ):
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return io.BytesIO(out.getvalue())


def test_a_plain_member_is_taken(tmp_path: Path) -> None:
    assert read_archive(listed(tarfile.TarInfo("a"), b"x", b"x"), tmp_path).files == 1


@pytest.mark.parametrize("kind", [b"Z", tarfile.CONTTYPE])
def test_a_member_of_a_kind_that_nobody_writes_is_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a")
    info.type = kind
    with pytest.raises(Unverified):
        read_archive(listed(info, b"x", b"x"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_few_bytes_that_say_they_are_a_large_file_fill_no_disk(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = {
        "GNU.sparse.map": f"{LARGE - 1},1",
        "GNU.sparse.size": str(LARGE),
    }
    with pytest.raises(Unverified):
        read_archive(listed(info, b"x", bytes(LARGE - 1) + b"x"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def members(*named: tuple[str, bytes]) -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for name, data in named:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return io.BytesIO(out.getvalue())


A = ("a", b"x")
LISTING = (FILES, f"{hashlib.sha256(b'x').hexdigest()}  1 a\n".encode())
SIGNED = (MANIFEST, b"m")


@pytest.mark.parametrize(
    "order",
    [
        (LISTING, A, SIGNED),
        (LISTING, SIGNED, A),
        (A, SIGNED, LISTING),
        (A, LISTING, SIGNED, SIGNED),
        (A, LISTING, LISTING, SIGNED),
        (A, LISTING),
        (A, SIGNED),
        (A, LISTING, (MANIFEST, bytes((1 << 20) + 1))),
    ],
)
def test_files_then_their_listing_then_the_manifest_and_no_other_order(
    tmp_path: Path, order: tuple[tuple[str, bytes], ...]
) -> None:
    with pytest.raises(Unverified):
        read_archive(members(*order), tmp_path)
