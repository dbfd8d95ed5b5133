"""Reads a log's public form over HTTP, as C2SP tlog-tiles serves it. Rim; writes nothing.

Every file has a bound, every request a timeout; nothing that is read is believed here.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

from dataspace.audit.notes import MAX_NOTE_BYTES
from dataspace.audit.tiles import FULL_WIDTH, Tile, clip
from dataspace.errors import Malformed, Unavailable, Unverified

_SECONDS = 10.0
_TRIES = 3
_MAX_ENTRY_BUNDLE = FULL_WIDTH * (2 + 65_535)
_MAX_HASH_TILE = FULL_WIDTH * 32
_NOT_FOUND = 404


class UrlReader:
    """A `TileReader` over a log's URL prefix, where full tiles may have replaced partial ones."""

    def __init__(self, prefix: str, sleep: Callable[[float], None] = time.sleep) -> None:
        if urlsplit(prefix).scheme not in {"http", "https"}:
            raise Malformed("a log's address begins with http:// or https://", code="log-url")
        self._prefix = prefix.rstrip("/")
        self._sleep = sleep
        self._opener = urllib.request.build_opener(_NoRedirect())

    def checkpoint(self) -> str:
        """The signed note as it stands, unverified."""
        try:
            data = self._get("checkpoint", MAX_NOTE_BYTES)
            if data is None:
                raise _missing("checkpoint")
            return data.decode()
        except UnicodeDecodeError:
            raise Unverified("checkpoint is not UTF-8 text", code="note") from None

    def read(self, tile: Tile) -> bytes:
        """A tile's bytes, unverified; cut from the full tile where the partial one is gone."""
        limit = _MAX_ENTRY_BUNDLE if tile.level is None else _MAX_HASH_TILE
        data = self._get(tile.path, limit)
        if data is None and not tile.is_full:
            whole = self._get(tile.full.path, limit)
            data = None if whole is None else clip(tile, tile.full, whole)
        if data is None:
            raise _missing(tile.path)
        return data

    def widths(self, tile: Tile) -> tuple[int, ...]:
        """None: a server does not list."""
        del tile
        return ()

    def _get(self, path: str, limit: int) -> bytes | None:
        """A file's bytes; None where the server has no such file."""
        for attempt in range(_TRIES):
            try:
                with self._opener.open(f"{self._prefix}/{path}", timeout=_SECONDS) as reply:
                    data: bytes = reply.read(limit + 1)
                if len(data) > limit:
                    raise Unverified(f"{path} is longer than it can be", code="tile-size")
                return data
            except urllib.error.HTTPError as error:
                if error.code == _NOT_FOUND:
                    return None
                if error.code < 500:
                    break
            except (OSError, ValueError):
                pass
            if attempt + 1 < _TRIES:
                self._sleep(0.5 * 2**attempt)
        raise Unavailable(
            f"{self._prefix}/{path} cannot be read; try again later", code="log-unreachable"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """SECURITY: a log's server must not send a verifier to another place, or to a file."""

    def redirect_request(self, *_: object) -> None:
        return None


def _missing(path: str) -> Unverified:
    return Unverified(f"{path} is missing", code="tile-missing")
