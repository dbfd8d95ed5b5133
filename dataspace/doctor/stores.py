"""Do the party's databases hold together, do its policies load, does its warehouse open? Reads."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dataspace.charter_files import read_charters
from dataspace.doctor.findings import Finding, failure, ok, warning
from dataspace.doctor.patient import Party
from dataspace.errors import DataspaceError, Unavailable, Unverified
from dataspace.policy.store import PolicyStore
from dataspace.storage import VERSIONS, look_at_storage

_OPEN_SECONDS = 60
_LEDGER = "ledger.db"
_SILENT: dict[str, object] = {
    "error": Unavailable.kind, "code": "node-check", "message": "no answer",
}  # fmt: skip
# File, what it is, whether it can be made anew, and what losing it means.
_DATABASES = {
    "node": (_LEDGER, "index.db"),
    "broker": ("index.db",),
    "witness": ("seen.db",),
    "revocation": ("register.db",),
}
_REBUILT = {"index.db"}
_RESTORE = {
    _LEDGER: "stop the node and restore the ledger from the newest backup; a request that "
    "was used since may then be replayed until it expires (5 minutes): wait so long",
    "seen.db": "stop the witness and restore seen.db; never start it empty, or it cosigns a fork",
    "register.db": "stop the signer and restore the register; it takes back no revocation",
    "index.db": "stop the party and remove index.db: it is built anew from log and bodies",
}


def check_databases(party: Party) -> Iterator[Finding]:
    """SQLite's own integrity check of each file; a file that others write is read beside them."""
    on_server = {_LEDGER} if party.home.config.ledger else set()
    for name in sorted({*_DATABASES.get(party.kind, ())} - on_server):
        file = party.home.path / name
        if not file.exists():
            if name not in _REBUILT:
                yield warning(
                    "databases", "database-missing", f"{name} is not there yet",
                    "expected before the first start; otherwise restore it from the backup",
                )  # fmt: skip
            continue
        problem = _problem(file)
        if problem is None:
            yield ok("databases", f"{name} holds together")
        else:
            yield failure(
                "databases", "database-damaged", f"{name} is damaged ({problem})",
                _RESTORE[name], unverified=name not in _REBUILT,
            )  # fmt: skip


def _problem(file: Path) -> str | None:
    """A word for what is wrong. SECURITY: SQLite's own text may quote what is in the file."""
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=5)) as link:
            rows = link.execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.Error as error:
        return error.sqlite_errorname.lower() if hasattr(error, "sqlite_errorname") else "error"
    return None if rows == [("ok",)] else "integrity"


def check_policies(party: Party) -> Iterator[Finding]:
    """The policy folder loads under the charter in force."""
    if party.kind not in {"node", "broker"}:
        return
    advice = (
        "correct the file (`gba policy check` names file, line and rule), or put the last good "
        "folder back; a running party goes on with the set that it had"
    )
    try:
        charters = read_charters(party.home, party.home.trust_lists(party.now_ms))
        charter = charters[-1] if charters else None
        policies = PolicyStore(party.home.path / "policies", charter=charter).current()
    except DataspaceError as error:
        yield failure("policies", error.code, f"the policies do not load: {error.message}", advice)
        return
    version = f" under charter {charter.version}" if charter is not None else ""
    yield ok("policies", f"set {policies.sha256[:16]} loads{version}")


def check_versions(party: Party) -> Iterator[Finding]:
    """Whether this release can read what is on disk. Raises what is wrong with it."""
    if party.kind not in {"node", "broker"}:
        return
    behind = look_at_storage(party.home.path)
    yield ok("storage", "all stores are of versions that this release reads")
    for store in behind:
        yield ok("storage", f"{store} goes to version {VERSIONS[store]} at the next start")


def check_ledger_server(party: Party) -> Iterator[Finding]:
    """A ledger on a server is dialled by the node's own code, in a process of its own."""
    if party.kind != "node" or not party.home.config.ledger:
        return
    said = _ask_node(party, "check-ledger")
    if "error" in said:
        yield failure(
            "ledger", str(said["code"]), f"the ledger on PostgreSQL: {said['message']}",
            "see that PostgreSQL runs, that `ledger` in party.toml names it, and that "
            "keys/ledger.password (mode 0600) holds the password; until then the node answers "
            "nothing",
        )  # fmt: skip
    elif not said["version"]:
        yield warning(
            "ledger", "ledger-new", "the database on PostgreSQL is empty",
            "expected before the first start; otherwise put the database's own backup back",
        )  # fmt: skip
    else:
        yield ok("ledger", f"PostgreSQL answers; version {said['version']}")


def _ask_node(party: Party, verb: str) -> dict[str, object]:
    command = [sys.executable, "-m", "node", "--home", str(party.home.path), verb]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, by our own interpreter
            command, capture_output=True, check=False, timeout=_OPEN_SECONDS
        )
        said = json.loads(done.stdout.decode().strip().splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        said = None
    return said if isinstance(said, dict) else _SILENT


def check_warehouse(party: Party) -> Iterator[Finding]:
    """The generation in force opens, and the operator's signatures on its products hold: by the
    node's own code, in a process of its own."""
    if party.kind != "node":
        return
    said = _ask_node(party, "check")
    if "error" in said:
        yield failure(
            "warehouse", str(said["code"]), f"the warehouse does not open: {said['message']}",
            "load the product again (`gba node load`), or restore warehouse/ from the backup",
            unverified=said["error"] == Unverified.kind,
        )  # fmt: skip
    elif not said["generation"]:
        yield warning(
            "warehouse", "no-data", "nothing is loaded: this region answers no question",
            "load a product: `gba node load REGION PRODUCT.yaml FILE…`",
        )  # fmt: skip
    else:
        yield ok("warehouse", f"{said['generation']} opens, {said['products']} products signed")
