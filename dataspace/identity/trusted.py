"""What a trust list says: whom a space believes. Verifies nothing: see `trustlist`.

The list is the payload of an envelope that trust keys sign (`keyid` set, no chain). What
is made here has been read strictly and is consistent in itself: no key, root or log stands
for two owners.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from dataspace.errors import DataspaceError, Refused, Unverified
from dataspace.identity.algorithms import algorithm_of, may_issue
from dataspace.identity.certificates import region_of
from dataspace.identity.chains import VerifiedSigner
from dataspace.identity.dsse import check_payload, parse_strictly
from dataspace.identity.names import PEOPLE_ROLES, REGIONS, ActorUri, check_part
from dataspace.identity.reading import read_certificate
from dataspace.identity.revoked import Revocations
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope

MAX_LIST_BYTES = 1024 * 1024
QUORUM = 2  # distinct regions
BROKER = "broker"
REVOCATION = "revocation"
ASSURANCES = (1, 2, 3)

_CODE = "bad-trust-list"


@dataclass(frozen=True)
class TrustKeyValue:
    """A key that speaks for a region about the trust list, and about nothing else."""

    keyid: str
    public_key_der: bytes  # SubjectPublicKeyInfo

    def __post_init__(self) -> None:
        if not self.keyid:
            raise bad_list("a trust key has no id")
        algorithm_of(self.public_key)

    @property
    def public_key(self) -> PublicKeyTypes:
        return _public_key(self.public_key_der)


@dataclass(frozen=True)
class TrustedProfileValue:
    """A region's own word for an office, the role that it is here, and how surely (1 to 3)."""

    profile: str
    role: str
    assurance: int

    def __post_init__(self) -> None:
        check_part("profile", self.profile)
        if self.role not in PEOPLE_ROLES or self.assurance not in ASSURANCES:
            raise bad_list("a profile has no role of a person, or an assurance other than 1 to 3")


@dataclass(frozen=True)
class TrustedRegionValue:
    """A region: the roots that its members hang from, and the keys that speak for it."""

    region: str
    roots: tuple[x509.Certificate, ...]
    trust_keys: tuple[TrustKeyValue, ...]
    suspended: bool
    profiles: tuple[TrustedProfileValue, ...] = ()

    def __post_init__(self) -> None:
        _once(f"a profile of {self.region}", [each.profile for each in self.profiles])
        if self.region not in REGIONS:
            raise bad_list("it names a region that does not exist")
        if not self.roots or not self.trust_keys:
            raise bad_list(f"{self.region} needs a root and a trust key")
        for root in self.roots:
            if region_of(root) != self.region:
                raise bad_list(f"a root of {self.region} names another region")
            if not may_issue(root.public_key()):
                raise bad_list(f"a root of {self.region} has a key that authorities do not use")


@dataclass(frozen=True)
class TrustedLogValue:
    """A log: its origin line, its C2SP verifier key, and the region (or broker) that owns it."""

    origin: str
    vkey: str
    owner: str

    def __post_init__(self) -> None:
        if not self.origin or not self.vkey:
            raise bad_list("a log has no origin or no key")


@dataclass(frozen=True)
class TrustedWitnessValue:
    """A witness: the name in its cosignatures, the region whose word they are, its C2SP keys."""

    name: str
    region: str
    vkeys: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name or not self.vkeys:
            raise bad_list("a witness has no name or no key")
        # SECURITY: keys of another name would let one witness pass for two.
        if any(not vkey.startswith(f"{self.name}+") for vkey in self.vkeys):
            raise bad_list(f"a key of the witness {self.name} bears another name")


@dataclass(frozen=True)
class TrustedBrokerValue:
    """A broker: the only TLS keys a channel may end at, as DER SubjectPublicKeyInfo."""

    uri: ActorUri
    public_keys: tuple[bytes, ...]
    dns_name: str

    def __post_init__(self) -> None:
        if self.uri.role != BROKER or not self.public_keys or not self.dns_name:
            raise bad_list("a broker needs the role broker, a key and a DNS name")
        for key in self.public_keys:
            _public_key(key)


@dataclass(frozen=True)
class TrustedRevocationSignerValue:
    """Who signs a region's revocation lists, and the one key that does it."""

    uri: ActorUri
    public_key_der: bytes  # SubjectPublicKeyInfo

    def __post_init__(self) -> None:
        if self.uri.role != REVOCATION:
            raise bad_list("a revocation signer needs the role revocation")
        algorithm_of(_public_key(self.public_key_der))


