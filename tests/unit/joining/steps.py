"""What people type on the way from an empty directory to certificates in force."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from typer.testing import CliRunner

from dataspace.cli.main import app
from dataspace.home import PartyHome
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.in_force import InForce
from dataspace.processes import now_ms
from dataspace.v1 import broker_pb2
from tests.spaces import Ran

MARIA = "gba://macao/university/researcher/maria"
BROKER = "127.0.0.1:20000"


def gba(*arguments: str) -> Ran:
    done = CliRunner().invoke(app, list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


def join(space: Path, home: Path, uri: str = MARIA, *more: str) -> Ran:
    return gba(
        "join", BROKER, "--trust", str(space / "macao/trust/1.dsse"),
        "--charter", str(space / "macao/charters/1.dsse"), "--uri", uri, "--home", str(home), *more,
    )  # fmt: skip


def issue(space: Path, home: Path, to: Path, *more: str, region: str = "macao") -> Ran:
    authority = str(space / region / "authority")
    return gba("identity", "issue", str(home / "request.json"), "--authority", authority,
               "--out", str(to), *more)  # fmt: skip


def install(file: Path, home: Path) -> Ran:
    return gba("identity", "install", str(file), "--home", str(home))


def rotate(home: Path, *more: str) -> Ran:
    return gba("identity", "rotate", "--home", str(home), *more)


def with_authority(space: Path, region: str = "macao") -> tuple[str, str]:
    return "--authority", str(space / region / "authority")


def speaks(home: Path, space: Path) -> None:
    """Sign as the party, and have another region's node believe it."""
    party = PartyHome(home)
    hello = broker_pb2.Hello(
        freshness=make_freshness(now_ms=now_ms(), nonce=b"n" * 16, audience=["broker"])
    )
    trust = InForce(PartyHome(space / "hongkong")).trust().for_kept()
    opened = open_envelope(seal(hello, party.identity), broker_pb2.Hello, trust, datetime.now(UTC))
    assert opened.signer.uri == party.uri
    assert party.tls.chain_pem
