"""What an archive may hold: its own files, each once, and nothing that leads out of its folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from dataspace.backup.archive import FILES, MANIFEST, ArchiveWriter, read_archive
from dataspace.backup.contents import Source
from dataspace.backup.recovery_keys import make_recovery_key, read_private, read_public
from dataspace.errors import Malformed, Refused, Unavailable, Unverified


def source(path: str, data: bytes, mode: int = 0o600) -> Source:
    return Source(path, mode, lambda: io.BytesIO(data))


def archive(*sources: Source) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out)
    writer.add_all(sources)
    writer.finish(b"manifest")
    return out.getvalue()


def test_files_come_back_with_content_and_no_more_rights(tmp_path: Path) -> None:
    made = archive(source("a/b/c", b"x" * 3_000_000, 0o777), source("d", b"", 0o644))
    read = read_archive(io.BytesIO(made), tmp_path)
    assert (tmp_path / "a/b/c").read_bytes() == b"x" * 3_000_000
    assert (tmp_path / "a/b/c").stat().st_mode & 0o777 == 0o644
    assert (read.files, read.manifest) == (2, b"manifest")


def hostile(*members: tuple[tarfile.TarInfo, bytes], listing: bytes | None = None) -> io.BytesIO:
    out = io.BytesIO()
    lines = b""
    with tarfile.open(fileobj=out, mode="w|") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
            lines += f"{hashlib.sha256(data).hexdigest()}  {len(data)} {info.name}\n".encode()
        for name, data in ((FILES, lines if listing is None else listing), (MANIFEST, b"m")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return io.BytesIO(out.getvalue())


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "name", ["../out", "/tmp/out", "a/../../out", "a/./b", "a//b", ".", "..", "a/..", FILES]
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises((Unverified, Unavailable)):
        read_archive(hostile((tarfile.TarInfo(name), b"x")), inside)
    assert [each.name for each in tmp_path.iterdir()] == ["inside"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_nothing_but_files_is_unpacked(tmp_path: Path, kind: bytes) -> None:
    with pytest.raises(Unverified):
        read_archive(hostile((link(kind, "/etc/passwd"), b"")), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_twice_or_not_as_listed_is_refused(tmp_path: Path) -> None:
    twice = hostile((tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("a"), b"2"))
    with pytest.raises((Unverified, Unavailable)):
        read_archive(twice, tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(Unverified):
        read_archive(hostile((tarfile.TarInfo("b"), b"1"), listing=b""), other)


def test_a_recovery_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key"
    public = make_recovery_key(file)
    assert file.stat().st_mode & 0o077 == 0
    assert read_private(file).public.data == read_public(public).data
    with pytest.raises(Refused):
        make_recovery_key(file)
    public.unlink()
    with pytest.raises(Refused):
        make_recovery_key(file)


def test_the_wrong_one_of_the_two_files_is_refused_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    public = make_recovery_key(file)
    public.chmod(0o600)
    secret = file.read_text().split()[2]
    with pytest.raises(Malformed) as caught:
        read_public(file)
    assert secret not in str(caught.value)
    with pytest.raises(Malformed):
        read_private(public)
    file.chmod(0o640)
    with pytest.raises(Refused):
        read_private(file)
