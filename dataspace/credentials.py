"""A party's keys and certificates while it runs: read again when they were renewed. Rim.

Whoever signs or dials asks here every time, and gets what is in the files now; they are looked at
once a second. What was renewed serves the next signature, the next dial and the next handshake
of the broker; no process starts anew. Files that do not fit each other, name another party or are
not valid now change nothing: what was read before goes on, and an error says so.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import structlog
from cryptography import x509

from dataspace.errors import DataspaceError, Malformed
from dataspace.identity.envelopes import SigningIdentity
from dataspace.identity.keystore import (
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    FindKey,
    TlsIdentity,
    load_identity,
    load_tls,
)
from dataspace.identity.names import ActorUri
from dataspace.identity.profiles import tls_uri
from dataspace.identity.reading import read_certificate, read_pem_certificates

_LOG = structlog.get_logger("credentials")

LOOK_SECONDS = 1.0
WARN_DAYS, URGENT_DAYS = 30, 7
_WARN_SECONDS = 24 * 3600.0
_DAY = 86_400.0
_FILES = (SIGNING_CHAIN, SIGNING_KEY, TLS_CHAIN, TLS_KEY)

_Mark = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class _Held:
    """What one reading found, and the files' marks at that time."""

    signing: SigningIdentity
    tls: TlsIdentity
    mark: _Mark
    until: Mapping[str, datetime]  # use -> the leaf's end


@dataclass
class Credentials:
    """One party's. Safe between threads. An `Identity`: whoever signs takes `current()`."""

    path: Path
    uri: ActorUri
    find: FindKey
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _held: _Held | None = None
    _tried: _Mark = ()
    _looked: float = 0.0
    _warned: float | None = None

    def current(self) -> SigningIdentity:
        """The key and certificate to sign with now. Raises where none could ever be read."""
        return self._now().signing

    def tls(self) -> TlsIdentity:
        """The TLS key and chain of now; the same value until they are renewed."""
        return self._now().tls

    def until(self) -> Mapping[str, datetime]:
        """Until when the certificates hold, by use: `signing`, `tls`."""
        return self._now().until

    def days_left(self, at: datetime) -> float:
        """Days until the first of them ends; negative once it has."""
        return min((end - at).total_seconds() for end in self.until().values()) / _DAY

    def look(self) -> None:
        """Take what was renewed, and say once a day what ends within 30 days. Never raises."""
        if self._held is None:
            return  # nothing here has signed or dialled yet
        held = self._now()
        moment = time.monotonic()
        if self._warned is None or moment - self._warned >= _WARN_SECONDS:
            self._warned = moment
            _warn(held, datetime.now(UTC))

    def _now(self) -> _Held:
        with self._lock:
            moment = time.monotonic()
            if self._held is not None and moment - self._looked < LOOK_SECONDS:
                return self._held
            self._looked = moment
            mark = _mark(self.path)
            if self._held is None:
                self._held = self._read(mark)
            elif mark not in (self._held.mark, self._tried):
                self._take(self._held, mark)
            return self._held

    def _take(self, held: _Held, mark: _Mark) -> None:
        try:
            fresh = self._read(mark)
            _check_valid(fresh, datetime.now(UTC))
        except DataspaceError as error:
            # Once for each change, not every second.
            self._tried = mark
            _LOG.error("certificate.not_taken", code=error.code)
            return
        # One that is as it was stays the same value: nobody dials anew for it.
        tls = held.tls if fresh.tls == held.tls else fresh.tls
        self._held = _Held(fresh.signing, tls, mark, fresh.until)
        self._warned = None
        _LOG.info("certificate.taken", days=int(_days(fresh, datetime.now(UTC))))

    def _read(self, mark: _Mark) -> _Held:
        signing, tls = load_identity(self.path, self.find), load_tls(self.path)
        leaf = leaf_of(tls)
        # SECURITY: whoever can put a file here must not make this party speak as another.
        if not self.uri == signing.uri == tls_uri(leaf):
            raise Malformed(
                f"the certificates in {self.path} name another than {self.path / 'party.toml'}; "
                "install those that were issued for this home",
                code="bad-identity",
            )
        ends = {
            "signing": read_certificate(signing.chain_der[0]).not_valid_after_utc,
            "tls": leaf.not_valid_after_utc,
        }
        return _Held(signing, tls, mark, MappingProxyType(ends))


def _check_valid(held: _Held, at: datetime) -> None:
    signing = read_certificate(held.signing.chain_der[0])
    for leaf in (signing, leaf_of(held.tls)):
        if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
            raise Malformed("a renewed certificate is not valid now", code="bad-identity")


def _warn(held: _Held, at: datetime) -> None:
    for use, end in held.until.items():
        days = (end - at).total_seconds() / _DAY
        if days <= WARN_DAYS:
            tell = _LOG.error if days <= URGENT_DAYS else _LOG.warning
            tell("certificate.ends", use=use, days=int(days), next="gba identity rotate")


def _days(held: _Held, at: datetime) -> float:
    return min((end - at).total_seconds() for end in held.until.values()) / _DAY


def _mark(path: Path) -> _Mark:
    """What changes when a file is replaced; a missing one has a mark of its own."""
    found = []
    for name in _FILES:
        try:
            state = os.stat(path / name)
            found.append((state.st_ino, state.st_mtime_ns, state.st_size))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)


def leaf_of(tls: TlsIdentity) -> x509.Certificate:
    """The certificate that a TLS library shows."""
    return read_pem_certificates(tls.chain_pem)[0]
