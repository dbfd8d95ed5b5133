"""The signing requests of one host in one file, one after another. Verifies each, keeps none.

    file         requests as `signing_requests` writes them, each of another party of one region
    fingerprint  of a file with one request, that request's; of one with more, of the digests of
                 their payloads, in the order of the file

So that two people compare once what one of them carries.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from dataspace.errors import Malformed
from dataspace.identity.signing_requests import (
    MAX_REQUEST_BYTES,
    SigningRequest,
    read_request,
    spoken,
)

MOST_REQUESTS = 8


@dataclass(frozen=True)
class RequestFile:
    """Requests whose signatures were verified, in the order of their file."""

    requests: tuple[SigningRequest, ...]

    def __post_init__(self) -> None:
        uris = {each.uri for each in self.requests}
        if not 1 <= len(self.requests) <= MOST_REQUESTS or len(uris) != len(self.requests):
            raise _bad(f"it holds one to {MOST_REQUESTS} requests, each of another party")
        if len({each.uri.region for each in self.requests}) != 1:
            raise _bad("its requests are of several regions; an authority certifies its own")

    @property
    def sha256(self) -> bytes:
        """What the fingerprint is of."""
        first, *more = (each.sha256 for each in self.requests)
        return hashlib.sha256(b"".join((first, *more))).digest() if more else first

    @property
    def fingerprint(self) -> str:
        """To be read out; see `spoken`."""
        return spoken(self.sha256)


def read_requests(file: bytes) -> RequestFile:
    """The requests of a file. Raises as `read_request` does."""
    if len(file) > MOST_REQUESTS * MAX_REQUEST_BYTES:
        raise _bad("it is too large")
    return RequestFile(tuple(map(read_request, _pieces(file))))


def _pieces(file: bytes) -> list[bytes]:
    """The JSON texts that stand one after another in a file, byte for byte."""
    pieces: list[bytes] = []
    decoder = json.JSONDecoder()
    try:
        text = file.decode().strip()
        while text and len(pieces) <= MOST_REQUESTS:
            _, end = decoder.raw_decode(text)
            pieces.append(text[:end].encode())
            text = text[end:].lstrip()
    except (ValueError, RecursionError):
        raise _bad("it is no JSON") from None
    return pieces


def _bad(what: str) -> Malformed:
    return Malformed(
        f"this file of signing requests cannot be used: {what}; have it made again with "
        "`gba identity request`",
        code="signing-request",
    )
