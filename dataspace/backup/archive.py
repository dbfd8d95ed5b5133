"""The form of a backup's content: a tar stream whose last members say what it holds. Rim.

    <path>          files, each once, relative, regular
    files.sha256    a line a file: hex(SHA-256) "  " size " " path
    manifest.dsse   a `BackupManifest` over the digest of files.sha256, signed by the node

Reading writes files into one folder and believes nothing until `read_archive` returns.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from dataspace.backup.contents import Source, is_gone, length_of
from dataspace.errors import Unavailable, Unverified

FILES, MANIFEST = "files.sha256", "manifest.dsse"
_BUFFER = 1 << 20
_MAX_LISTING = 1 << 30
_MAX_MANIFEST = 1 << 20


@dataclass(frozen=True)
class Read:
    """What an archive held beside its files: their listing, and the signed manifest."""

    files_sha256: bytes
    files: int
    manifest: bytes


class ArchiveWriter:
    """Writes members into a stream."""

    def __init__(self, out: IO[bytes]) -> None:
        self._tar = tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - closed by `finish`
        self._lines: list[str] = []

    def add_all(self, sources: Iterable[Source]) -> None:
        """Write files as they come; one that has gone since it was listed is left out."""
        for source in sources:
            try:
                stream = source.open()
            except OSError as error:
                if is_gone(error):
                    continue  # erased, or replaced by another that comes with its own name
                raise Unavailable(
                    f"{source.path} cannot be read ({error.strerror})", code="disk"
                ) from None
            with closing(stream):
                self._add(source, stream)

    @property
    def listing(self) -> bytes:
        """What `files.sha256` holds."""
        return "".join(self._lines).encode()

    @property
    def files(self) -> int:
        """How many files there are."""
        return len(self._lines)

    def finish(self, manifest: bytes) -> None:
        """Write the listing and the manifest, and end the archive."""
        for name, data in ((FILES, self.listing), (MANIFEST, manifest)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            self._tar.addfile(info, io.BytesIO(data))
        self._tar.close()

    def _add(self, source: Source, stream: IO[bytes]) -> None:
        info = tarfile.TarInfo(source.path)
        info.size, info.mode = length_of(stream), source.mode
        hashing = _Hashing(stream)
        try:
            self._tar.addfile(info, hashing)
        except (tarfile.TarError, OSError):
            raise Unavailable(
                f"{source.path} changed while it was read, or cannot be written; try again",
                code="backup-busy",
            ) from None
        self._lines.append(f"{hashing.sha256.hexdigest()}  {info.size} {source.path}\n")


class _Hashing(io.RawIOBase):
    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.sha256.update(data)
        return data


def read_archive(source: IO[bytes], folder: Path) -> Read:
    """Write an archive's files into an empty folder, and hold them against its listing.

    Files are durable once whoever calls has flushed the disk. Raises `Unverified`
    (`backup-changed`) for anything but what `ArchiveWriter` writes, and
    `Unavailable` (`disk`). Whoever calls removes the folder then.
    """
    lines: list[str] = []
    tail: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:
            for member in tar:
                stream = tar.extractfile(member) if _is_plain(member) else None
                if stream is None or (tail and member.name != MANIFEST) or MANIFEST in tail:
                    raise _changed()
                if member.name in {FILES, MANIFEST}:
                    most = _MAX_LISTING if member.name == FILES else _MAX_MANIFEST
                    tail[member.name] = _bounded(stream, member.size, most)
                else:
                    lines.append(_write(member, stream, folder))
        while source.read(_BUFFER):  # padding of the tar; whoever gives the stream checks its end
            pass
    except tarfile.TarError:
        raise _changed() from None
    except OSError as error:
        raise Unavailable(
            f"the backup cannot be unpacked ({error.strerror})", code="disk"
        ) from None
    if set(tail) != {FILES, MANIFEST} or tail[FILES] != "".join(lines).encode():
        raise _changed()
    return Read(hashlib.sha256(tail[FILES]).digest(), len(lines), tail[MANIFEST])


def _is_plain(member: tarfile.TarInfo) -> bool:
    # SECURITY: a kind that tarfile does not know passes for a file, and a sparse one of a few bytes
    # fills the disk.
    return member.type == tarfile.REGTYPE and not member.issparse()


def _write(member: tarfile.TarInfo, stream: IO[bytes], folder: Path) -> str:
    path = PurePosixPath(member.name)
    # SECURITY: whoever holds the public key can make an archive; no name leads out of the folder.
    if path.is_absolute() or ".." in path.parts or not path.parts or str(path) != member.name:
        raise _changed()
    target = folder / path
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as written:
        while data := stream.read(_BUFFER):
            digest.update(data)
            written.write(data)
        os.fchmod(handle, 0o600 | (member.mode & 0o044))
    return f"{digest.hexdigest()}  {member.size} {member.name}\n"


def _bounded(stream: IO[bytes], size: int, most: int) -> bytes:
    if size > most:
        raise _changed()
    return stream.read()


def _changed() -> Unverified:
    return Unverified(
        "the backup does not hold what it says; take another copy of it", code="backup-changed"
    )
