"""Founding a space on one machine: keys, certificates, the trust list, a home per party. Rim.

In real life each region makes its own keys and nothing here leaves its directory; `init`
plays all of them at once, for a demo, a test or a first look. Directories that exist and
are empty are written into, so that each may be a volume of its own.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from dataspace.audit.cosignatures import CosigningPrivateKey, cosigning_vkey
from dataspace.audit.notes import verifier_key
from dataspace.audit.store import LogStore
from dataspace.audit.witness_store import SqliteWitnessStore
from dataspace.cli.founding_charter import copy_policies, found_charter, settle_charter
from dataspace.cli.founding_trust import (
    REVOCATION,
    found_register,
    profile_of,
    profiles_of,
    signer_of,
)
from dataspace.errors import Malformed, Unavailable
from dataspace.home import CONFIG, MAKING, PartyConfig, write_config
from dataspace.identity.algorithms import ECDSA_P256, ED25519, ML_DSA_44
from dataspace.identity.certificates import (
    issue_member_ca,
    issue_root,
    issue_signing,
    issue_tls,
)
from dataspace.identity.keystore import (
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    WITNESS_KEYS,
    generate_private_key,
    load_chain,
    write_chain,
    write_private_key,
)
from dataspace.identity.names import PEOPLE_ROLES, REGIONS, ActorUri
from dataspace.identity.replicas import MOST_BROKERS, is_broker, replica_name
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import seal_trust_list
from dataspace.processes import now_ms
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope

BROKER_REGION = "hongkong"
BROKER_DNS = "broker.dataspace.internal"
SPACE = "gba"
PARTS = ("broker", *REGIONS, "actors")
_ALL_PARTS = (*PARTS, *map(replica_name, range(2, MOST_BROKERS + 1)))
_YEARS = {"root": 10, "member": 5, "holder": 1, "trust": 1}
_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
_LOG_KEY = Path("keys/log.key")
_FIRST_PORT, _PORTS = 20_000, 12_000
WITNESS = "witness"  # a region's witness is a party of its own, in a directory of the region's

# One actor of each role in each region; every algorithm of the closed list is in use.
_ALGORITHM_OF_REGION = {"guangzhou": ED25519, "hongkong": ECDSA_P256, "macao": ML_DSA_44}
_MEMBER_OF_ROLE = {
    "clinician": "hospital",
    "researcher": "university",
    "public_health": "health-authority",
    "regulator": "regulator",
    "operator": "health-authority",
    "node": "health-authority",
    "broker": "exchange",
    "witness": "health-authority",
    "revocation": "health-authority",
}


@dataclass(frozen=True)
class _Authority:
    """A region's offline keys, while the space is being founded."""

    region: str
    directory: Path
    root: x509.Certificate
    root_key: PrivateKeyTypes
    trust_key: PrivateKeyTypes
    members: dict[str, tuple[x509.Certificate, PrivateKeyTypes]]


Told = Callable[[str], None]


def found_space(home: Path, tell: Told = lambda _: None, *, brokers: int = 1) -> None:
    """Make every party's directory in `home`, without data. Call `check_free` first."""
    replicas = [replica_name(number) for number in range(1, brokers + 1)]
    for name in (*replicas, *PARTS[1:]):
        (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / name / MAKING).touch()
    tell("keys and certificates")
    authorities = {region: _found_region(home / region / "authority", region) for region in REGIONS}
    addresses = [f"127.0.0.1:{free_port()}" for _ in replicas]
    uris = {
        name: ActorUri(BROKER_REGION, _MEMBER_OF_ROLE["broker"], "broker", f"broker-{number}")
        for number, name in enumerate(replicas, start=1)
    }
    for name, uri in uris.items():
        _issue(home / name, uri, authorities[BROKER_REGION], ED25519, server=True)
    for region, authority in authorities.items():
        _issue(home / region, _service(region, "node"), authority, ED25519)
    actors = _issue_actors(home, authorities)
    tell("logs")
    keys = {owner: _found_log(home / owner, owner) for owner in (*replicas, *REGIONS)}
    witnesses = [
        _found_witness(home / region / WITNESS, each) for region, each in authorities.items()
    ]
    for region, authority in authorities.items():
        (home / region / REVOCATION).mkdir(mode=0o700)
        _issue(home / region / REVOCATION, _service(region, REVOCATION), authority, ED25519)
    tell("trust list, signed by the three regions")
    trust, digest = _found_trust(home, authorities, uris, keys, witnesses)
    charter = found_charter(SPACE, installed_policies(), digest, now_ms(), _signers(authorities))
    directories = {home / name: ("broker", uri) for name, uri in uris.items()}
    directories |= {home / region: ("node", _service(region, "node")) for region in REGIONS}
    directories |= {
        home / region / WITNESS: ("witness", _service(region, "witness")) for region in REGIONS
    }
    directories |= {
        home / region / REVOCATION: (REVOCATION, _service(region, REVOCATION)) for region in REGIONS
    }
    directories |= {directory: ("actor", uri) for directory, uri in actors.items()}
    own = dict(zip(replicas, addresses, strict=True))
    for directory, (kind, uri) in directories.items():
        address = own[directory.name] if kind == "broker" else ",".join(addresses)
        _settle(directory, kind, uri, address, trust, digest, charter)
    for region in REGIONS:
        theirs = ((path, uri) for path, (_, uri) in directories.items() if uri.region == region)
        found_register(home / region / REVOCATION, theirs)


