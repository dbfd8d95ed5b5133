"""The database under a ledger: SQLite in a file, or a PostgreSQL that replicas share. Rim.

Promises of both: a transaction is as if it ran alone, and is durable once it ends. What they
cannot promise is refused at opening: a PostgreSQL that loses what it acknowledged, a password
where others may read it, an unverified server on the network.
"""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from dataspace.errors import Malformed, Refused, Unavailable

POSTGRESQL = "postgresql"
DRIVER = "postgresql+psycopg"
PASSWORD_FILE = Path("keys/ledger.password")
_WRITES = "ledger_writes"

_CONNECT_SECONDS = 5
_STATEMENT_MS = 10_000
_LOCK_MS = 5_000
_SILENCE_MS = 10_000  # after which a connection that says nothing is given up
_VERIFIED = ("verify-full", "verify-ca")
_LOCAL = ("localhost", "127.0.0.1")
_QUERY = frozenset({"host", "sslmode", "sslrootcert", "sslcert", "sslkey", "passfile"})
_BASIS = "space rule: ledger"
# SQLSTATE (PostgreSQL, appendix A): a transaction that may succeed when it is run again.
_SERIALIZATION_FAILURE, _DEADLOCK, _LOCK_NOT_AVAILABLE = "40001", "40P01", "55P03"
_AGAIN = frozenset({_SERIALIZATION_FAILURE, _DEADLOCK, _LOCK_NOT_AVAILABLE})


def open_engine(url: str | URL, password_file: Path | None = None) -> Engine:
    """An engine for a ledger's URL, which connects when it is first used.

    Raises `Malformed` (`ledger-url`, `ledger-driver`), or `Refused` (`ledger-password`,
    `ledger-tls`) for a password or a server that is not kept as it has to be. No message holds
    any part of the URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise _no_url() from None
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql":
            return _postgresql(parsed, password_file)
    raise _no_url()


def writes(engine: Engine) -> Engine:
    """The same engine and pool, for transactions that write."""
    return engine.execution_options(**{_WRITES: True})


def may_succeed_again(error: DBAPIError) -> bool:
    """Whether a transaction failed only because of another one at the same time."""
    return getattr(error.orig, "sqlstate", None) in _AGAIN


def _sqlite(url: URL) -> Engine:
    if url.database:
        engine = create_engine(url)
    else:
        # What is in memory is in one connection, whose turn has to be waited for.
        engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, below
        with closing(connection.cursor()) as cursor:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA busy_timeout = 5000")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the write lock first, so that what it reads is what it changes.
        writing = connection.get_execution_options().get(_WRITES)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _postgresql(url: URL, password_file: Path | None) -> Engine:
    if url.drivername not in {POSTGRESQL, DRIVER}:
        raise _no_url()
    _check_secrets(url)
    if not set(url.query) <= _QUERY:
        raise _no_url()
    arguments: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": _SILENCE_MS,
        "application_name": "gba-node",
        # Of several hosts the one that writes.
        "target_session_attrs": "read-write",
    }
    if _is_remote(url):
        arguments["sslmode"] = url.query.get("sslmode", _VERIFIED[0])
        if arguments["sslmode"] not in _VERIFIED:
            raise Refused(
                "the ledger's server is on the network: its URL must say sslmode=verify-full "
                "(or verify-ca), and sslrootcert=FILE where the system does not know its root",
                code="ledger-tls", rule="ledger-tls", basis=_BASIS,
            )  # fmt: skip
    if password_file is not None and password_file.exists():
        arguments["password"] = _read_password(password_file)
    try:
        engine = create_engine(
            url.set(drivername=DRIVER),
            isolation_level="SERIALIZABLE",
            connect_args=arguments,
            hide_parameters=True,
            pool_pre_ping=True,  # a server that was restarted is dialled anew
            pool_size=8,
            max_overflow=8,
            pool_timeout=_CONNECT_SECONDS,
            pool_recycle=1800,
        )
    except ModuleNotFoundError:
        raise Malformed(
            "the ledger's URL needs psycopg: install gba-dataspace[postgres]", code="ledger-driver"
        ) from None
    except SQLAlchemyError:
        raise _no_url() from None
    event.listen(engine, "connect", _prepare_session)
    return engine


def _prepare_session(connection: Any, _: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('full_page_writes')")
        if cursor.fetchone() != ("on", "on"):
            # SECURITY: a nonce that was acknowledged and lost could be used again.
            raise Refused(
                "the ledger's server runs with fsync or full_page_writes off and may lose what "
                "it acknowledged; set both on",
                code="ledger-durability", rule="ledger-durability", basis=_BASIS,
            )  # fmt: skip
        cursor.execute("SELECT current_setting('synchronous_commit')")
        if cursor.fetchone() == ("off",):
            cursor.execute("SET synchronous_commit = on")
        cursor.execute(f"SET statement_timeout = {_STATEMENT_MS}")
        cursor.execute(f"SET lock_timeout = {_LOCK_MS}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {3 * _STATEMENT_MS}")
    connection.commit()


def _check_secrets(url: URL) -> None:
    named = url.password is not None or "password" in url.query
    if named or os.environ.get("PGPASSWORD"):
        # SECURITY: party.toml is shown and copied, and an environment is listed.
        raise Refused(
            "the ledger's password may stand neither in party.toml nor in PGPASSWORD: put it "
            f"into {PASSWORD_FILE} of the node's directory, mode 0600, or into PGPASSFILE",
            code="ledger-password", rule="ledger-password", basis=_BASIS,
        )  # fmt: skip


def _is_remote(url: URL) -> bool:
    named = url.query.get("host", url.host or "")
    hosts = ",".join(named) if isinstance(named, tuple) else named
    if not hosts:
        raise _no_url()  # the environment would say where to
    if any(os.environ.get(each) for each in ("PGHOSTADDR", "PGSERVICE")):
        return True
    names = (host.removesuffix("]").removeprefix("[") for host in hosts.split(","))
    return any(
        not host.startswith("/") and host != "::1" and host.split(":")[0] not in _LOCAL
        for host in names
    )


def _read_password(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            # SECURITY: the mode of the open file, not of what the path may name a moment later.
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise Refused(
                    f"others may read {file}; run `chmod 600 {file}`, and change the password if "
                    "others use this machine",
                    code="ledger-password", rule="ledger-password", basis=_BASIS,
                )  # fmt: skip
            return opened.read().decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise Unavailable(f"{file} cannot be read", code="ledger-password") from None


def _no_url() -> Malformed:
    return Malformed(
        "`ledger` in party.toml is no URL of a ledger; leave it out for a file, or write "
        "postgresql+psycopg://USER@HOST/DATABASE",
        code="ledger-url",
    )
