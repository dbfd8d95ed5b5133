"""`gba audit erase`: a body goes, the proof that it was there stays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataspace.audit.bodies import BodyStore
from dataspace.audit.following import Follower
from dataspace.audit.index import AuditIndex
from dataspace.audit.retention import DAY_MS, Retention
from dataspace.audit.store import LogStore
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.homes import region_home, space_home
from dataspace.errors import Malformed
from dataspace.evidence.archive import Archive
from dataspace.evidence.looks import COLUMNS
from dataspace.evidence.recording import Recorder
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.replicas import is_broker
from dataspace.local_socket import ask_locally
from dataspace.processes import now_ms
from dataspace.record_room import INDEX


@told
def erase(
    log: Annotated[str, typer.Argument(help="a region, or a broker (while it does not run)")],
    older_than: Annotated[
        int | None, typer.Option("--older-than", min=0, help="days since the entry")
    ] = None,
    entry: Annotated[int | None, typer.Option("--entry", min=0, help="one entry's index")] = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Erase bodies (SQL, actor, context) of entries. No proof breaks; the log records it.

    The log's owner erases: over the local socket of a node that runs, or in a home at rest.
    """
    del actor  # whoever may open the socket or the directory
    if (older_than is None) == (entry is None):
        raise Malformed("say which bodies: --older-than DAYS, or --entry INDEX", code="erase")
    party = _broker_home(home, log) if is_broker(log) else region_home(home, log)
    wanted = {"before_ms": now_ms() - older_than * DAY_MS} if older_than is not None else {}
    if entry is not None:
        wanted = {"entry": entry}
    reply = ask_locally(party.path / "run", {"do": "erase", **wanted})
    erased = int(reply["erased"]) if reply is not None else _erase_at_rest(party, wanted)
    if format_ is Format.JSON:
        print_json({"log": log, "erased": erased})
        return
    out.print(f"{log}: {erased} bodies erased")


def _broker_home(home: Path | None, name: str) -> PartyHome:
    root = space_home(home)
    return PartyHome(root if (root / CONFIG).is_file() else root / name)


def _erase_at_rest(party: PartyHome, wanted: dict[str, int]) -> int:
    origin = party.config.log_origin
    with LogStore.open(party.path / "log", origin, party.log_key) as log:
        recorder = Recorder(origin, log, BodyStore(party.folder("bodies")))
        index = AuditIndex(party.path / INDEX, origin, COLUMNS)
        follower = Follower(log, party.path / "log", recorder.bodies, index)
        archive = Archive(party.folder("archive"))
        try:
            follower.catch_up()
            retention = Retention(
                log, recorder.bodies, follower,
                lambda kind, fields: recorder.record(kind, now_ms(), fields),
                archive.erase_releases, archive.erase_release_of,
            )  # fmt: skip
            if "entry" in wanted:
                return retention.erase_entry(wanted["entry"])
            return retention.erase_before(wanted["before_ms"], "operator")
        finally:
            index.close()
