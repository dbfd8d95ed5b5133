"""A region's authority: its offline directory, and what it certifies of a request. Rim.

    authority/root.pem                     the region's root; its key is not needed here
    authority/members/<member>.pem, .key   the authority of each member
    authority/issued/<request>.pem         what was issued for which request: asked again, it
                                           gives the same
    register.db                            what was issued and revoked, see `identity.register`;
                                           the revocation signer's where it is on this machine

An authority looks at role, region, member and keys, and asks one thing of a person: to compare
the fingerprint. A name that another key holds already is given to a new key only where the old
one signed along, or the person says so.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import Malformed, Refused
from dataspace.identity.algorithms import ECDSA_P256, algorithm_of
from dataspace.identity.certificates import issue_signing, issue_tls, member_of, region_of
from dataspace.identity.keystore import load_chain, load_private_key
from dataspace.identity.names import PEOPLE_ROLES
from dataspace.identity.register import REGISTER, Issued, Register
from dataspace.identity.revoked import CertificateId, spki_sha256
from dataspace.identity.signing_requests import SigningRequest

DAYS = 365
_LAG = timedelta(minutes=5)  # for clocks that lag
_BASIS = "space rule: issuing"


@dataclass(frozen=True)
class IssuedFile:
    """What was issued: PEM, each leaf before its member's authority; and whether it was before."""

    pem: bytes
    again: bool


@dataclass(frozen=True)
class Authority:
    """One region's, by its directory."""

    directory: Path
    register_file: Path

    @classmethod
    def open(cls, directory: Path, register: Path | None = None) -> Authority:
        """The authority of a directory that holds `members/`.

        Without a `register` it is the one of the revocation signer beside the directory, where
        there is one, and the authority's own otherwise.
        """
        if not (directory / "members").is_dir():
            raise Malformed(
                f"{directory} holds no authority of a region; it has members/NAME.pem and .key",
                code="authority",
            )
        beside = directory.parent / "revocation" / REGISTER
        return cls(directory, register or (beside if beside.is_file() else directory / REGISTER))

    def issue(
        self, request: SigningRequest, at: datetime, *, profile: str = "", days: int = DAYS,
        replace: bool = False,
    ) -> IssuedFile:  # fmt: skip
        """Certify both keys of a request. In the register before it is handed out.

        Raises `Refused` (`request-member`, `request-key-revoked`, `request-key-in-use`,
        `request-name-in-use`, `request-profile`) or `Malformed`.
        """
        ca, ca_key = self._member(request)
        kept = self.directory / "issued" / f"{request.sha256.hex()}.pem"
        with self._register() as register:
            _check_register(register.issued(), request, int(at.timestamp() * 1000), replace=replace)
            if kept.exists():
                return IssuedFile(kept.read_bytes(), again=True)
            leaves = _certify(request, ca, ca_key, at, profile, days)
            register.issue(
                Issued(CertificateId.of(leaf), str(request.uri), use, _ms(leaf.not_valid_after_utc))
                for use, leaf in zip(("signing", "tls"), leaves, strict=True)
            )
            pem = b"".join(one.public_bytes(Encoding.PEM) for leaf in leaves for one in (leaf, ca))
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            write_synced(kept, pem)
            sync_directory(kept.parent)
        return IssuedFile(pem, again=False)

    def _member(self, request: SigningRequest) -> tuple[x509.Certificate, PrivateKeyTypes]:
        """The authority of the request's member, held against region and member."""
        uri = request.uri
        file = self.directory / "members" / f"{uri.member}.pem"
        if not file.is_file():
            known = ", ".join(sorted(each.stem for each in file.parent.glob("*.pem")))
            raise _refused(
                "request-member",
                f"this authority has no member {uri.member}; it has {known}",
            )
        ca = load_chain(file)[0]
        if (region_of(ca), member_of(ca)) != (uri.region, uri.member):
            raise _refused(
                "request-member",
                f"this is the authority of {region_of(ca)}, and the request is for {uri.region}; "
                "hand it to that region's",
            )
        return ca, load_private_key(file.with_suffix(".key"))

    @contextmanager
    def _register(self) -> Iterator[Register]:
        register = Register(self.register_file)
        try:
            yield register
        finally:
            register.close()


def _check_register(
    issued: tuple[Issued, ...], request: SigningRequest, now_ms: int, *, replace: bool
) -> None:
    keys = {spki_sha256(request.signing_key), spki_sha256(request.tls_key)}
    own = [each for each in issued if each.certificate.spki_sha256 in keys]
    if any(each.revoked for each in own):
        raise _refused(
            "request-key-revoked",
            "a key of this request was revoked, and does not come back; have the holder make new "
            "keys: `gba identity rotate`",
        )
    if any(each.uri != str(request.uri) for each in own):
        raise _refused(
            "request-key-in-use", "a key of this request was certified for somebody else already"
        )
    holders = {
        each.certificate.spki_sha256
        for each in issued
        if each.uri == str(request.uri) and each.use == "signing"
        and each.revoked is None and each.until_ms > now_ms
    }  # fmt: skip
    vouched = (
        request.previous is not None and CertificateId.of(request.previous).spki_sha256 in holders
    )
    # SECURITY: otherwise whoever gets a request to the authority could take a node's name.
    if holders and not (spki_sha256(request.signing_key) in holders or vouched or replace):
        raise _refused(
            "request-name-in-use",
            "another key holds this name, and did not sign this request; if its holder has lost "
            "it, revoke it (`gba identity revoke`), or issue with --replace once the holder has "
            "confirmed the fingerprint",
        )


def _certify(
    request: SigningRequest, ca: x509.Certificate, ca_key: PrivateKeyTypes, at: datetime,
    profile: str, days: int,
) -> tuple[x509.Certificate, x509.Certificate]:  # fmt: skip
    if (request.uri.role in PEOPLE_ROLES) != bool(profile):
        raise _refused(
            "request-profile",
            "a person's certificate names the profile that the region gives the office, and a "
            "service's names none; see `gba trust show`, and --profile",
        )
    if algorithm_of(ca.public_key()) != ECDSA_P256:
        raise Malformed("TLS takes a P-256 authority; this member's is of another kind",
                        code="authority")  # fmt: skip
    start = at.replace(microsecond=0) - _LAG
    end = min(start + timedelta(days=days), ca.not_valid_after_utc)
    if days < 1 or end <= at:
        raise Malformed(
            "the member's authority has ended, or the certificate would; have the region's root "
            "certify the member anew, or give --days",
            code="authority",
        )
    signing = issue_signing(
        request.uri, request.signing_key, ca, ca_key,  # type: ignore[arg-type]  # of `algorithms`
        not_before=start, not_after=end, serial=secrets.randbits(150) + 1, profile=profile,
    )  # fmt: skip
    tls = issue_tls(
        request.uri, request.tls_key, ca, ca_key,  # type: ignore[arg-type]  # of `algorithms`
        not_before=start, not_after=end, serial=secrets.randbits(150) + 1,
        dns_names=request.dns_names, server=bool(request.dns_names),
    )  # fmt: skip
    return signing, tls


def _ms(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000)


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis=_BASIS)
