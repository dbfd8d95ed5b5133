"""Are the keys here, private, of their certificates, and for how long? Reads files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from dataspace.audit.cosignatures import cosigning_vkey
from dataspace.audit.notes import verifier_key
from dataspace.doctor.findings import Finding, failure, ok, warning
from dataspace.doctor.patient import Party
from dataspace.identity.keystore import (
    SIGNING_CHAIN,
    SIGNING_KEY,
    TLS_CHAIN,
    TLS_KEY,
    WITNESS_KEYS,
    load_chain,
    load_private_key,
)
from dataspace.identity.revoked import CertificateId

SOON_DAYS = 30
_ISSUE = "have the region's authority issue a certificate for this key (`gba identity issue`)"
_RENEW = "renew it before then: `gba identity rotate`, or have the authority issue it anew"


def check_keys(party: Party) -> Iterator[Finding]:
    """Modes of all private keys, and both pairs of key and certificate."""
    yield from _modes(party.home.path)
    for use, key, chain in (
        ("signing", SIGNING_KEY, SIGNING_CHAIN), ("tls", TLS_KEY, TLS_CHAIN)
    ):  # fmt: skip
        yield from _pair(party, use, key, chain)
    yield from _listed(party)


def _modes(home: Path) -> Iterator[Finding]:
    files = sorted((home / "keys").glob("*.key"))
    open_ = [file.name for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077]
    if open_:
        yield failure(
            "keys", "keystore-key-mode",
            f"others on this machine may read {', '.join(open_)}; the party does not start so",
            "run `chmod 600` on each; if others use this machine, replace the key: "
            "`gba identity rotate`",
        )  # fmt: skip
    elif files:
        yield ok("keys", f"{len(files)} private keys, for this user's eyes only")


def _pair(party: Party, use: str, key_file: Path, chain_file: Path) -> Iterator[Finding]:
    key = load_private_key(party.home.path / key_file)
    chain = load_chain(party.home.path / chain_file)
    if chain[0].public_key() != key.public_key():
        yield failure(
            "certificates", "bad-identity",
            f"{key_file} is not the key of {chain_file}: nobody believes what it signs",
            f"put the matching file back from the backup, or {_ISSUE}",
        )  # fmt: skip
        return
    own = party.trust.revocations.lists.get(party.home.uri.region)
    if own is not None and any(own.names(CertificateId.of(each)) for each in chain):
        yield failure(
            "certificates", "identity-revoked",
            f"the {use} certificate is revoked: everybody refuses it",
            f"make a new key, and {_ISSUE}",
        )  # fmt: skip
        return
    yield _term(party, use, chain_file)


def _term(party: Party, use: str, chain_file: Path) -> Finding:
    chain = load_chain(party.home.path / chain_file)
    at = datetime.fromtimestamp(party.now_ms / 1000, UTC)
    begins = max(each.not_valid_before_utc for each in chain)
    ends = min(each.not_valid_after_utc for each in chain)
    days = (ends - at).total_seconds() / 86_400
    if begins > at:
        return failure(
            "certificates", "certificate-early",
            f"the {use} certificate holds only from {begins:%Y-%m-%d %H:%M} UTC on",
            "check this machine's clock first (`timedatectl`); then the certificate",
        )  # fmt: skip
    if days <= 0:
        return failure(
            "certificates", "certificate-expired",
            f"the {use} certificate expired on {ends:%Y-%m-%d}: everybody refuses it",
            f"{_ISSUE}; check the clock if that date is still to come",
        )  # fmt: skip
    if days < SOON_DAYS:
        return warning(
            "certificates", "certificate-soon",
            f"the {use} certificate expires in {days:.0f} days, on {ends:%Y-%m-%d}", _RENEW,
        )  # fmt: skip
    return ok("certificates", f"the {use} key fits its certificate, which holds {days:.0f} days")


def _listed(party: Party) -> Iterator[Finding]:
    """The keys that the trust list names are the keys that are here."""
    advice = "put the right key back, or have two regions sign a trust list that names this one"
    if party.kind in {"node", "broker"}:
        key = load_private_key(party.home.path / "keys/log.key")
        logs = {log.vkey for log in party.trust.logs_of(party.owner)}
        fits = isinstance(key, Ed25519PrivateKey) and (
            verifier_key(party.home.config.log_origin, key).to_text() in logs
        )
        if not fits:
            yield failure(
                "keys", "log-key",
                "the trust list does not name this log's key: nobody believes its receipts",
                advice,
            )  # fmt: skip
        else:
            yield ok("keys", "the log's key is the one in the trust list")
    if party.kind == "witness":
        known = {
            vkey for each in party.trust.witnesses_of(party.home.uri.region) for vkey in each.vkeys
        }
        names = {each.name for each in party.trust.witnesses_of(party.home.uri.region)}
        keys = [load_private_key(party.home.path / file) for file in WITNESS_KEYS]
        own = {
            cosigning_vkey(name, key).to_text()
            for name in names
            for key in keys
            if isinstance(key, Ed25519PrivateKey | MLDSA44PrivateKey)
        }
        if not own or not own <= known:
            yield failure(
                "keys", "witness-key",
                "the trust list does not name these witness keys: its cosignatures do not count",
                advice,
            )  # fmt: skip
        else:
            yield ok("keys", "the witness's keys are those in the trust list")
