from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import commitment
from dataspace.errors import Malformed, Unavailable, Unverified

SALT = bytes(range(32))


def test_a_body_is_found_by_the_commitment_that_its_entry_holds(tmp_path: Path) -> None:
    key = BodyStore(tmp_path / "bodies").put(b"select 1", SALT)
    assert key == commitment(SALT, b"select 1").hex()
    assert BodyStore(tmp_path / "bodies").get(key) == b"select 1"


def test_an_erased_body_leaves_neither_text_nor_salt(tmp_path: Path) -> None:
    bodies = BodyStore(tmp_path)
    key = bodies.put(b"select 1", SALT)
    assert bodies.erase(key)
    assert bodies.get(key) is None
    assert not bodies.erase(key)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == []


def test_a_changed_body_is_refused(tmp_path: Path) -> None:
    bodies = BodyStore(tmp_path)
    key = bodies.put(b"select 1", SALT)
    (file,) = (each for each in tmp_path.rglob("*") if each.is_file())
    for data in (SALT + b"select 2", SALT[:5], b""):
        file.write_bytes(data)
        with pytest.raises(Unverified):
            bodies.get(key)


def test_a_body_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    BodyStore(tmp_path).put(b"select 1", SALT)
    (file,) = (each for each in tmp_path.rglob("*") if each.is_file())
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("key", ["", "../../etc/passwd", "0" * 63, "A" * 64, "0" * 64 + "\n"])
def test_a_key_that_is_no_commitment_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(Malformed):
        BodyStore(tmp_path).get(key)


def test_a_body_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    bodies = BodyStore(tmp_path)
    key = commitment(SALT, b"select 1").hex()
    (tmp_path / key[:2] / key / "in the way").mkdir(parents=True)
    with pytest.raises(Unavailable):
        bodies.put(b"select 1", SALT)
