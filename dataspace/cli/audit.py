"""`gba audit verify`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dataspace.audit.notes import parse_vkey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.verify import Entries, VerifiedLog, verify_log
from dataspace.cli.log_files import (
    KeyOption,
    LogOption,
    QuorumOption,
    SeenOption,
    WitnessOption,
    verify_one,
)
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import space_home
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.home import CONFIG, PartyHome, brokers_of
from dataspace.identity.names import REGIONS
from dataspace.identity.replicas import is_broker, own_log, replica_of
from dataspace.identity.trusted import BROKER

app = typer.Typer(help="regulators' commands", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Commands of regulators."""


@dataclass(frozen=True)
class LogCheck:
    """What became of one log's verification."""

    owner: str
    origin: str
    verified: VerifiedLog | None
    reason: str
    cosigned: int = 0  # how many entries witnesses have cosigned


@app.command()
@told
def verify(
    log: LogOption = None,
    key: KeyOption = None,
    witness: WitnessOption = None,
    quorum: QuorumOption = None,
    seen: SeenOption = None,
    entries: Annotated[
        Entries | None, typer.Option("--entries", help="with --log: what its entries must be")
    ] = None,
    no_entries: Annotated[
        bool, typer.Option("--no-entries", help="with --log: verify a copy of hash tiles alone")
    ] = False,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Re-compute every hash and signature of the logs in a home. Exit 6 where one fails.

    With --log and --key: of any tlog-tiles log, in a directory or behind a URL.
    """
    del actor  # verification needs nobody
    if log is not None:
        read = Entries.ABSENT if no_entries else (entries or Entries.HASHED)
        verify_one(log, key, witness or (), quorum, seen, read, format_)
        return
    if key or witness or quorum or seen or entries or no_entries:
        raise Malformed("these keys and files are for one log: give --log", code="no-log")
    checks = verify_logs(space_home(home))
    if format_ is Format.JSON:
        print_json({"logs": [_as_json(check) for check in checks]})
    else:
        print_rows(
            ["log", "entries", "cosigned", "root", "result"],
            [
                (
                    check.origin,
                    check.verified.size if check.verified else None,
                    check.cosigned,
                    check.verified.root.hex()[:16] + "…" if check.verified else None,
                    "verified" if check.verified else check.reason,
                )
                for check in checks
            ],
        )
    failed = [check for check in checks if check.verified is None]
    if failed:
        raise Unverified(
            f"the log of {failed[0].owner} does not verify: {failed[0].reason}", code="log"
        )
    if format_ is Format.TABLE:
        out.print(_summary(checks))


def verify_logs(root: Path) -> list[LogCheck]:
    """Verify every log in a space's home, or the one of a party's home."""
    if (root / CONFIG).is_file():
        home = PartyHome(root)
        if home.config.kind == "actor":
            raise Malformed(f"{root} is an actor's home and keeps no log", code="no-log")
        if home.config.kind == "broker":
            return [_check(home, replica_of(home.config.log_origin))]
        return [_check(home, home.uri.region)]
    homes = {owner: root / owner for owner in (*(brokers_of(root) or (BROKER,)), *REGIONS)}
    absent = [owner for owner, path in homes.items() if not (path / CONFIG).is_file()]
    if absent:
        raise Unavailable(f"{root} holds no party {absent[0]}", code="home-missing")
    checks = [_check(PartyHome(path), owner) for owner, path in homes.items()]
    return [*checks, *_not_here(PartyHome(homes[BROKER]), checks)]


def _not_here(home: PartyHome, checks: list[LogCheck]) -> list[LogCheck]:
    """The brokers' logs of the trust list that have no directory here."""
    # SECURITY: a replica's log that was taken away whole is missing, and not one log fewer.
    seen = {check.origin for check in checks}
    logs = home.trust(time.time_ns() // 1_000_000).logs_of(BROKER)
    return [
        LogCheck(replica_of(log.origin), log.origin, None, "its directory is not here")
        for log in logs
        if log.origin not in seen
    ]


def _check(home: PartyHome, owner: str) -> LogCheck:
    trust = home.trust(time.time_ns() // 1_000_000)
    log = own_log(trust, BROKER if is_broker(owner) else owner, home.config.log_origin)
    if log is None:
        return LogCheck(owner, "", None, "the trust list names no log of this owner")
    reader = DirectoryReader(home.path / "log")
    try:
        text = reader.cosigned()
        cosigned = quorum_of(trust, log.origin).check(text).checkpoint if text else None
        # What witnesses have seen must still be there, as they saw it.
        verified = verify_log(reader, parse_vkey(log.vkey), seen=[cosigned] if cosigned else [])
    except Unverified as error:
        return LogCheck(owner, log.origin, None, error.message)
    return LogCheck(owner, log.origin, verified, "", cosigned.size if cosigned else 0)


def _summary(checks: list[LogCheck]) -> str:
    lost = [
        f"{check.verified.lost} of {check.owner}"
        for check in checks
        if check.verified and check.verified.lost
    ]
    if lost:
        missing = ", ".join(lost)
        return f"{_of_whole(checks)}; entries lost with a disk, as the logs say: {missing}"
    return _of_whole(checks)


def _of_whole(checks: list[LogCheck]) -> str:
    late = [check for check in checks if check.verified and check.cosigned < check.verified.size]
    if not late:
        return "every hash and signature holds, and witnesses have cosigned every entry"
    return (
        "every hash and signature holds; witnesses have not cosigned the last entries of "
        + ", ".join(check.owner for check in late)
    )


def _as_json(check: LogCheck) -> dict[str, object]:
    return {
        "owner": check.owner,
        "origin": check.origin,
        "verified": check.verified is not None,
        "size": check.verified.size if check.verified else None,
        "root": check.verified.root.hex() if check.verified else None,
        "lost": check.verified.lost if check.verified else None,
        "cosigned_size": check.cosigned,
        "reason": check.reason,
    }
