"""Recovery keys: a backup is sealed to the public one, and opened with the private one. Rim.

    FILE         "gba-recovery-key mlkem768-x25519 " base64(seed) LF      mode 0600, kept apart
    FILE.pub     "gba-recovery-public mlkem768-x25519 " base64(key) LF

A hybrid with ML-KEM-768, since an archive may be kept for longer than curves hold.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from pathlib import Path

from dataspace.errors import Malformed, Refused, Unavailable
from dataspace.linkage.sealing import HYBRID, SEED_BYTES, PublicSealingKey, SealingKey

_PRIVATE, _PUBLIC = "gba-recovery-key", "gba-recovery-public"
_BASIS = "space rule: keys"


def make_recovery_key(file: Path) -> Path:
    """Make a key in `file` and its public part beside it. Never over one that is there."""
    public = file.with_name(f"{file.name}.pub")
    seed = secrets.token_bytes(SEED_BYTES[HYBRID])
    key = SealingKey.from_seed(HYBRID, seed)
    if public.exists():
        raise _no_overwrite(public)
    _write_new(file, _line(_PRIVATE, seed), 0o600)
    _write_new(public, _line(_PUBLIC, key.public.data), 0o644)
    return public


def read_public(file: Path) -> PublicSealingKey:
    """The key to seal to. Raises `Malformed` (`recovery-key`) for any other file."""
    return PublicSealingKey(HYBRID, _read(file, _PUBLIC))


def read_private(file: Path) -> SealingKey:
    """The key to open with. Raises `Refused` where others may read it."""
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise Refused(
                f"others may read the recovery key {file}; run `chmod 600 {file}`",
                code="keystore-key-mode", rule="keystore-key-mode", basis=_BASIS,
            )  # fmt: skip
    except OSError:
        raise _unreadable(file) from None
    return SealingKey.from_seed(HYBRID, _read(file, _PRIVATE))


def _line(what: str, data: bytes) -> bytes:
    return f"{what} {HYBRID} {base64.b64encode(data).decode()}\n".encode()


def _read(file: Path, what: str) -> bytes:
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError):
        raise _unreadable(file) from None
    try:
        kind, algorithm, encoded = text.split()
        if (kind, algorithm) == (what, HYBRID):
            return base64.b64decode(encoded, validate=True)
    except ValueError:
        pass
    # SECURITY: whoever names the private file as a public one must not see it in a message.
    wanted = "public" if what == _PUBLIC else "private"
    raise Malformed(
        f"{file} holds no {wanted} recovery key; see `gba backup keygen`", code="recovery-key"
    )


def _write_new(file: Path, data: bytes, mode: int) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError:
        raise _no_overwrite(file) from None
    except OSError as error:
        raise Unavailable(f"{file} cannot be written ({error.strerror})", code="disk") from None
    with os.fdopen(handle, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _no_overwrite(file: Path) -> Refused:
    return Refused(
        f"{file} is there already; move it away before making another key",
        code="keystore-no-overwrite", rule="keystore-no-overwrite", basis=_BASIS,
    )  # fmt: skip


def _unreadable(file: Path) -> Unavailable:
    return Unavailable(f"{file} cannot be read; is it the right file?", code="key-missing")
