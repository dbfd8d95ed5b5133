"""Bodies of entries (SQL text, actor, context), kept apart from the log. Rim.

An entry holds only a salted commitment, which is also the body's key. Salt and body are
one file, so that erasing it unbinds the entry for good and breaks no proof.

    bodies/<first two digits of key>/<key>     = salt(32) ‖ body
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from dataspace.audit.durable import make_directory, sync_directory, write_synced
from dataspace.audit.entries import SALT_BYTES, commitment
from dataspace.errors import Malformed, Unavailable, Unverified

_KEY = re.compile(r"[0-9a-f]{64}", re.ASCII)


class BodyStore:
    """A directory of bodies. Safe for any number of threads and processes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        make_directory(directory)

    def put(self, body: bytes, salt: bytes) -> str:
        """Keep a body durably; returns its key, the commitment in hexadecimal.

        Put the body first, then append the entry that names it: a body without an entry
        is waste, an entry without its body cannot be replayed. `salt`: 32 random bytes.
        """
        key = commitment(salt, body).hex()
        path = self._path(key)
        make_directory(path.parent)
        temporary = path.with_name(f"{key}.{secrets.token_hex(8)}.new")
        try:
            write_synced(temporary, salt + body)
            temporary.rename(path)
            sync_directory(path.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise Unavailable(
                f"a body could not be written ({error.strerror})", code="body-store"
            ) from error
        return key

    def get(self, key: str) -> bytes | None:
        """The body under a key, or None once it is erased (or was never there).

        Raises `Unverified` if it is not what the key commits to.
        """
        opened = self.opening(key)
        return None if opened is None else opened[1]

    def opening(self, key: str) -> tuple[bytes, bytes] | None:
        """Salt and body, which open the commitment that is the key; as `get` otherwise."""
        try:
            data = self._path(key).read_bytes()
        except FileNotFoundError:
            return None
        salt, body = data[:SALT_BYTES], data[SALT_BYTES:]
        if len(salt) != SALT_BYTES or commitment(salt, body).hex() != key:
            raise Unverified(f"body {key} was changed", code="body-hash")
        return salt, body

    def erase(self, key: str) -> bool:
        """Remove body and salt durably; whether there was one."""
        path = self._path(key)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        sync_directory(path.parent)
        return True

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise Malformed("a body's key is 64 hexadecimal digits", code="body-key")
        return self._directory / key[:2] / key
