"""A disk that is watched, and that fails from a chosen call on."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CALLS = ("open", "write", "pwrite", "fsync", "rename", "unlink", "rmdir", "mkdir")
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Disk:
    """Notes every call that changes or flushes something, and fails those from the n-th on.

    A write that fails first leaves half of its bytes, as a full disk and a lost one do.
    """

    def __init__(self, patch: pytest.MonkeyPatch, fail_at: int = -1, code: int = errno.EIO) -> None:
        self.calls: list[tuple[str, Path]] = []
        self._fail_at = fail_at
        self._code = code
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            patch.setattr(os, name, self._watching(name))

    @property
    def failed(self) -> bool:
        return len(self.calls) >= self._fail_at >= 0

    def _watching(self, name: str) -> Callable[..., Any]:
        def call(first: Any, *rest: Any, **named: Any) -> Any:
            if name == "open" and not rest[0] & _CHANGES:
                return self._real[name](first, *rest, **named)
            if self.failed:
                if name in {"write", "pwrite"}:
                    half = rest[0][: len(rest[0]) // 2]
                    self._real[name](first, half, *rest[1:])
                raise OSError(self._code, os.strerror(self._code))
            path = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else first
            noted = name
            if name == "pwrite" and fcntl.fcntl(first, fcntl.F_GETFL) & os.O_DSYNC:
                noted = "pwrite through"
            self.calls.append((noted, Path(rest[0] if name == "rename" else path)))
            return self._real[name](first, *rest, **named)

        return call
