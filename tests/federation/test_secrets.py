"""No secret of a running space is in an environment, an argument, a process title or a log."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from dataspace.cli.supervising import find_process, parties_of
from tests.attacks.forgery import COUNT
from tests.spaces import Space

_PEM = re.compile(rb"PRIVATE KEY-----\s(.+?)\s-----END", re.DOTALL)
_LEAST = 24  # letters of a secret that are looked for: fewer could come about by chance


@pytest.fixture(scope="module")
def space(asked_space: Space) -> Iterator[Space]:
    assert asked_space.query(COUNT).code == 0
    yield asked_space


def secrets_of(home: Path) -> set[bytes]:
    """Every private key and other secret of a space's parties, in the forms it could leak in."""
    found: set[bytes] = set()
    for file in home.rglob("*"):
        if not file.is_file() or file.is_symlink():
            continue
        data = file.read_bytes() if file.suffix in {".key", ".secret"} else b""
        for body in _PEM.findall(data):
            # Of the first line the end: private whatever the kind of key. What follows in one of
            # P-256 is its public key, which a certificate shows as well.
            found |= {body[64 - _LEAST : 64], *_raw(data)}
        if data and b"PRIVATE KEY" not in data:
            found |= _forms(data)
    return found


def _raw(pem: bytes) -> set[bytes]:
    key = load_pem_private_key(pem, None)
    try:
        raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    except (ValueError, TypeError):
        numbers = key.private_numbers()  # type: ignore[union-attr]  # P-256: the rest has raw bytes
        value: int = numbers.private_value  # type: ignore[union-attr]
        raw = value.to_bytes(32, "big")
    return _forms(raw)


def _forms(raw: bytes) -> set[bytes]:
    raw = raw[:64]
    return {raw, raw.hex().encode(), base64.b64encode(raw)[:-4], base64.urlsafe_b64encode(raw)[:-4]}


def told(process: psutil.Process) -> bytes:
    """What anybody may list of a process, and what its own user may: /proc/PID."""
    folder = Path("/proc") / str(process.pid)
    files = ("environ", "cmdline", "comm", "status")
    threads = b"".join((each / "comm").read_bytes() for each in (folder / "task").iterdir())
    return b"\n".join((folder / name).read_bytes() for name in files) + threads


def all_processes(space: Space) -> list[psutil.Process]:
    found = [find_process(space.home, party) for party in parties_of(space.home)]
    own = [each for each in found if each is not None]
    assert len(own) == len(found)
    return [*own, *(child for each in own for child in each.children(recursive=True))]


def leaks(text: bytes, secrets: set[bytes]) -> list[bytes]:
    return [each[:6] + b"..." for each in secrets if each in text]


def test_processes_tell_no_secret(space: Space) -> None:
    secrets = secrets_of(space.home)
    assert len(secrets) > 200
    for process in all_processes(space):
        text = told(process)
        assert b"--home" in text or process.ppid() != 1
        assert not leaks(text, secrets)
        assert b"PRIVATE KEY" not in text


def test_logs_and_run_files_tell_no_secret(space: Space) -> None:
    secrets = secrets_of(space.home)
    read = 0
    for party in parties_of(space.home):
        for file in (space.home / party / "run").iterdir():
            if file.is_file():
                read += 1
                assert not leaks(file.read_bytes(), secrets), file.name
                assert b"PRIVATE KEY" not in file.read_bytes()
    assert read > 20


def test_what_the_broker_serves_and_keeps_of_others_holds_no_secret_of_theirs(space: Space) -> None:
    others = secrets_of(space.home) - secrets_of(space.home / "broker")
    for file in (space.home / "broker").rglob("*"):
        if file.is_file():
            assert not leaks(file.read_bytes(), others), file


def test_a_secret_would_be_found_where_it_is_looked_for(space: Space) -> None:
    key = (space.home / "macao/keys/signing.key").read_bytes()
    secrets = secrets_of(space.home)
    assert leaks(b"x" + key, secrets)
    assert leaks(next(iter(_raw(key))), secrets)
