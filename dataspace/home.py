"""A party's own directory: configuration, trust lists, keys. Rim: reads and writes files.

    party.toml         who this is, and where the broker is
    trust/<N>.dsse     trust lists, version 1 pinned by digest in party.toml
    charters/<N>.dsse  charters, likewise; see `dataspace.charter_files`
    keys/ certs/       see `dataspace.identity.keystore`
    policies/ log/ bodies/ run/ …   of nodes and the broker

A process reads its own party's directory and no other.
"""

from __future__ import annotations

import json
import os
import threading
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dataspace.credentials import Credentials
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.held_keys import log_key, signing_key_finder
from dataspace.identity.envelopes import Identity, parse_envelope
from dataspace.identity.keystore import TlsIdentity
from dataspace.identity.names import ActorUri
from dataspace.identity.replicas import MOST_BROKERS, replica_name
from dataspace.identity.trusted import read_unverified
from dataspace.identity.trustlist import TrustList, accept_chain
from dataspace.v1.envelope_pb2 import Envelope

CONFIG = "party.toml"
HIGHEST = "highest"  # the newest version of the trust list that was in force
MAKING = "half-made"  # stands in a directory until the whole space is made
BROKER_ADDRESS_VARIABLE = "GBA_BROKER_ADDRESS"
LISTEN_VARIABLE = "GBA_LISTEN"
HTTP_VARIABLE = "GBA_HTTP"
METRICS_VARIABLE = "GBA_METRICS"


_KEYS = ("keys/signing.key", "keys/tls.key", "certs/signing.pem", "certs/tls.pem", "trust")
_PARTS = {
    "actor": _KEYS,
    "node": (*_KEYS, "keys/log.key", "policies", "log"),
    "broker": (*_KEYS, "keys/log.key", "policies", "log"),
    "witness": (*_KEYS, "keys/witness.key", "keys/witness-ml-dsa.key", "seen.db"),
    "revocation": (*_KEYS, "register.db"),
}


