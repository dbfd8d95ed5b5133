"""One file for whoever helps: findings, settings, versions, last log lines. Rim: reads and writes.

    README.txt                       what is in it and what is not
    findings.json                    every check of every party
    versions.json                    package, wire, Python, libraries, kernel
    parties/<party>/config.json      settings on a list of harmless ones
    parties/<party>/log.jsonl        the last lines, field by field
    parties/<party>/metrics.txt      the page, where the process runs

SECURITY: built from lists of what may go in, never from what is there by leaving things out.
Keys, bodies, entries, data, SQL, actors' names and certificates are in no such list.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import socket
import sys
import urllib.request
import zipfile
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from dataspace.doctor.findings import Examined
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.home import PartyHome
from dataspace.observing.build import VERSION, WIRE
from dataspace.observing.endpoint import address_in

_LINES: Final = 200
_LINE_BYTES: Final = 4096
_PAGE_BYTES: Final = 1 << 20
_LIBRARIES: Final = (
    "cedarpy", "cryptography", "duckdb", "grpcio", "protobuf", "pyarrow", "sqlalchemy", "uvicorn",
)  # fmt: skip
# What may be named of party.toml. Addresses with credentials in them are not among these.
_SETTINGS: Final = (
    "space", "kind", "broker", "listen", "http", "metrics", "trust_sha256", "charter_sha256",
    "log_origin", "threads", "memory_limit", "query_seconds", "round_seconds", "running_queries",
    "waiting_queries", "witness_grace_seconds", "review_days", "existence_days",
    "existence_per_actor", "existence_per_member", "existence_per_space", "body_days",
)  # fmt: skip
# Fields of log lines, and the form that a value has to have. Free text is in none of them.
_FIELDS: Final = frozenset({
    "event", "level", "timestamp", "code", "rule", "request", "outcome", "region", "role", "stage",
    "status", "size", "entry", "number", "revoked", "ms", "count", "kind", "attempt", "regions",
    "version", "policy", "origin", "witness", "epoch", "buckets", "window", "line", "severity",
})  # fmt: skip
_VALUE: Final = re.compile(r"[A-Za-z0-9._:/+-]{0,80}", re.ASCII)
_URI: Final = re.compile(r"gba://[^\s,;)'\"]+")
_README: Final = (
    "What `gba doctor` found, for whoever helps. In it: findings, harmless settings, versions,\n"
    "log lines by their codes, and metrics. Not in it: keys, certificates, data, bodies and\n"
    "entries of logs, SQL, and names of people. Look it over before you send it.\n"
)


@dataclass(frozen=True)
class Redaction:
    """Takes out of our own messages what says who and where: paths, user, host, actors."""

    replaced: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, root: Path) -> Redaction:
        """For findings about a home."""
        known = [(str(root.resolve()), "HOME"), (str(root.absolute()), "HOME"), (str(root), "HOME")]
        known += [(str(Path.home()), "~"), (socket.gethostname(), "HOST")]
        with suppress(OSError, KeyError):
            known.append((getpass.getuser(), "USER"))
        return cls(tuple((text, word) for text, word in known if len(text) > 3))

    def __call__(self, text: str) -> str:
        for found, word in self.replaced:
            text = text.replace(found, word)
        return _URI.sub("gba://[removed]", text)


def write_report(
    file: Path, root: Path, parties: Sequence[tuple[str, PartyHome]], found: Sequence[Examined]
) -> None:
    """Write the bundle, mode 0600, whole or not at all.

    Raises `Malformed` where the file is there already, `Unavailable` where it cannot be written.
    """
    redact = Redaction.of(root)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise Malformed(
            f"{file} is there already; name another file, or move it away", code="report-exists"
        ) from None
    except OSError as error:
        raise _unwritten(file, error) from None
    try:
        with os.fdopen(handle, "wb") as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("README.txt", _README)
            out.writestr("findings.json", _json([as_json(each, redact) for each in found]))
            out.writestr("versions.json", _json(versions()))
            for name, home in parties:
                for part, text in _of_party(home).items():
                    out.writestr(f"parties/{name}/{part}", text)
    except OSError as error:
        file.unlink(missing_ok=True)
        raise _unwritten(file, error) from None
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def as_json(examined: Examined, redact: Redaction | None = None) -> dict[str, object]:
    """One party's findings as the command prints them."""
    clean = redact or (lambda text: text)
    return {
        "party": examined.party,
        "kind": examined.kind,
        "findings": [
            {
                "check": each.check,
                "level": str(each.level),
                "code": each.code,
                "meaning": clean(each.meaning),
                "advice": clean(each.advice),
            }
            for each in examined.findings
        ],
    }


def versions() -> dict[str, str]:
    """What runs here, by name."""
    found = {"gba-dataspace": VERSION, "wire": WIRE, "python": platform.python_version()}
    found["system"] = f"{platform.system()} {platform.release()} {platform.machine()}"
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    found["openssl"] = _openssl()
    return found


def _openssl() -> str:
    ssl = sys.modules.get("ssl")
    return str(getattr(ssl, "OPENSSL_VERSION", "")) if ssl else ""


def _of_party(home: PartyHome) -> dict[str, str]:
    parts = {}
    with suppress(DataspaceError):
        settings = home.config.model_dump(include=set(_SETTINGS))
        uri = home.uri
        parts["config.json"] = _json({**settings, "region": uri.region, "role": uri.role})
    with suppress(OSError):
        parts["log.jsonl"] = _log_tail(home.path / "run" / "log.jsonl")
    page = _page(home)
    if page:
        parts["metrics.txt"] = page
    return parts


def _log_tail(file: Path) -> str:
    with file.open("rb") as lines:
        tail = deque(lines, maxlen=_LINES)
    return "".join(f"{json.dumps(scrub(line))}\n" for line in tail)


def scrub(line: bytes) -> dict[str, object]:
    """What may be shown of a log line. A line of no such form shows its length alone."""
    try:
        told = json.loads(line[:_LINE_BYTES])
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return {"removed": len(line)}
    kept = {name: _kept(value) for name, value in told.items() if name in _FIELDS}
    left_out = len(told) - len(kept)
    return {**kept, **({"left_out": left_out} if left_out else {})}


def _kept(value: object) -> object:
    match value:
        case bool() | int() | float():
            return value
        case list():
            return [_kept(each) for each in value[:16]]
        case str() if _VALUE.fullmatch(value) and not value.startswith("gba://"):
            return value
    return "[removed]"


def _page(home: PartyHome) -> str:
    """The process's metrics, whose labels hold nothing of anybody."""
    address = address_in(home.path / "run")
    if address is None:
        return ""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{address}/metrics", timeout=5) as reply:
            return str(reply.read(_PAGE_BYTES).decode())
    except (OSError, ValueError):
        return ""


def _json(value: Mapping[str, object] | Sequence[object]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _unwritten(file: Path, error: OSError) -> Unavailable:
    why = os.strerror(error.errno or 0)
    return Unavailable(f"{file} cannot be written ({why}); name another place", code="report")
