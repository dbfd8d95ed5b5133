"""Taking certificates into a party's directory, where they fit. Rim: reads and writes files.

    file     PEM, as an authority hands it out: signing leaf, authority, TLS leaf, authority; four
             for each party, where the parties of one host asked together
    fits     both leaves name this party; their keys are here; both chains end in a root of the
             trust list, and nobody on them is revoked; a person's profile is one that the region
             maps; a key that the trust list pins is the pinned one

Nothing is changed before all of it holds. Each certificate then takes its place by one rename, and
the key that waited for it after that: see `identity.keystore`. A running process follows within
seconds. The chains of before are kept in `certs/former`; their keys are not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.errors import DataspaceError, Malformed, Refused, Unverified
from dataspace.home import PartyHome
from dataspace.identity.chains import VerifiedSigner, verify_chain, verify_tls_peer
from dataspace.identity.keystore import (
    FORMER,
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    find_private_key,
    load_chain,
    take_next_key,
    write_chain,
)
from dataspace.identity.profiles import holder_uri
from dataspace.identity.reading import read_pem_certificates
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import InForce

MAX_FILE_BYTES = 65_536

Chain = tuple[x509.Certificate, x509.Certificate]


@dataclass(frozen=True)
class Installed:
    """What came of it."""

    until: datetime
    changed: bool  # False where the same certificates were in place


def install(home: PartyHome, pem: bytes, now_ms: int) -> Installed:
    """Put a party's certificates in force. Raises as `install_all` does."""
    return install_all([home], pem, now_ms)[0][1]


def install_all(
    homes: Sequence[PartyHome], pem: bytes, now_ms: int
) -> list[tuple[PartyHome, Installed]]:
    """Put certificates in force, each party's in its own home among `homes`.

    Raises `Malformed` (`issued-file`, `install-key`), `Refused` (`install-party`,
    `install-older`, `install-pin`, and those of chains and standing) or `Unverified`; then
    nothing was changed in any of them.
    """
    fitting = [_fitting(homes, each, now_ms) for each in _parties(pem)]
    if len({home.path for home, _, _ in fitting}) != len(fitting):
        raise _bad_file("it holds certificates of one party twice")
    return [(home, _put_in_force(home, signing, tls)) for home, signing, tls in fitting]


def _fitting(
    homes: Sequence[PartyHome], found: Sequence[x509.Certificate], now_ms: int
) -> tuple[PartyHome, Chain, Chain]:
    """Whose a party's four certificates are, where they fit its home."""
    signing, tls = _chains(found)
    uri = holder_uri(signing[0])
    home = next((each for each in homes if each.uri == uri), homes[0])
    for leaf in (signing[0], tls[0]):
        if holder_uri(leaf) != home.uri:
            raise _refused(
                "install-party",
                f"these certificates are not {home.uri.role} {home.uri.name}'s of "
                f"{home.uri.region}, whose home {home.path} is; install them in the home that "
                "asked for them",
            )
    _check_keys(home, signing[0], tls[0])
    _check_trusted(InForce(home).trust().for_kept(), signing, tls, now_ms)
    for file, chain in _places(signing, tls):
        _check_not_older(home, file, chain)
    return home, signing, tls


def _places(signing: Chain, tls: Chain) -> tuple[tuple[Path, Chain], ...]:
    return ((SIGNING_CHAIN, signing), (TLS_CHAIN, tls))


def _put_in_force(home: PartyHome, signing: Chain, tls: Chain) -> Installed:
    changed = False
    for file, chain in _places(signing, tls):
        before = _present(home, file)
        if before != chain:
            if before is not None:
                _keep(home, before)
            write_chain(home.path / file, chain)
            changed = True
    take_next_key(home.path / SIGNING_KEY, signing[0].public_key())
    take_next_key(home.path / TLS_KEY, tls[0].public_key())
    return Installed(min(signing[0].not_valid_after_utc, tls[0].not_valid_after_utc), changed)