def mark_whole(home: Path) -> None:
    """The space is made; until then its parts refuse to start."""
    for name in _ALL_PARTS:
        (home / name / MAKING).unlink(missing_ok=True)


def clear_half_made(home: Path) -> None:
    """Take back what a failed founding made."""
    for name in _ALL_PARTS:
        folder = home / name
        if (folder / MAKING).exists():
            for each in folder.iterdir():
                if each.is_dir() and not each.is_symlink():
                    shutil.rmtree(each)
                else:
                    each.unlink()


def check_free(home: Path) -> None:
    """Raise `Malformed` where a space, half a space, or something else, is there already."""
    for name in _ALL_PARTS:
        folder = home / name
        if not folder.exists():
            continue
        if not folder.is_dir():
            raise Malformed(f"{folder} is in the way; choose another home", code="home-exists")
        if (folder / MAKING).exists():
            raise Malformed(
                f"{home} is half made: {name} was begun and not ended; "
                "remove the directory and make it anew",
                code="home-half-made",
            )
        if any(folder.iterdir()):
            raise Malformed(
                f"{home} holds a space already ({name} is not empty); choose another home",
                code="home-exists",
            )


def free_port() -> int:
    """A port that nobody listens on, below those that systems give to outgoing connections: so
    that a broker which was away finds its own again."""
    for _ in range(1_000):
        port = _FIRST_PORT + secrets.randbelow(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Unavailable("there is no free port on this machine", code="no-port")


def _moment() -> datetime:
    # A little back, for clocks that lag; without fractions, as X.509 has it.
    return datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)


def _term(kind: str) -> tuple[datetime, datetime]:
    start = _moment()
    return start, start + timedelta(days=365 * _YEARS[kind])


def _serial() -> int:
    return secrets.randbits(150) + 1


def _found_region(directory: Path, region: str) -> _Authority:
    directory.mkdir(mode=0o700)
    root_key, trust_key = generate_private_key(ECDSA_P256), generate_private_key(ED25519)
    root = issue_root(region, root_key, *_term("root"), _serial())  # type: ignore[arg-type]  # P-256 may issue
    write_private_key(directory / "root.key", root_key)
    write_chain(directory / "root.pem", [root])
    write_private_key(directory / "trust.key", trust_key)
    members = {}
    for member in sorted(set(_MEMBER_OF_ROLE.values())):
        if member == _MEMBER_OF_ROLE["broker"] and region != BROKER_REGION:
            continue
        key = generate_private_key(ECDSA_P256)
        start, end = _term("member")
        certificate = issue_member_ca(
            region, member, key.public_key(), root, root_key,  # type: ignore[arg-type]  # P-256
            not_before=start, not_after=end, serial=_serial(),
        )  # fmt: skip
        write_private_key(directory / "members" / f"{member}.key", key)
        write_chain(directory / "members" / f"{member}.pem", [certificate])
        members[member] = (certificate, key)
    return _Authority(region, directory, root, root_key, trust_key, members)


def _issue(
    directory: Path, uri: ActorUri, authority: _Authority, algorithm: str, *, server: bool = False
) -> None:
    """A holder's two certificates: one to sign with, one for TLS."""
    ca, ca_key = authority.members[uri.member]
    start, end = _term("holder")
    key = generate_private_key(algorithm)
    signing = issue_signing(
        uri, key.public_key(), ca, ca_key,  # type: ignore[arg-type]  # keys that we generate
        not_before=start, not_after=end, serial=_serial(), profile=profile_of(uri),
    )  # fmt: skip
    write_private_key(directory / SIGNING_KEY, key)
    write_chain(directory / SIGNING_CHAIN, [signing, ca])
    tls_key = generate_private_key(ECDSA_P256)
    tls = issue_tls(
        uri, tls_key.public_key(), ca, ca_key,  # type: ignore[arg-type]  # keys that we generate
        not_before=start, not_after=end, serial=_serial(),
        dns_names=(BROKER_DNS,) if server else (), server=server,
    )  # fmt: skip
    write_private_key(directory / TLS_KEY, tls_key)
    write_chain(directory / TLS_CHAIN, [tls, ca])


def _issue_actors(home: Path, authorities: dict[str, _Authority]) -> dict[Path, ActorUri]:
    actors = {}
    for region, authority in authorities.items():
        for role in PEOPLE_ROLES:
            uri = ActorUri(region, _MEMBER_OF_ROLE[role], role, f"{role.replace('_', '-')}-1")
            directory = home / "actors" / f"{region}-{role}"
            if role == "operator":
                # The operator is of the region's party: its keys are in the region's home.
                directory.symlink_to(Path("..") / region / "operator")
                directory = home / region / "operator"
            directory.mkdir(mode=0o700)
            _issue(directory, uri, authority, _ALGORITHM_OF_REGION[region])
            actors[directory] = uri
    return actors


