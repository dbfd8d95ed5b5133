"""Every kind of ledger there is: what is promised of one holds of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from node.ledger import Ledger
from node.ledger_database import PASSWORD_FILE
from tests.postgres import Postgres, running_postgres

Open = Callable[[], Ledger]  # the same ledger once more, as another process opens it

IN_MEMORY, IN_FILE, POSTGRES = "SQLite in memory", "SQLite in a file", "PostgreSQL"
DURABLE = (IN_FILE, POSTGRES)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for whoever asks; skips where there is none to be had."""
    with running_postgres() as server:
        yield server


@contextmanager
def _ledgers(request: pytest.FixtureRequest, folder: Path) -> Iterator[Open]:
    with ExitStack() as opened:

        def keep(ledger: Ledger) -> Ledger:
            opened.callback(ledger.close)
            return ledger

        match request.param:
            case "SQLite in memory":
                only = keep(Ledger.in_memory())
                yield lambda: only
            case "SQLite in a file":
                # A name that a database URL would read as its own.
                file = folder / "led%20ger?mode=memory#.db"
                yield lambda: keep(Ledger.in_file(file))
            case _:
                server: Postgres = request.getfixturevalue("postgres")
                url = server.url(server.database())
                write_password(folder, server)
                yield lambda: keep(Ledger.of_home(folder, url, "gba/hongkong"))


def write_password(folder: Path, server: Postgres) -> None:
    """What a node's directory holds of it."""
    (folder / "keys").mkdir(exist_ok=True)
    file = folder / PASSWORD_FILE
    file.touch(mode=0o600)
    file.write_text(server.password + "\n")


@pytest.fixture(params=(IN_MEMORY, *DURABLE))
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens a ledger of each kind."""
    with _ledgers(request, tmp_path) as opened:
        yield opened


@pytest.fixture(params=DURABLE)
def open_durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens a ledger of each kind that outlives its process."""
    with _ledgers(request, tmp_path) as opened:
        yield opened


@pytest.fixture
def ledger(open_ledger: Open) -> Ledger:
    """A ledger of each kind."""
    return open_ledger()
