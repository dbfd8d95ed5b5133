"""A PostgreSQL of one's own for tests: Debian's, as an unprivileged user, on a Unix socket."""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

_CLUSTERS = Path("/etc/postgresql-common/createcluster.conf")


@dataclass
class Postgres:
    """A server that can be stopped and started, and makes databases."""

    folder: Path
    binaries: Path
    password: str
    user: str | None  # who runs it, where we are root

    def url(self, database: str) -> str:
        """A ledger's URL, without the password."""
        return f"postgresql+psycopg://gba@/{database}?host={self.folder}"

    def database(self) -> str:
        """A new, empty database."""
        name = f"d{secrets.token_hex(6)}"
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection past the ledger."""
        return psycopg.connect(
            host=str(self.folder), user="gba", password=self.password, dbname=database,
            autocommit=True,
        )  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.run("pg_ctl", "start", "-w", "-D", f"{self.folder}/data", "-l", f"{self.folder}/log")

    def stop(self) -> None:
        """Stop it at once, as a machine that loses power would."""
        self.run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", f"{self.folder}/data")

    def run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self.binaries / program, *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self.user, group=self.user, extra_groups=[] if self.user else None,
            cwd=self.folder, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed; see {self.folder}/log")


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server with the user `gba`; skips, saying why, where there is none to be had."""
    binaries = _binaries() or _installed()
    if binaries is None:
        pytest.skip("no PostgreSQL here: `apt-get install postgresql` as root")
    user = _unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="gba-pg-"))  # short, as paths of sockets must be
    server = Postgres(folder, binaries, secrets.token_urlsafe(18), user)
    try:
        (folder / "password").write_text(server.password)
        if user is not None:
            owner = pwd.getpwnam(user)
            for each in (folder, folder / "password"):
                os.chown(each, owner.pw_uid, owner.pw_gid)
        server.run(
            "initdb", "-D", f"{folder}/data", "-U", "gba", "--auth=scram-sha-256",
            f"--pwfile={folder}/password", "--no-sync", "--encoding=UTF8", "--locale=C",
        )  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                f"unix_socket_directories = '{folder}'\nlisten_addresses = ''\n"
                "shared_buffers = 16MB\n"
            )
        server.start()
        yield server
    finally:
        with suppress(RuntimeError):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> str | None:
    """Who else runs it where we are root, whom PostgreSQL does not run for."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            pwd.getpwnam(name)
            return name
    raise RuntimeError("there is nobody to run PostgreSQL as")


def _binaries() -> Path | None:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[4])
    )
    if found:
        return found[-1].parent
    named = shutil.which("initdb")
    return Path(named).resolve().parent if named else None


def _installed() -> Path | None:
    """Install Debian's where we may."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    with Path(tempfile.gettempdir(), "gba-tests-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of this run want it too
        if _binaries() is None:
            if not _CLUSTERS.exists():  # no server of the machine's own
                _CLUSTERS.parent.mkdir(exist_ok=True)
                _CLUSTERS.write_text("create_main_cluster = false\n")
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for arguments in (["update", "-q"], ["install", "-yq", "postgresql"]):
                subprocess.run(
                    ["apt-get", *arguments], env=environment, capture_output=True, check=False
                )
    return _binaries()
