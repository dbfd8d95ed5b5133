"""Files, and addresses of papers, that a person names on the command line."""

from __future__ import annotations

import urllib.request
from contextlib import suppress
from pathlib import Path

from dataspace.audit.durable import write_synced
from dataspace.errors import Malformed, Refused, Unavailable

_MOST = 8 * 1024 * 1024
_SECONDS = 10.0


def file_bytes(path: Path) -> bytes:
    """What a file holds. `Malformed` where it is not readable, or far too large."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except OSError:
        raise Malformed(f"{path} is not a readable file", code="file") from None
    if len(data) > _MOST:
        raise Malformed(f"{path} is too large to be what is asked for", code="file")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file that is to travel, whole or not at all: anybody may read it.

    Raises `Unavailable` where that is not possible.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        write_synced(draft, data)
        draft.chmod(0o644)
        draft.rename(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Unavailable(f"{path} cannot be written ({error.strerror})", code="disk") from None


def write_new_file(path: Path, data: bytes) -> None:
    """The same where no file of other content is in the way: `Refused` by `file-there`."""
    if path.exists() and file_bytes(path) != data:
        raise Refused(
            f"{path} is there and holds something else; move it away, or name another file",
            code="file-there", rule="file-there", basis="space rule: files",
        )  # fmt: skip
    write_file(path, data)


def is_url(source: str) -> bool:
    """Whether a source is fetched; what is fetched has to be signed, or pinned by a digest."""
    return source.startswith(("http://", "https://"))


def paper_bytes(source: str) -> bytes:
    """A trust list or charter from a file or an address; `Unavailable` where that gives none."""
    if not is_url(source):
        return file_bytes(Path(source))
    try:
        with urllib.request.urlopen(source, timeout=_SECONDS) as reply:  # noqa: S310 - see is_url
            return bytes(reply.read(_MOST))
    except (OSError, ValueError):
        raise Unavailable(
            f"{source} cannot be fetched; see the address, or ask for the file", code="join-fetch"
        ) from None
