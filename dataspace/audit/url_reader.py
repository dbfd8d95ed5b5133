"""Reads a log's public form over HTTP, as C2SP tlog-tiles serves it. Rim: the network, the clock.

    GET <prefix>/checkpoint
    GET <prefix>/tile/<L>/<N>[.p/<W>]     a partial tile may be gone once the full one is there

Nothing that comes back is believed here, and none of it is longer than its kind can be: a
server can be slow, endless or wrong, and costs its reader no more than time and a refusal.
"""

from __future__ import annotations

import http.client
import time
import zlib
from email.message import Message
from http.client import HTTPMessage
from typing import IO, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from dataspace.audit.merkle import HASH_BYTES
from dataspace.audit.notes import MAX_NOTE_BYTES
from dataspace.audit.reader import CHECKPOINT, COSIGNED
from dataspace.audit.tiles import FULL_WIDTH, Tile, clip
from dataspace.errors import Malformed, Unavailable, Unverified

SCHEMES = ("http", "https")
_MAX_ENTRY_BYTES = 2 + 0xFFFF  # in a bundle, with its length
_CHUNK_BYTES = 1 << 16
_ATTEMPTS = 3
_AGAIN_SECONDS = 0.25  # doubled each time
_AGAIN_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_GZIP = 16 + zlib.MAX_WBITS


class _Body(Protocol):
    """What is used of an HTTP answer."""

    headers: Message

    def read1(self, amount: int, /) -> bytes: ...


class UrlReader:
    """A `TileReader` over a URL prefix. Raises `Unavailable` where the server does not answer.

    `timeout_s` bounds each wait, `deadline_s` a whole file with its repetitions.
    """

    def __init__(self, prefix: str, *, timeout_s: float = 10, deadline_s: float = 60) -> None:
        self._prefix = _checked(prefix)
        self._timeout_s = timeout_s
        self._deadline_s = deadline_s
        self._opener = _opener()

    def checkpoint(self) -> str:
        """The signed note as it is served, unverified."""
        note = self._note(CHECKPOINT)
        if note is None:
            raise _missing(CHECKPOINT)
        return note

    def cosigned(self) -> str | None:
        """The latest note that witnesses cosigned, unverified; None where none is served."""
        return self._note(COSIGNED)

    def read(self, tile: Tile) -> bytes:
        """A tile's bytes, unverified; cut from the full tile once that replaced a partial one."""
        data = self._file(tile.path, _most_bytes(tile))
        if data is None and not tile.is_full:
            full = self._file(tile.full.path, _most_bytes(tile.full))
            data = None if full is None else clip(tile, tile.full, full)
        if data is None:
            raise _missing(tile.path)
        return data

    def widths(self, _: Tile) -> tuple[int, ...]:
        """None: a server is not asked for partial tiles that no checkpoint calls for."""
        return ()

    def _note(self, path: str) -> str | None:
        data = self._file(path, MAX_NOTE_BYTES)
        try:
            return None if data is None else data.decode()
        except UnicodeDecodeError:
            raise Unverified(f"{path} is not UTF-8 text", code="note") from None

    def _file(self, path: str, most: int) -> bytes | None:
        """A file's bytes; None where the server says that there is none."""
        until = time.monotonic() + self._deadline_s
        reason = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(min(_AGAIN_SECONDS * 2 ** (attempt - 1), max(0.0, _left(until))))
            try:
                return self._get(path, most, until)
            except HTTPError as error:
                error.close()
                if error.code not in _AGAIN_STATUS:
                    return None
                reason = f"status {error.code}"
            except (URLError, http.client.HTTPException, OSError) as error:
                reason = str(getattr(error, "reason", "")) or type(error).__name__
            if _left(until) <= 0:
                break
        raise Unavailable(
            f"{self._prefix}/{path} cannot be read ({reason}); try again, or verify a copy",
            code="log-unreachable",
        )

    def _get(self, path: str, most: int, until: float) -> bytes:
        request = Request(  # noqa: S310  the scheme was checked, and no other has a handler
            f"{self._prefix}/{path}", headers={"Accept-Encoding": "gzip, identity"}
        )
        wait = max(0.001, min(self._timeout_s, _left(until)))
        with self._opener.open(request, timeout=wait) as answer:
            return _bounded(answer, path, most, until)


class _Redirects(HTTPRedirectHandler):
    """Follows a few redirects over HTTP, and never from HTTPS to less."""

    max_redirections = 5

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        # SECURITY: a log's server must not make its reader open files or other services.
        scheme = urlsplit(newurl).scheme
        if scheme not in SCHEMES or (req.type == "https" and scheme != "https"):
            raise URLError(f"it redirects to {scheme or 'nowhere'}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> OpenerDirector:
    opener = OpenerDirector()
    for handler in (ProxyHandler, UnknownHandler, HTTPHandler, HTTPSHandler,
                    HTTPDefaultErrorHandler, HTTPErrorProcessor, _Redirects):  # fmt: skip
        opener.add_handler(handler())
    return opener


def _checked(prefix: str) -> str:
    try:
        parts = urlsplit(prefix)
        plain = parts.scheme in SCHEMES and parts.hostname and "@" not in parts.netloc
    except ValueError:
        plain = False
    if not plain or "?" in prefix or "#" in prefix:
        raise Malformed("a log's URL reads https://host/path, without name or query", code="url")
    return prefix.rstrip("/")


def _bounded(answer: _Body, path: str, most: int, until: float) -> bytes:
    """The body, decompressed; `Unverified` once it is longer than `most`."""
    encoding = (answer.headers.get("Content-Encoding") or "identity").lower()
    if encoding not in {"gzip", "identity"}:
        raise Unverified(f"{path} is served in the encoding {encoding}", code="url-encoding")
    unpack = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    data = bytearray()
    # What has come, not all that was asked for: a server that drips must meet the deadline.
    while chunk := answer.read1(_CHUNK_BYTES):
        if _left(until) <= 0:
            raise TimeoutError
        try:
            # SECURITY: at most one byte more than may come, however well it was compressed.
            data += unpack.decompress(chunk, most + 1 - len(data)) if unpack else chunk
        except zlib.error:
            raise Unverified(f"{path} does not decompress", code="url-encoding") from None
        if len(data) > most:
            raise Unverified(f"{path} has more than {most} bytes", code="tile-size")
    told = answer.headers.get("Content-Length") or ""
    short = told.isdecimal() and len(data) < int(told[:20])
    if not unpack.eof if unpack else short:
        raise http.client.IncompleteRead(bytes(data))
    return bytes(data)


def _most_bytes(tile: Tile) -> int:
    each = _MAX_ENTRY_BYTES if tile.level is None else HASH_BYTES
    return each * min(tile.width, FULL_WIDTH)


def _left(until: float) -> float:
    return until - time.monotonic()


def _missing(path: str) -> Unverified:
    hint = "; a public copy holds no entries: see --no-entries" if "entries" in path else ""
    return Unverified(f"{path} is not served{hint}", code="tile-missing")
