"""Replicas of a region's node share one ledger: what one has seen, none answers again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text, update

from dataspace.errors import DataspaceError, Refused, Unavailable
from node.ledger import Ledger
from node.ledger_database import PASSWORD_FILE, open_engine
from node.ledger_versions import FACTS, VERSION, look
from tests.contract.claiming import MOST, NOW
from tests.contract.conftest import write_password
from tests.postgres import Postgres, running_postgres

EXPIRY = NOW + 300_000
CLAIMS = 40


def ledger_of(server: Postgres, folder: Path, database: str, owner: str = "gba/hongkong") -> Ledger:
    folder.mkdir(exist_ok=True)
    write_password(folder, server)
    return Ledger.of_home(folder, server.url(database), owner)


@pytest.fixture
def ledger(postgres: Postgres, tmp_path: Path) -> Ledger:
    return ledger_of(postgres, tmp_path, postgres.database())


def two_processes(folder: Path, url: str) -> list[dict[str, int]]:
    """What two replicas came to that did the same at the same time."""
    command = [sys.executable, "-m", "tests.contract.claiming", str(folder), url]
    start = time.time() + 3
    running = [
        subprocess.Popen([*command, str(start), str(CLAIMS)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    return [json.loads(each.communicate(timeout=100)[0]) for each in running]


@pytest.mark.parametrize("shared", ["a file", "PostgreSQL"])
def test_of_two_processes_that_claim_one_nonce_exactly_one_wins(
    shared: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = "-"
    if shared == "PostgreSQL":
        server: Postgres = request.getfixturevalue("postgres")
        write_password(tmp_path, server)
        url = server.url(server.database())
    one, other = two_processes(tmp_path, url)
    together = Counter(one) + Counter(other)
    assert together["won"] == CLAIMS
    assert together["replay"] == CLAIMS
    # Limits count together, exactly; nobody was told that the ledger is busy.
    assert together["checks"] == MOST
    assert together["existence-limit"] == 2 * CLAIMS - MOST
    assert max(one["volume"], other["volume"]) == CLAIMS
    assert set(together) == {"won", "replay", "checks", "existence-limit", "volume"}


def test_a_server_that_goes_away_is_said_so_and_found_again(tmp_path: Path) -> None:
    with running_postgres() as server:
        ledger = ledger_of(server, tmp_path, server.database())
        ledger.claim(b"a" * 48, EXPIRY, NOW)
        server.stop()
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                ledger.claim(b"b" * 48, EXPIRY, NOW)
            assert server.password not in str(caught.value)
        server.start()
        # What was acknowledged before the server lost its power is still used up.
        with pytest.raises(Refused):
            ledger.claim(b"a" * 48, EXPIRY, NOW)
        ledger.claim(b"b" * 48, EXPIRY, NOW)
        ledger.close()


def test_a_connection_that_is_cut_between_two_claims_is_dialled_anew(
    ledger: Ledger, postgres: Postgres
) -> None:
    ledger.claim(b"a" * 48, EXPIRY, NOW)
    with ledger.reading() as connection:
        database = str(connection.scalar(text("select current_database()")))
    with postgres.connect(database) as other:
        other.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    ledger.claim(b"b" * 48, EXPIRY, NOW)


def test_a_transaction_that_others_keep_coming_between_is_given_up_after_some_attempts(
    ledger: Ledger,
) -> None:
    attempts = 0

    def never(connection: object) -> None:
        nonlocal attempts
        attempts += 1
        connection.execute(text("do $$ begin raise sqlstate '40001'; end $$"))  # type: ignore[attr-defined]

    with pytest.raises(Unavailable) as caught:
        ledger.write(never)
    assert caught.value.code == "ledger-busy"
    assert 1 < attempts <= 20


def test_what_two_replicas_read_and_change_at_once_is_never_lost(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.database()
    replicas = [ledger_of(postgres, tmp_path / str(n), database) for n in range(2)]
    replicas[0].write(lambda c: c.execute(text("insert into marks values ('test', 0)")).rowcount)
    both_have_read = threading.Barrier(2)

    def count(ledger: Ledger) -> None:
        attempts = 0

        def read_and_change(connection: Connection) -> None:
            nonlocal attempts
            attempts += 1
            known = connection.scalar(text("select at_ms from marks where name = 'test'"))
            if attempts == 1:
                both_have_read.wait(30)
            raised = text("update marks set at_ms = :n where name = 'test'")
            connection.execute(raised, {"n": int(known or 0) + 1})

        ledger.write(read_and_change)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(count, replicas))
    with replicas[0].reading() as connection:
        assert connection.scalar(text("select at_ms from marks where name = 'test'")) == 2
    for each in replicas:
        each.close()


def test_a_region_does_not_write_into_anothers_ledger(postgres: Postgres, tmp_path: Path) -> None:
    database = postgres.database()
    ledger_of(postgres, tmp_path / "one", database)
    with pytest.raises(Unavailable) as caught:
        ledger_of(postgres, tmp_path / "other", database, "gba/macao")
    assert caught.value.code == "ledger-owner"


def test_a_look_tells_version_and_owner_and_changes_nothing(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.database()
    write_password(tmp_path, postgres)
    engine = open_engine(postgres.url(database), tmp_path / PASSWORD_FILE)
    assert look(engine, "gba/hongkong") == 0
    assert inspect(engine).get_table_names() == []
    ledger_of(postgres, tmp_path / "one", database).close()
    assert look(engine, "gba/hongkong") == VERSION
    with pytest.raises(Unavailable) as caught:
        look(engine, "gba/macao")
    assert caught.value.code == "ledger-owner"
    with engine.begin() as connection:
        connection.execute(update(FACTS).where(FACTS.c.name == "version").values(value="99"))
    with pytest.raises(Unavailable) as caught:
        look(engine, "gba/hongkong")
    assert caught.value.code == "storage-newer"
    engine.dispose()


def test_replicas_that_open_a_new_ledger_at_once_both_do(
    postgres: Postgres, tmp_path: Path
) -> None:
    database = postgres.database()
    with ThreadPoolExecutor(4) as pool:
        opened = list(
            pool.map(lambda n: ledger_of(postgres, tmp_path / str(n), database), range(4))
        )
    opened[0].claim(b"a" * 48, EXPIRY, NOW)
    with pytest.raises(Refused):
        opened[3].claim(b"a" * 48, EXPIRY, NOW)
    for each in opened:
        each.close()


SECRET = "s3cret-word"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"postgresql+psycopg://gba:{SECRET}@localhost/d", "ledger-password"),
        (f"postgresql+psycopg://gba@localhost/d?password={SECRET}", "ledger-password"),
        ("postgresql+psycopg://gba@db.example/d?sslmode=require", "ledger-tls"),
        ("postgresql+psycopg://gba@db.example/d?sslmode=disable", "ledger-tls"),
        ("postgresql+psycopg://gba@/d?host=localhost,db.example&sslmode=prefer", "ledger-tls"),
        ("postgresql+psycopg://gba@localhost/d?hostaddr=10.0.0.1", "ledger-url"),
        ("postgresql+psycopg://gba@/d", "ledger-url"),
        ("postgresql+psycopg://gba@localhost/d?options=-cfsync%3Doff", "ledger-url"),
        ("postgresql+asyncpg://gba@localhost/d", "ledger-url"),
        ("mysql://gba@localhost/d", "ledger-url"),
        (f"no url of {SECRET}", "ledger-url"),
    ],
)
def test_a_ledger_that_would_be_read_on_the_way_or_keeps_its_password_badly_is_refused(
    url: str, code: str, tmp_path: Path
) -> None:
    with pytest.raises(DataspaceError) as caught:
        Ledger.of_home(tmp_path, url, "gba/hongkong")
    assert caught.value.code == code
    assert SECRET not in str(caught.value)
    assert "example" not in str(caught.value)


def test_a_password_in_the_environment_or_in_a_file_that_others_read_is_refused(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.url(postgres.database())
    write_password(tmp_path, postgres)
    (tmp_path / "keys/ledger.password").chmod(0o640)
    with pytest.raises(Refused) as caught:
        Ledger.of_home(tmp_path, url, "gba/hongkong")
    assert caught.value.code == "ledger-password"
    (tmp_path / "keys/ledger.password").chmod(0o600)
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    with pytest.raises(Refused):
        Ledger.of_home(tmp_path, url, "gba/hongkong")


def test_a_wrong_password_is_no_secret_told(postgres: Postgres, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    file = tmp_path / "keys/ledger.password"
    file.touch(mode=0o600)
    file.write_text(SECRET)
    with pytest.raises(Unavailable) as caught:
        Ledger.of_home(tmp_path, postgres.url(postgres.database()), "gba/hongkong")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_pgpassfile_is_read_where_the_directory_holds_no_password(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pgpass"
    file.touch(mode=0o600)
    file.write_text(f"*:*:*:gba:{postgres.password}\n")
    monkeypatch.setenv("PGPASSFILE", str(file))
    Ledger.of_home(tmp_path, postgres.url(postgres.database()), "gba/hongkong").close()


def test_a_server_that_may_lose_what_it_acknowledged_is_refused(tmp_path: Path) -> None:
    with running_postgres() as server:
        server.stop()
        with (server.folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write("fsync = off\n")
        server.start()
        with pytest.raises(Refused) as caught:
            ledger_of(server, tmp_path, server.database())
        assert caught.value.code == "ledger-durability"