def _found_log(directory: Path, owner: str) -> tuple[str, str]:
    """An empty log; returns its origin and verifier key."""
    key = Ed25519PrivateKey.generate()
    write_private_key(directory / _LOG_KEY, key)
    origin = f"{SPACE}.dataspace/{owner}"
    LogStore.create(directory / "log", origin, key).close()
    return origin, verifier_key(origin, key).to_text()


def _service(region: str, role: str) -> ActorUri:
    return ActorUri(region, _MEMBER_OF_ROLE[role], role, f"{role}-1")


def _found_witness(directory: Path, authority: _Authority) -> trust_pb2.TrustedWitness:
    """A witness's directory: its two keys, and nothing seen yet."""
    directory.mkdir(mode=0o700)
    _issue(directory, _service(authority.region, "witness"), authority, ED25519)
    name = f"{SPACE}.dataspace/witness/{authority.region}"
    keys: list[CosigningPrivateKey] = [Ed25519PrivateKey.generate(), MLDSA44PrivateKey.generate()]
    for file, key in zip(WITNESS_KEYS, keys, strict=True):
        write_private_key(directory / file, key)
    SqliteWitnessStore(directory / "seen.db").close()
    return trust_pb2.TrustedWitness(
        name=name,
        region=authority.region,
        vkeys=[cosigning_vkey(name, key).to_text() for key in keys],
    )


def _found_trust(
    home: Path,
    authorities: dict[str, _Authority],
    brokers: dict[str, ActorUri],
    logs: dict[str, tuple[str, str]],
    witnesses: list[trust_pb2.TrustedWitness],
) -> tuple[bytes, str]:
    now = now_ms()
    wire = trust_pb2.TrustList(
        space=SPACE,
        version=1,
        issued_at_ms=now,
        expires_at_ms=now + _YEARS["trust"] * 365 * 86_400_000,
        witnesses=witnesses,
    )
    for region, authority in sorted(authorities.items()):
        wire.regions.add(
            region=region,
            root_certificates=[authority.root.public_bytes(serialization.Encoding.DER)],
            trust_keys=[
                trust_pb2.TrustKey(keyid=f"{region}-1", public_key=_spki(authority.trust_key))
            ],
            profiles=profiles_of(region),
        )
        wire.revocation_signers.append(
            signer_of(home / region / REVOCATION, _service(region, REVOCATION))
        )
    for owner, (origin, vkey) in sorted(logs.items()):
        wire.logs.add(origin=origin, vkey=vkey, owner=BROKER if is_broker(owner) else owner)
    for name, uri in brokers.items():
        key = load_chain(home / name / TLS_CHAIN)[0].public_key().public_bytes(*_SPKI)
        wire.brokers.add(uri=str(uri), public_keys=[key], dns_name=BROKER_DNS)
    envelope = seal_trust_list(wire, _signers(authorities))
    digest = hashlib.sha256(envelope.payload).hexdigest()
    return envelope.SerializeToString(), digest


def _signers(authorities: dict[str, _Authority]) -> list[tuple[str, PrivateKeyTypes]]:
    return [(f"{region}-1", each.trust_key) for region, each in sorted(authorities.items())]


def _spki(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(*_SPKI)


def _settle(
    directory: Path, kind: str, uri: ActorUri, address: str, trust: bytes, digest: str,
    charter: tuple[Envelope, str],
) -> None:  # fmt: skip
    """Trust list, policies and configuration of one party; the configuration comes last."""
    folder = directory / "trust"
    folder.mkdir(mode=0o700)
    (folder / "1.dsse").write_bytes(trust)
    if kind in {"node", "broker"}:
        copy_policies(installed_policies(), directory / "policies")
        settle_charter(directory, charter[0])
    if kind != "actor":
        (directory / "run").mkdir(mode=0o700)
    owner = directory.name if kind == "broker" else uri.region
    write_config(
        directory,
        PartyConfig.model_validate(
            {
                "space": SPACE,
                "kind": kind,
                "uri": str(uri),
                "broker": address,
                "trust_sha256": digest,
                "charter_sha256": charter[1],
                "log_origin": f"{SPACE}.dataspace/{owner}" if kind in {"node", "broker"} else "",
                "http": f"127.0.0.1:{free_port()}" if kind == "broker" else "",
            }
        ),
    )


def installed_policies() -> Path:
    """The folder of policies that the installation came with."""
    # `policies` is a folder of data beside the packages, found as a namespace package.
    spec = find_spec("policies")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise Unavailable("the installation lacks its policies folder", code="installation")
    return Path(folders[0])


def is_space(home: Path) -> bool:
    """Whether a directory holds a space."""
    return (home / "broker" / CONFIG).is_file()