class PartyConfig(BaseModel):
    """party.toml. Sizes as DuckDB writes them ("1GB"), times in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: str
    kind: Literal["node", "broker", "actor", "witness", "revocation"]
    uri: str
    broker: str  # host:port; of several the first that is tried comes first: a list, or commas
    trust_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    # Of version 1 of the charter; empty in a space that was made before there were charters.
    charter_sha256: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    log_origin: str = ""
    signing_key: str = ""  # PKCS#11 URIs; keys/*.key where empty: see `dataspace.tokens`
    log_key: str = ""
    listen: str = ""
    http: str = ""  # host:port of the public logs; of the broker alone
    metrics: str = ""  # host:port on loopback, or "off"; empty: a free port, see run/
    traces: str = ""  # an OpenTelemetry collector's address; empty: none but the environment's
    ledger: str = ""  # URL of a PostgreSQL that replicas share, without password; else a file
    threads: int = 2
    memory_limit: str = "1GB"
    query_seconds: float = 30.0
    round_seconds: float = 600.0  # the most that a round of linkage may take
    running_queries: int = 4
    waiting_queries: int = 64
    connections: int = Field(default=512, ge=16)  # at the broker's port, of everybody together
    calls_per_second: float = Field(default=100.0, gt=0)  # of one actor, over time, at one broker
    calls_at_once: int = Field(default=1000, ge=1)  # that one may have saved up
    witness_grace_seconds: float = 4 * 3600.0  # what a log's owner goes on for uncosigned
    review_days: int = Field(default=7, ge=1)  # within which emergency access is reviewed
    existence_days: float = Field(default=7.0, gt=0)  # how long an epoch of existence checks is
    existence_per_actor: int = Field(default=100, ge=0)  # checks a day at this node
    existence_per_member: int = Field(default=500, ge=0)
    existence_per_space: int = Field(default=5000, ge=0)
    body_days: int = Field(default=3650, ge=0)  # how long bodies of entries are kept; 0: always

    @field_validator("broker", mode="before")
    @classmethod
    def _joined(cls, given: object) -> object:
        """A list of addresses is kept as it would be written with commas."""
        return ",".join(map(str, given)) if isinstance(given, list | tuple) else given


@dataclass(frozen=True)
class PartyHome:
    """One party's directory. `Malformed` or `Unavailable` name the file that is wrong."""

    path: Path

    @cached_property
    def config(self) -> PartyConfig:
        """The parsed party.toml."""
        file = self.path / CONFIG
        try:
            values = tomllib.loads(file.read_text())
            return PartyConfig.model_validate(values)
        except FileNotFoundError:
            raise Unavailable(
                f"{self.path} is no party's home: {CONFIG} is missing; see `gba space init`",
                code="home-missing",
            ) from None
        except PermissionError:
            raise Unavailable(f"{file} is not readable for this user", code="home-access") from None
        except (tomllib.TOMLDecodeError, ValidationError):
            raise Malformed(f"{file} is not a party's configuration", code="home-config") from None

    def check_whole(self) -> None:
        """Raise `Unavailable` where the making of this home was begun and not ended."""
        if (self.path / MAKING).exists():
            raise Unavailable(
                f"{self.path} is half made; remove it, and make or restore it anew",
                code="home-half-made",
            )
        in_tokens = {
            "keys/signing.key": self.config.signing_key,
            "keys/log.key": self.config.log_key,
        }
        for name in _PARTS[self.config.kind]:
            if not in_tokens.get(name) and not (self.path / name).exists():
                raise Unavailable(
                    f"{self.path} is half made: {name} is missing; restore it or make it anew",
                    code="home-half-made",
                )

    def check_startable(self) -> None:
        """The same, and what is wrong with its keys: such as others may read, or which are not
        their certificates'."""
        self.check_whole()
        _ = self.identity.current(), self.tls

    @cached_property
    def uri(self) -> ActorUri:
        """Who this party is."""
        return ActorUri.parse(self.config.uri)

    @property
    def broker_addresses(self) -> tuple[str, ...]:
        """host:port of every broker, in the order to try; the environment may override the file.

        Raises `Malformed` where none is named.
        """
        named = os.environ.get(BROKER_ADDRESS_VARIABLE) or self.config.broker
        found = tuple(dict.fromkeys(each.strip() for each in named.split(",") if each.strip()))
        if not found:
            raise Malformed(f"{self.path / CONFIG} names no broker", code="home-config")
        return found

    @property
    def broker_address(self) -> str:
        """host:port of the broker to try first."""
        return self.broker_addresses[0]

    @property
    def listen_address(self) -> str:
        """host:port to listen on; of the broker alone."""
        return os.environ.get(LISTEN_VARIABLE) or self.config.listen or self.config.broker

    @property
    def http_address(self) -> str:
        """host:port that the public logs are served at; of the broker alone, and may be empty."""
        return os.environ.get(HTTP_VARIABLE) or self.config.http

    @property
    def metrics_address(self) -> str:
        """host:port of health and metrics, as it was set; see `observing.endpoint`."""
        return os.environ.get(METRICS_VARIABLE) or self.config.metrics

    @cached_property
    def credentials(self) -> Credentials:
        """Keys and certificates, followed as they are renewed."""
        finder = signing_key_finder(self.path, self.config.signing_key)
        return Credentials(self.path, self.uri, finder)

    @property
    def identity(self) -> Identity:
        """The signing key and chain."""
        return self.credentials

    @property
    def tls(self) -> TlsIdentity:
        """The TLS key and chain of now."""
        return self.credentials.tls()

    @cached_property
    def log_key(self) -> Ed25519PrivateKey:
        """The key that signs the checkpoints of this party's log."""
        return log_key(self.path, self.config.log_key)

    def trust(self, now_ms: int) -> TrustList:
        """The newest trust list, reached from the pinned one through every version."""
        return self._trust_read(now_ms)[0]

    def trust_lists(self, now_ms: int) -> tuple[TrustList, ...]:
        """Every version of the trust list, in order; raises as `trust` does."""
        return tuple(map(read_unverified, self.trust_envelopes(now_ms)))  # verified as a chain

    def trust_envelopes(self, now_ms: int) -> list[Envelope]:
        """The same, as they were signed."""
        return self._trust_read(now_ms)[1]

    def _trust_read(self, now_ms: int) -> tuple[TrustList, list[Envelope]]:
        folder = self.path / "trust"
        try:
            files = sorted(folder.glob("*.dsse"), key=lambda file: int(file.stem))
            envelopes = [parse_envelope(file.read_bytes()) for file in files]
            if envelopes:
                pinned = bytes.fromhex(self.config.trust_sha256)
                return self._not_older(accept_chain(envelopes, pinned, now_ms)), envelopes
        except OSError:
            raise Unavailable(f"{folder} is not readable", code="home-access") from None
        except (Malformed, ValueError) as error:
            # Not the caller's mistake: a list that does not parse is not to be believed.
            raise Unverified(
                f"a trust list in {folder} cannot be read ({error}); fetch it again",
                code="trust-list-form",
            ) from None
        raise Unavailable(f"no trust list in {folder}", code="trust-missing")

    def _not_older(self, trust: TrustList) -> TrustList:
        """Refuse a version older than one that was in force here; remember the newest."""
        file = self.path / "trust" / HIGHEST
        seen = int(file.read_text()) if file.exists() else 0
        if trust.version < seen:
            raise Unverified(
                f"version {seen} of the trust list was in force here and is gone; fetch it again",
                code="trust-list-rollback",
            )
        if trust.version > seen:
            with suppress(OSError):  # a home on a read-only disk cannot remember
                # Several processes may work from one home, and none reads half a number.
                draft = file.with_name(f"{HIGHEST}.{os.getpid()}-{threading.get_ident()}.new")
                draft.touch(mode=0o600)
                draft.write_text(str(trust.version))
                draft.replace(file)
        return trust

    def folder(self, name: str) -> Path:
        """A subdirectory, made if it is not there; for the owner's eyes only."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder


def brokers_of(home: Path) -> tuple[str, ...]:
    """The brokers that have a directory in a space's home: `broker`, then `broker-2` …"""
    names = map(replica_name, range(1, MOST_BROKERS + 1))
    return tuple(name for name in names if (home / name / CONFIG).is_file())


def write_config(directory: Path, config: PartyConfig) -> None:
    """Write party.toml; mode 0600."""
    values = config.model_dump(exclude_defaults=True)
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    file = directory / CONFIG
    file.touch(mode=0o600)
    file.write_text(text)