def _parties(pem: bytes) -> list[Sequence[x509.Certificate]]:
    """The certificates of a file, four for each party."""
    try:
        if len(pem) > MAX_FILE_BYTES:
            raise _bad_file("it is too large")
        found = read_pem_certificates(pem)
    except Unverified:
        raise _bad_file("it holds no PEM certificates") from None
    if not found or len(found) % 4:
        raise _bad_file(f"it holds {len(found)} certificates, not 4 for each party")
    return [found[at : at + 4] for at in range(0, len(found), 4)]


def _chains(found: Sequence[x509.Certificate]) -> tuple[Chain, Chain]:
    """The signing and the TLS chain of a party."""
    chains = ((found[0], found[1]), (found[2], found[3]))
    signing = [each for each in chains if not _is_tls(each[0])]
    tls = [each for each in chains if _is_tls(each[0])]
    if len(signing) != 1:
        raise _bad_file("it does not hold one certificate to sign with and one for TLS")
    return signing[0], tls[0]


def _is_tls(leaf: x509.Certificate) -> bool:
    return any(isinstance(each.value, x509.ExtendedKeyUsage) for each in leaf.extensions)


def _check_keys(home: PartyHome, signing: x509.Certificate, tls: x509.Certificate) -> None:
    try:
        home.credentials.find(home.path / SIGNING_KEY, signing.public_key())
        find_private_key(home.path / TLS_KEY, tls.public_key())
    except DataspaceError as error:
        if isinstance(error, Refused):
            raise  # a key that others may read is no missing key
        raise Malformed(
            f"these certificates are for other keys than those in {home.path}; install the "
            "answer to the latest request of this home, or make one with `gba identity rotate`",
            code="install-key",
        ) from None


def _check_trusted(trust: TrustList, signing: Chain, tls: Chain, now_ms: int) -> None:
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    trust.check_current(at)
    roots = trust.listed_roots()
    signer = verify_chain([_der(each) for each in signing], roots, at)
    peer = verify_tls_peer(
        tls[0].public_bytes(Encoding.PEM), tls[1].public_bytes(Encoding.PEM), roots, at
    )
    for each in (signer, peer):
        trust.check_standing(each, at)
    trust.assurance_of(signer)
    _check_pins(trust, signer, peer)


def _check_pins(trust: TrustList, signer: VerifiedSigner, peer: VerifiedSigner) -> None:
    """A key that the space pins must be the pinned one, or nobody would talk to this party."""
    pins = {
        "broker": [(each.uri, key) for each in trust.brokers for key in each.public_keys],
        "revocation": [(each.uri, each.public_key_der) for each in trust.revocation_signers],
    }.get(signer.uri.role)
    holder = peer if signer.uri.role == "broker" else signer
    spki = holder.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if pins is not None and (holder.uri, spki) not in pins:
        raise _refused(
            "install-pin",
            "the trust list does not name this key yet; add the request to the next list "
            "(`gba trust draft --add REQUEST`), have it signed and applied, and install then",
        )


def _check_not_older(home: PartyHome, file: object, chain: Chain) -> None:
    before = _present(home, file)
    if before is not None and before[0] != chain[0]:
        same_key = before[0].public_key() == chain[0].public_key()
        if same_key and chain[0].not_valid_after_utc < before[0].not_valid_after_utc:
            raise _refused(
                "install-older", "a certificate that holds for longer is in place already; keep it"
            )


def _present(home: PartyHome, file: object) -> Chain | None:
    path = home.path / str(file)
    if not path.exists():
        return None
    found = load_chain(path)
    return (found[0], found[1]) if len(found) == 2 else None


def _keep(home: PartyHome, chain: Chain) -> None:
    name = hashlib.sha256(_der(chain[0])).hexdigest()[:32]
    write_chain(home.path / FORMER / f"{name}.pem", chain)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _bad_file(what: str) -> Malformed:
    return Malformed(
        f"this is not what `gba identity issue` writes: {what}; ask the authority for it again",
        code="issued-file",
    )


def _refused(rule: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis="space rule: keys")
