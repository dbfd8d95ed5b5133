"""Every check on every party of a home. Rim; changes nothing but one probe that it takes away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from dataspace.doctor.broker import check_broker
from dataspace.doctor.findings import Examined, Finding, failure
from dataspace.doctor.keys import check_keys
from dataspace.doctor.logs import check_log
from dataspace.doctor.machine import check_disk, check_ports
from dataspace.doctor.patient import Party
from dataspace.doctor.running import check_process
from dataspace.doctor.stores import (
    check_databases,
    check_ledger_server,
    check_policies,
    check_versions,
    check_warehouse,
)
from dataspace.doctor.trust import check_revocations, check_trust
from dataspace.errors import DataspaceError, Refused, Unavailable, Unverified
from dataspace.home import CONFIG, PartyHome

Check = Callable[[Party], Iterator[Finding]]

# In the order in which an operator should mend things: what comes first explains what follows.
_CHECKS: tuple[tuple[str, Check], ...] = (
    ("disk", check_disk),
    ("keys", check_keys),
    ("trust list", check_trust),
    ("broker", check_broker),
    ("revocation lists", check_revocations),
    ("ports", check_ports),
    ("policies", check_policies),
    ("storage", check_versions),
    ("databases", check_databases),
    ("ledger", check_ledger_server),
    ("log", check_log),
    ("warehouse", check_warehouse),
    ("process", check_process),
)
_ADVICE = {
    "keystore-key-mode": "run `chmod 600` on it; if others use this machine, replace the key",
    "key-missing": "restore it from the backup, or make a new one with `gba identity request` and "
    "have the authority sign it",
    "bad-key-file": "restore the file from the backup",
    "bad-chain-file": "restore the file from the backup, or have the certificate issued anew",
    "trust-missing": "fetch the space's trust lists again, from another region if need be",
    "trust-list-rollback": "put the newest trust list back into trust/; do not remove `highest`",
    "storage-newer": "install the newer release again; do not start this one",
    "storage-older": "install the releases in between, one after the other",
    "storage-unreadable": "restore storage.json from the backup",
    "trust-list-form": "remove the damaged file from trust/ and fetch that version again",
}


def parties_in(root: Path) -> list[tuple[str, PartyHome]]:
    """A party's own home, or every party of a space's, each once and by its place in it."""
    if (root / CONFIG).is_file():
        return [(root.name, PartyHome(root))]
    files = [*root.glob(f"*/{CONFIG}"), *root.glob(f"*/*/{CONFIG}")]
    found = {file.parent.resolve(): str(file.parent.relative_to(root)) for file in sorted(files)}
    if not found:
        raise Unavailable(
            f"{root} holds no party; give a party's home, or a space's", code="home-missing"
        )
    return sorted((name, PartyHome(root / name)) for name in found.values())


def examine(name: str, home: PartyHome) -> Examined:
    """All that is found at one party; never raises for what is wrong with it."""
    try:
        kind = home.config.kind
        home.check_whole()
    except DataspaceError as error:
        return Examined(name, "unknown", (_raised("home", error),))
    party = Party.at(home)
    return Examined(name, kind, tuple(_all(party)))


def _all(party: Party) -> Iterator[Finding]:
    told: set[str] = set()
    for check, look in _CHECKS:
        try:
            for finding in look(party):
                told.add(finding.code)
                yield finding
        except DataspaceError as error:
            # One broken trust list stops many checks, and is said once.
            if error.code not in told:
                told.add(error.code)
                yield _raised(check, error)
        except Exception as error:
            # SECURITY: the text of an unexpected error may hold anything.
            yield failure(
                check, "check-failed", f"this could not be looked at ({type(error).__name__})",
                "look at who owns the directory and at the disk; report it if that is not it",
            )  # fmt: skip


def _raised(check: str, error: DataspaceError) -> Finding:
    unverified = isinstance(error, Unverified)
    default = (
        "do not use this party until it is explained; restore the file from the backup"
        if unverified or isinstance(error, Refused)
        else "restore what is missing from the backup, or see the message"
    )
    advice = _ADVICE.get(error.code, default)
    return failure(check, error.code, error.message, advice, unverified=unverified)
