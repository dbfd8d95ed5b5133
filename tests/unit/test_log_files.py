"""`gba audit verify --log`, `proof` and `check-proof`, as a regulator with keys alone uses them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataspace.audit.checkpoints import Checkpoint, sign_checkpoint
from dataspace.audit.notes import parse_note, verifier_key
from dataspace.audit.quorum import Quorum
from dataspace.audit.reader import COSIGNED
from dataspace.cli.main import app
from tests.unit.audit.cosigners import GUANGZHOU, MACAO, WITNESSES, cosigned
from tests.unit.audit.foreign import root_of, write_foreign
from tests.unit.audit.samples import KEY, ORIGIN, OTHER_PRIVATE_KEY, PRIVATE_KEY, entry
from tests.unit.audit.served import serving

ENTRIES = [entry(number) for number in range(300)]
WITNESS_OPTIONS = [
    text
    for witness in WITNESSES.values()
    for key in witness.vkeys
    for text in ("--witness", key.to_text())
]


@dataclass(frozen=True)
class Ran:
    """What a command said."""

    code: int
    out: str
    error: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(*arguments: object) -> Ran:
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    lines = result.stderr.strip().split("\n")
    return Ran(result.exit_code, result.stdout, json.loads(lines[-1]) if result.exit_code else {})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write_foreign(tmp_path / "log", ENTRIES)
    (tmp_path / "log" / COSIGNED).write_text(
        cosigned(280, root_of(ENTRIES[:280]), GUANGZHOU, MACAO)
    )
    return tmp_path / "log"


def verify(log: object, *more: object, key: str = KEY.to_text()) -> Ran:
    return run("verify", "--log", log, "--key", key, "--format", "json", *more)


def test_a_log_verifies_with_its_key_alone(log: Path) -> None:
    (found,) = verify(log).json["logs"]
    assert found == {
        "owner": "", "origin": ORIGIN, "verified": True, "size": 300,
        "root": root_of(ENTRIES).hex(), "reason": "", "entries": "hashed",
        "entries_checked": 300, "cosigned": None,
    }  # fmt: skip


def test_a_log_verifies_over_http_as_on_disk(log: Path) -> None:
    with serving(log) as served:
        assert verify(served.prefix).json == verify(log).json
        assert verify(served.prefix, "--no-entries", *WITNESS_OPTIONS, "--quorum", 2).code == 0
        assert not any("entries" in path for path in served.asked[-6:])


def test_a_public_copy_without_entries_verifies_and_says_so(log: Path) -> None:
    shutil.rmtree(log / "tile/entries")
    assert verify(log).code == 6
    (found,) = verify(log, "--no-entries").json["logs"]
    assert (found["entries"], found["entries_checked"], found["size"]) == ("absent", 0, 300)
    told = run("verify", "--log", log, "--key", KEY.to_text(), "--no-entries")
    assert "no entry was read" in told.out


def test_a_changed_log_exits_6_and_says_where(log: Path) -> None:
    file = log / "tile/0/001.p/44"
    file.write_bytes(bytes(32) + file.read_bytes()[32:])
    ran = verify(log)
    assert (ran.code, ran.error["code"]) == (6, "tile-hash")
    (found,) = ran.json["logs"]
    assert (found["verified"], "hash 256" in found["reason"]) == (False, True)


def test_enough_of_the_witnesses_given_must_have_cosigned(log: Path) -> None:
    ran = verify(log, *WITNESS_OPTIONS, "--quorum", 2)
    (found,) = ran.json["logs"]
    assert found["cosigned"]["size"] == 280
    assert found["cosigned"]["by"] == sorted([GUANGZHOU.name, MACAO.name])
    for more in ([], ["--quorum", 3]):  # without --quorum: all of them
        ran = verify(log, *WITNESS_OPTIONS, *more)
        assert (ran.code, ran.error["code"]) == (6, "not-cosigned")
    ran = verify(log, *WITNESS_OPTIONS, "--quorum", 4)
    assert (ran.code, ran.error["code"]) == (3, "quorum")


def test_a_log_that_does_not_extend_what_was_cosigned_exits_6(log: Path) -> None:
    (log / COSIGNED).write_text(cosigned(280, root_of(ENTRIES[1:281]), GUANGZHOU, MACAO))
    ran = verify(log, *WITNESS_OPTIONS, "--quorum", 2)
    assert (ran.code, ran.error["code"]) == (6, "log-rewritten")


def test_a_log_that_does_not_extend_what_was_seen_exits_6(log: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    seen.write_text(write_foreign(tmp_path / "before", ENTRIES[:40]))
    assert verify(log, "--seen", seen).code == 0
    seen.write_text(write_foreign(tmp_path / "other", ENTRIES[1:41]))
    ran = verify(log, "--seen", seen)
    assert (ran.code, ran.error["code"]) == (6, "log-rewritten")
    seen.write_text(sign_checkpoint(Checkpoint(ORIGIN, 301, bytes(32)), PRIVATE_KEY))
    assert verify(log, "--seen", seen).error["code"] == "log-truncated"
    seen.write_text(sign_checkpoint(Checkpoint(ORIGIN, 9, bytes(32)), OTHER_PRIVATE_KEY))
    assert verify(log, "--seen", seen).error["code"] == "note-unsigned"


def test_entries_are_held_against_the_spaces_form_on_request(log: Path, tmp_path: Path) -> None:
    assert verify(log, "--entries", "canonical").code == 0
    write_foreign(tmp_path / "other", [b"any", b"bytes"])
    assert verify(tmp_path / "other").code == 0
    assert verify(tmp_path / "other", "--entries", "canonical").error["code"] == "entry"


def test_keys_are_read_from_files(log: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY.to_text() + "\n")
    both = [key.to_text() for witness in (GUANGZHOU, MACAO) for key in witness.vkeys]
    (tmp_path / "witnesses").write_text("\n".join(both))
    ran = verify(log, "--witness", f"@{tmp_path}/witnesses", key=f"@{tmp_path}/key")
    assert ran.code == 0
    (tmp_path / "key").write_text("\n".join(both))
    assert verify(log, key=f"@{tmp_path}/key").error["code"] == "no-key"
    assert verify(log, key=f"@{tmp_path}/none").error["code"] == "file"


def test_a_key_of_an_unsupported_type_is_named(log: Path) -> None:
    # A key of type 0x05, as static-ct logs have.
    key = "rome.ct.example.com+e4b4b6a1+BQ=="
    ran = verify(log, key=key)
    assert ran.code == 6
    assert "0x05" in ran.error["message"]
    assert "static-ct" in ran.error["message"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "--key", KEY.to_text()], 3),
        (["verify", "--no-entries"], 3),
        (["verify", "--entries", "canonical"], 3),
        (["verify", "--log", "/nowhere", "--key", KEY.to_text()], 3),
        (["verify", "--log", "ftp://host/log", "--key", KEY.to_text()], 3),
        (["verify", "--log", "http://user@host/log", "--key", KEY.to_text()], 3),
        (["verify", "--log", "."], 3),
        (["verify", "--log", ".", "--key", "no key"], 6),
        (["verify", "--log", ".", "--key", KEY.to_text(), "--quorum", "1"], 3),
        (["verify", "--log", ".", "--key", KEY.to_text()], 6),
        (["verify", "--log", "http://127.0.0.1:9/log", "--key", KEY.to_text()], 5),
        (["proof", "--log", "/nowhere", "--index", "0"], 3),
        (["check-proof", "/nowhere", "--entry", "/nowhere", "--key", KEY.to_text()], 3),
    ],
)
def test_what_cannot_be_done_says_so(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments, "--format", "json")
    assert (ran.code, bool(ran.error["message"])) == (code, True)


@pytest.mark.parametrize("index", [0, 255, 256, 279])
def test_a_proof_is_written_and_checked_with_keys_alone(
    log: Path, tmp_path: Path, index: int
) -> None:
    file, data = tmp_path / "it.tlog-proof", tmp_path / "entry"
    wrote = run("proof", "--log", log, "--index", index, "--out", file, "--entry", data)
    assert (wrote.code, data.read_bytes()) == (0, ENTRIES[index])
    checked = run("check-proof", file, "--entry", data, "--key", KEY.to_text(),
                  *WITNESS_OPTIONS, "--quorum", 2, "--format", "json")  # fmt: skip
    assert (checked.json["index"], checked.json["size"]) == (index, 280)
    assert checked.json["cosigned"]["by"] == sorted([GUANGZHOU.name, MACAO.name])
    data.write_bytes(ENTRIES[index + 1])
    assert run("check-proof", file, "--entry", data, "--key", KEY.to_text()).code == 6


def test_an_entry_that_is_not_cosigned_yet_is_proved_under_the_owners_word(
    log: Path, tmp_path: Path
) -> None:
    file, data = tmp_path / "it.tlog-proof", tmp_path / "entry"
    file.write_text(run("proof", "--log", log, "--index", 290, "--entry", data).out)
    told = run("check-proof", file, "--entry", data, "--key", KEY.to_text())
    assert "the owner's signature alone" in told.out
    refused = run("check-proof", file, "--entry", data, "--key", KEY.to_text(), *WITNESS_OPTIONS)
    assert (refused.code, refused.error["code"]) == (6, "not-cosigned")
    assert run("proof", "--log", log, "--index", 300).error["code"] == "entry-index"


def test_a_proof_is_of_the_log_whose_key_is_given(log: Path, tmp_path: Path) -> None:
    other = verifier_key(ORIGIN, OTHER_PRIVATE_KEY).to_text()
    assert run("proof", "--log", log, "--index", 3, "--key", other).error["code"] == "note-unsigned"
    file, data = tmp_path / "it.tlog-proof", tmp_path / "entry"
    run("proof", "--log", log, "--index", 3, "--out", file, "--entry", data)
    refused = run("check-proof", file, "--entry", data, "--key", other)
    assert refused.error["code"] == "note-unsigned"


def test_a_log_whose_tiles_are_changed_gives_no_proof(log: Path) -> None:
    for path in ("tile/0/000", "tile/entries/000"):
        data = (log / path).read_bytes()
        (log / path).write_bytes(data[:5] + bytes([data[5] ^ 1]) + data[6:])
        assert run("proof", "--log", log, "--index", 0, "--entry", log / "out").code == 6
        (log / path).write_bytes(data)


def test_the_vectors_of_this_test_are_a_quorum() -> None:
    note = cosigned(280, root_of(ENTRIES[:280]), GUANGZHOU, MACAO)
    keys = [key for witness in (GUANGZHOU, MACAO) for key in witness.vkeys]
    assert Quorum.of_witnesses(KEY, keys, 2).check(note).size == 280
    assert len(parse_note(note).signatures) == 5
