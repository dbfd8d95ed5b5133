"""`gba trust show | keys | draft`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import json_format

from dataspace.cli.files import file_bytes, paper_bytes, write_file
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import space_home
from dataspace.errors import Malformed, Unverified
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.drafting import add_requests, draft_next
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.request_files import read_requests
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import InForce
from dataspace.region_home import parties_in
from dataspace.v1.revocation_pb2 import RevocationLists

_WIDEST = 100  # characters of a key in a table

app = typer.Typer(help="the trust list", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Commands about the trust list."""


@app.command()
@told
def show(
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE
) -> None:
    """Show the trust list in force: version, expiry, regions, logs, witnesses and brokers."""
    del actor  # the list is public
    trust = _party(home).trust(time.time_ns() // 1_000_000)
    if format_ is Format.JSON:
        print_json(_as_json(trust))
        return
    out.print(
        f"trust list {trust.version} of space {trust.space}, until {_day(trust.expires_at_ms)}, "
        f"digest {trust.payload_sha256.hex()}"
    )
    print_rows(
        ["region", "roots", "trust keys", "state"],
        [
            (
                name,
                len(region.roots),
                ", ".join(key.keyid for key in region.trust_keys),
                "suspended" if region.suspended else "in force",
            )
            for name, region in trust.regions.items()
        ],
    )
    print_rows(["log", "owner", "key"], [(log.origin, log.owner, log.vkey) for log in trust.logs])
    print_rows(
        ["witness", "region", "key"],
        [
            (witness.name, witness.region, _short(vkey))
            for witness in trust.witnesses
            for vkey in witness.vkeys
        ],
    )
    print_rows(
        ["broker", "name", "keys"],
        [(str(each.uri), each.dns_name, len(each.public_keys)) for each in trust.brokers],
    )


@app.command()
@told
def keys(
    folder: Annotated[Path, typer.Argument(help="the directory to write them into")],
    home: HomeOption = None,
    actor: ActorOption = None,
) -> None:
    """Write the verifier keys of every log, and of the witnesses that count for it, to files.

    FOLDER/<owner>.vkey and FOLDER/<owner>.witnesses are what `gba audit verify --log` takes.
    """
    del actor  # the list is public
    trust = _party(home).trust(time.time_ns() // 1_000_000)
    folder.mkdir(parents=True, exist_ok=True)
    for log in trust.logs:
        counting = [each for each in trust.witnesses if each.region != log.owner]
        witnesses = [vkey for each in counting for vkey in each.vkeys]
        (folder / f"{log.owner}.vkey").write_text(f"{log.vkey}\n")
        (folder / f"{log.owner}.witnesses").write_text("".join(f"{each}\n" for each in witnesses))
    out.print(f"keys of {len(trust.logs)} logs and their witnesses are in {folder}")


@app.command()
@told
def draft(
    file: Annotated[Path, typer.Argument(help="the JSON file to write")],
    add: Annotated[
        list[Path] | None,
        typer.Option("--add", help="signing requests: their logs, witness or pinned keys; again"),
    ] = None,
    home: HomeOption = None,
    actor: ActorOption = None,
) -> None:
    """Write the next trust list as JSON, to be edited and proposed: `gba govern propose`.

    It says what the one in force says, under the next version, and what signing requests bring;
    nothing is signed yet.
    """
    del actor  # the list is public
    now_ms = time.time_ns() // 1_000_000
    wire = draft_next(_party(home).trust_envelopes(now_ms)[-1], now_ms)
    for each in add or []:
        asked = read_requests(file_bytes(each))
        for told_of in add_requests(wire, asked.requests):
            out.print(f"added: {told_of} (request {asked.fingerprint})",
                      markup=False, soft_wrap=True)  # fmt: skip
    text = json_format.MessageToJson(wire, always_print_fields_with_no_presence=True)
    write_file(file, (text + "\n").encode())
    out.print(
        f"version {wire.version} is in {file}; edit it, then "
        f"`gba govern propose --trust-list {file}`",
        markup=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
@told
def update(
    sources: Annotated[
        list[str], typer.Argument(help="trust lists in order: files, or http://…/trust/N.dsse")
    ],
    home: HomeOption = None,
    actor: ActorOption = None,
) -> None:
    """Take later trust lists into a home that was away while they came into force.

    Each has to follow the one before, signed by two regions; one that is there already is no
    change. In a node's home those beside the node take them too.
    """
    del actor  # the list is public
    try:
        lists = [parse_envelope(paper_bytes(each)) for each in sources]
    except Malformed as error:
        raise (
            error
            if error.code == "file"
            else Unverified("this is no trust list; ask for the file anew", code="trust-list-form")
        ) from None
    for party in parties_in(_party(home).path):
        in_force = InForce(party)
        problems = in_force.receive(RevocationLists(trust_lists=lists))
        if problems:
            raise problems[0]
        trust = in_force.trust()
    out.print(f"version {trust.version} of the trust list is in force here, "
              f"digest {trust.payload_sha256.hex()}", markup=False, soft_wrap=True)  # fmt: skip


def _party(home: Path | None) -> PartyHome:
    root = space_home(home)
    return PartyHome(root if (root / CONFIG).is_file() else root / "broker")


def _as_json(trust: TrustList) -> dict[str, object]:
    return {
        "space": trust.space,
        "version": trust.version,
        "issued_at": _day(trust.issued_at_ms),
        "expires_at": _day(trust.expires_at_ms),
        "sha256": trust.payload_sha256.hex(),
        "regions": [
            {
                "region": name,
                "suspended": region.suspended,
                "trust_keys": [key.keyid for key in region.trust_keys],
            }
            for name, region in trust.regions.items()
        ],
        "logs": [vars(log) for log in trust.logs],
        "witnesses": [
            {"name": each.name, "region": each.region, "vkeys": list(each.vkeys)}
            for each in trust.witnesses
        ],
        "brokers": [{"uri": str(b.uri), "dns_name": b.dns_name} for b in trust.brokers],
    }


def _short(vkey: str) -> str:
    """A key as a table shows it; `--format json` has it whole."""
    return vkey if len(vkey) <= _WIDEST else f"{vkey[:_WIDEST]}…"


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