@dataclass(frozen=True)
class TrustList:
    """One version of the list. Times are milliseconds since the epoch, UTC.

    `revocations` are no part of what was signed: they are the latest lists of the signers that
    it names, put beside it by `revocation.accept_list`. Where it names signers, nobody passes
    without them.
    """

    space: str
    version: int
    issued_at_ms: int
    expires_at_ms: int
    regions: Mapping[str, TrustedRegionValue]
    logs: tuple[TrustedLogValue, ...]
    witnesses: tuple[TrustedWitnessValue, ...]
    brokers: tuple[TrustedBrokerValue, ...]
    previous_sha256: bytes  # of the previous version's payload; empty in version 1
    payload_sha256: bytes
    revocation_signers: tuple[TrustedRevocationSignerValue, ...] = ()
    revocations: Revocations = field(default_factory=Revocations)

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", MappingProxyType(dict(self.regions)))
        _check_consistent(self)

    def roots_by_region(self) -> dict[str, tuple[x509.Certificate, ...]]:
        """The roots to verify with now: those of regions that are not suspended."""
        return {name: region.roots for name, region in self.regions.items() if not region.suspended}

    def listed_roots(self) -> dict[str, tuple[x509.Certificate, ...]]:
        """All roots, suspended regions' too. Whoever uses them asks `is_suspended`."""
        return {name: region.roots for name, region in self.regions.items()}

    def is_suspended(self, region: str) -> bool:
        """Whether a region may not speak now; one that is not listed may not either."""
        return region not in self.regions or self.regions[region].suspended

    def logs_of(self, owner: str) -> tuple[TrustedLogValue, ...]:
        """The logs of a region, or of "broker"."""
        return tuple(log for log in self.logs if log.owner == owner)

    def witnesses_of(self, region: str) -> tuple[TrustedWitnessValue, ...]:
        """The witnesses whose cosignature is a region's word."""
        return tuple(each for each in self.witnesses if each.region == region)

    def check_standing(self, signer: VerifiedSigner, at: datetime) -> None:
        """Refuse whose region is suspended, or whose chain is revoked or cannot be looked up.

        Raises `Refused` by rule `identity-region-suspended`, `identity-revoked` or
        `revocation-stale`.
        """
        region = signer.uri.region
        if self.is_suspended(region):
            raise Refused(
                f"{region} is suspended in the trust list; see `gba trust show`",
                code="identity-region-suspended",
                rule="identity-region-suspended",
                basis="space rule: trust list",
            )
        if not self.revocation_signers:
            return
        # A signer is asked for no list that is current: else none could ever be the first.
        signs = any(each.uri == signer.uri for each in self.revocation_signers)
        self.revocations.check(region, signer.chain, int(at.timestamp() * 1000), may_be_stale=signs)

    def assurance_of(self, signer: VerifiedSigner) -> int:
        """How surely a person holds the role of the URI: 1 to 3, as the region's profile says.

        Raises `Refused` by rule `role-unrecognised` where the region vouches for no such role.
        In a list without any profiles every region's roles are taken, at assurance 1.
        """
        if signer.uri.role not in PEOPLE_ROLES:
            return ASSURANCES[0]
        if not any(region.profiles for region in self.regions.values()):
            return ASSURANCES[0]
        for each in self.regions[signer.uri.region].profiles:
            if (each.profile, each.role) == (signer.profile, signer.uri.role):
                return each.assurance
        raise Refused(
            f"{signer.uri.region} vouches for no {signer.uri.role} by this certificate's profile; "
            "see `gba trust show`, and have it issued under a profile that the region maps",
            code="role-unrecognised",
            rule="role-unrecognised",
            basis="space rule: mutual recognition",
        )

    def for_kept(self) -> TrustList:
        """To look again at what this party verified once and keeps: what is revoked is refused,
        but no list needs to be current. Nothing is released on it."""
        return replace(self, revocations=replace(self.revocations, must_be_current=False))

    def broker_keys(self) -> frozenset[bytes]:
        """The DER SubjectPublicKeyInfo of every broker's TLS keys."""
        return frozenset(key for broker in self.brokers for key in broker.public_keys)

    def check_current(self, at: datetime) -> None:
        """Refuse, by rule `trust-list-expired`, to work from a stale list."""
        check_unexpired(self, int(at.timestamp() * 1000))


def check_unexpired(trust: TrustList, now_ms: int) -> None:
    """Refuse, by rule `trust-list-expired`, a list that has expired by `now_ms`."""
    if trust.expires_at_ms <= now_ms:
        raise Refused(
            f"version {trust.version} of the trust list has expired; "
            "fetch the next one with `gba trust show`, and check the clock",
            code="trust-list-expired",
            rule="trust-list-expired",
            basis="space rule: trust list",
        )


def read_unverified(envelope: Envelope) -> TrustList:
    """The list an envelope holds. Its signatures are NOT verified: `trustlist` does that.

    A trust list's keys are inside it (version 1) or in the version before, so it is read
    first. Raises `Malformed` as `dsse` does, and `Unverified` `bad-trust-list`.
    """
    check_payload(envelope, trust_pb2.TrustList, MAX_LIST_BYTES)
    wire = parse_strictly(trust_pb2.TrustList, envelope.payload, MAX_LIST_BYTES)
    return trust_list_of(wire, hashlib.sha256(envelope.payload).digest())


