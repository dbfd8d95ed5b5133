"""Keys and certificates on disk, at the rim: touches files and randomness.

    keys/signing.key    PEM PKCS#8, mode 0600      certs/signing.pem    PEM, leaf first
    keys/tls.key        PEM PKCS#8, mode 0600      certs/tls.pem        PEM, leaf first
    keys/*.next.key     a key that waits for its certificate

A private key is never readable by others, not even while it is being written.

INVARIANT: the certificate decides which key is used, the one in place or the one that waits.
So the rename of one file, the certificate, puts a new pair in force, and no moment and no
crash shows a key beside another key's certificate.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.errors import Malformed, Refused, Unavailable, Unverified
from dataspace.identity.algorithms import algorithm_of, generate
from dataspace.identity.envelopes import SigningIdentity
from dataspace.identity.profiles import signing_uri
from dataspace.identity.reading import read_pem_certificates

SIGNING_KEY = Path("keys/signing.key")
SIGNING_CHAIN = Path("certs/signing.pem")
TLS_KEY = Path("keys/tls.key")
TLS_CHAIN = Path("certs/tls.pem")
FORMER = Path("certs/former")  # chains that were in use before, for whoever checks what they signed
WITNESS_KEYS = (Path("keys/witness.key"), Path("keys/witness-ml-dsa.key"))  # of a witness alone


@dataclass(frozen=True)
class TlsIdentity:
    """What a TLS library takes: PEM key and PEM chain, leaf first."""

    key_pem: bytes = field(repr=False)
    chain_pem: bytes


def generate_private_key(algorithm: str) -> PrivateKeyTypes:
    """A new key for one of `algorithms.ALGORITHMS`."""
    return generate(algorithm)


def write_private_key(path: Path, key: PrivateKeyTypes) -> None:
    """Write a key as PEM PKCS#8, mode 0600. Never over one that is there: `Refused`."""
    pem = _pem(key)
    draft = _write_draft(path, pem, mode=0o600)
    try:
        os.link(draft, path)  # like O_EXCL, but the file appears whole or not at all
    except FileExistsError as error:
        raise Refused(
            f"a key is already at {path}; move it away before making another",
            code="keystore-no-overwrite",
            rule="keystore-no-overwrite",
            basis=_BASIS,
        ) from error
    finally:
        draft.unlink()
    _sync_directory(path.parent)


def load_private_key(path: Path) -> PrivateKeyTypes:
    """Read a key that its owner alone may read; `Refused` by `keystore-key-mode` otherwise."""
    try:
        key = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError) as error:
        raise Malformed(f"{path} holds no PEM PKCS#8 private key", code="bad-key-file") from error
    algorithm_of(key.public_key())
    return key


def load_or_make_secret(path: Path, size: int) -> bytes:
    """`size` random bytes in a file that its owner alone may read, made on first use."""
    if not path.exists():
        draft = _write_draft(path, secrets.token_bytes(size), mode=0o600)
        with suppress(FileExistsError):  # another thread was quicker; its secret stands
            os.link(draft, path)
        draft.unlink()
        _sync_directory(path.parent)
    secret = read_secret(path)
    if len(secret) != size:
        raise Malformed(f"{path} does not hold {size} bytes; restore it", code="bad-key-file")
    return secret


def write_chain(path: Path, chain: Sequence[x509.Certificate]) -> None:
    """Write certificates as PEM, leaf first, replacing what was there in one step."""
    pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain)
    draft = _write_draft(path, pem, mode=0o644)
    draft.replace(path)
    _sync_directory(path.parent)


def load_chain(path: Path) -> tuple[x509.Certificate, ...]:
    """Read PEM certificates, leaf first."""
    try:
        return read_pem_certificates(_read(path))
    except Unverified as error:
        raise Malformed(f"{path} holds no PEM certificates", code="bad-chain-file") from error


def next_key(path: Path) -> Path:
    """Where the key that will follow waits for its certificate: `keys/signing.next.key`."""
    return path.with_name(f"{path.stem}.next{path.suffix}")


def find_private_key(path: Path, public_key: PublicKeyTypes) -> PrivateKeyTypes:
    """The key of a public key: the one in place, or the one that waits beside it.

    `Malformed` `bad-identity` where neither fits.
    """
    waiting = next_key(path)
    for file in (path, waiting):
        if file is path or file.exists():
            try:
                key = load_private_key(file)
            except Unavailable:
                if not waiting.exists():
                    raise
                continue
            if key.public_key() == public_key:
                return key
    raise Malformed(
        f"the key in {path} is not the one of its certificate; install the certificate that was "
        "issued for it, or restore the key",
        code="bad-identity",
    )


def take_next_key(path: Path, public_key: PublicKeyTypes) -> None:
    """Put the waiting key in place, now that its certificate is; the old key is gone with it."""
    waiting = next_key(path)
    if waiting.exists() and load_private_key(waiting).public_key() == public_key:
        waiting.replace(path)
        _sync_directory(path.parent)


def load_identity(directory: Path, find: FindKey = find_private_key) -> SigningIdentity:
    """The signing identity of a party's directory, its key held against its certificate."""

    def load() -> SigningIdentity:
        chain = load_chain(directory / SIGNING_CHAIN)
        return SigningIdentity(
            uri=signing_uri(chain[0]),
            private_key=find(directory / SIGNING_KEY, chain[0].public_key()),
            chain_der=tuple(certificate.public_bytes(Encoding.DER) for certificate in chain),
        )

    return _whole(load)


def load_tls(directory: Path) -> TlsIdentity:
    """The TLS key and chain of a party's directory, as PEM."""

    def load() -> TlsIdentity:
        chain = load_chain(directory / TLS_CHAIN)
        key = find_private_key(directory / TLS_KEY, chain[0].public_key())
        return TlsIdentity(
            key_pem=_pem(key),
            chain_pem=b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain),
        )

    return _whole(load)


FindKey = Callable[[Path, PublicKeyTypes], PrivateKeyTypes]
_TRIES = 3

T = TypeVar("T", SigningIdentity, TlsIdentity)


def _whole(load: Callable[[], T]) -> T:
    """Read again where files were renamed between two reads."""
    for _ in range(_TRIES - 1):
        with suppress(Malformed, Unavailable):
            return load()
    return load()


def _pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


_BASIS = "space rule: keys"


def _write_draft(path: Path, data: bytes, mode: int) -> Path:
    """A whole file beside `path`, on the disk. `Unavailable` where the disk does not take it."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise Unavailable(
            f"{path} cannot be written ({error.strerror}); see the disk and its permissions, and "
            "do it again",
            code="disk",
        ) from None
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def read_secret(path: Path) -> bytes:
    """What a file holds that its owner alone may read; else `Refused` by `keystore-key-mode`."""
    try:
        with path.open("rb") as file:
            # SECURITY: the mode of the open file, not of what the path may name a moment later.
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise Refused(
                    f"others may read the key {path}; run `chmod 600 {path}`, "
                    "and replace the key if others use this machine",
                    code="keystore-key-mode",
                    rule="keystore-key-mode",
                    basis=_BASIS,
                )
            return file.read()
    except OSError as error:
        raise _absent(path) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _absent(path) from error


def _absent(path: Path) -> Unavailable:
    return Unavailable(
        f"{path} cannot be read; where a signing request of this home waits, have it signed "
        "(`gba identity issue`) and run `gba identity install`",
        code="key-missing",
    )


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