def trust_list_of(wire: trust_pb2.TrustList, payload_sha256: bytes) -> TrustList:
    """A checked value from its protobuf form."""
    try:
        regions = [_region_of(region) for region in wire.regions]
        brokers = tuple(
            TrustedBrokerValue(ActorUri.parse(one.uri), tuple(one.public_keys), one.dns_name)
            for one in wire.brokers
        )
        signers = tuple(
            TrustedRevocationSignerValue(ActorUri.parse(one.uri), one.public_key)
            for one in wire.revocation_signers
        )
    except DataspaceError as error:
        raise error if error.code == _CODE else bad_list(error.message) from error
    _once("a region", [region.region for region in regions])
    return TrustList(
        space=wire.space,
        version=wire.version,
        issued_at_ms=wire.issued_at_ms,
        expires_at_ms=wire.expires_at_ms,
        regions={region.region: region for region in regions},
        logs=tuple(TrustedLogValue(one.origin, one.vkey, one.owner) for one in wire.logs),
        witnesses=tuple(
            TrustedWitnessValue(one.name, one.region, tuple(one.vkeys)) for one in wire.witnesses
        ),
        brokers=brokers,
        previous_sha256=wire.previous_sha256,
        payload_sha256=payload_sha256,
        revocation_signers=signers,
    )


def bad_list(what: str) -> Unverified:
    """The error for a list that contradicts itself."""
    return Unverified(
        f"this trust list cannot be used: {what}; ask the regions for a sound one",
        code=_CODE,
    )


def _region_of(wire: trust_pb2.TrustedRegion) -> TrustedRegionValue:
    return TrustedRegionValue(
        region=wire.region,
        roots=tuple(read_certificate(der) for der in wire.root_certificates),
        trust_keys=tuple(TrustKeyValue(key.keyid, key.public_key) for key in wire.trust_keys),
        suspended=wire.suspended,
        profiles=tuple(
            TrustedProfileValue(each.profile, each.role, each.assurance) for each in wire.profiles
        ),
    )


def _check_consistent(trust: TrustList) -> None:
    regions = trust.regions.values()
    if not trust.space or trust.version < 1 or trust.issued_at_ms >= trust.expires_at_ms:
        raise bad_list("its name, version or times are not set")
    if len(trust.previous_sha256) != (0 if trust.version == 1 else 32):
        raise bad_list("it does not say which version came before")
    if sum(not region.suspended for region in regions) < QUORUM:
        raise bad_list("fewer than two regions could sign the next one")
    # SECURITY: a key or root listed under two regions would let one count as the other.
    keys = [key for region in regions for key in region.trust_keys]
    _once("a trust key's id", [key.keyid for key in keys])
    _once("a trust key", [key.public_key_der for key in keys])
    _once("a root", [root for region in regions for root in region.roots])
    _once("a log's origin", [log.origin for log in trust.logs])
    logs = [log.vkey for log in trust.logs]
    _once("a log's key", logs)
    if any(log.owner != BROKER and log.owner not in trust.regions for log in trust.logs):
        raise bad_list("a log belongs to nobody in it")
    _once("a witness", [witness.name for witness in trust.witnesses])
    # SECURITY: a log's key that also cosigned would be the owner's own word.
    vkeys = [vkey for witness in trust.witnesses for vkey in witness.vkeys]
    _once("a key of a log or witness", [_raw_key(each) for each in (*logs, *vkeys)])
    if any(witness.region not in trust.regions for witness in trust.witnesses):
        raise bad_list("a witness speaks for a region that is not in it")
    signers = trust.revocation_signers
    _once("a revocation signer", [signer.uri for signer in signers])
    # SECURITY: who may revoke may do that alone, and for one region.
    _once("a trust key or revocation signer's key", [
        *(key.public_key_der for key in keys), *(signer.public_key_der for signer in signers),
    ])  # fmt: skip
    if any(signer.uri.region not in trust.regions for signer in signers):
        raise bad_list("a revocation signer speaks for a region that is not in it")
    if signers and {signer.uri.region for signer in signers} != set(trust.regions):
        raise bad_list("it names revocation signers, but not for every region")
    _once("a broker's key", [key for broker in trust.brokers for key in broker.public_keys])


def _raw_key(vkey: str) -> str:
    """The key in a C2SP verifier key, whatever its name and kind."""
    try:
        return base64.b64decode(vkey.split("+", 2)[2], validate=True)[1:].hex()
    except (IndexError, ValueError):
        return vkey  # to whoever uses it, it will be no key at all


def _once(what: str, values: Iterable[object]) -> None:
    values = list(values)
    if len(values) != len(set(values)):
        raise bad_list(f"{what} stands in it twice")


def _public_key(der: bytes) -> PublicKeyTypes:
    try:
        key = load_der_public_key(der)
        canonical = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # the parser raises several unrelated kinds
        raise bad_list("a key in it cannot be read") from error
    # SECURITY: a curve point has two encodings; a key written both ways would count twice.
    if canonical != der:
        raise bad_list("a key in it is not written in its one form")
    return key
