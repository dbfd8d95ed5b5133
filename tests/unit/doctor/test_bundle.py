"""What a report holds of a log line: what is on the list, in its form, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dataspace.doctor.bundle import Redaction, scrub, write_report
from dataspace.doctor.findings import Examined, Finding, Level, failure
from dataspace.errors import Malformed, Unavailable

NAME = "Chan Tai Man"


def test_a_line_of_codes_is_kept() -> None:
    line = {"event": "query.released", "request": "9123b3f9d195f286", "entry": 7, "ms": 1.5}
    assert scrub(json.dumps(line).encode()) == line


@pytest.mark.parametrize(
    "line",
    [
        {"event": NAME},
        {"event": "x", "reason": NAME},
        {"event": "x", "message": NAME, "why": NAME},
        {"event": "x", "code": f"gba://hongkong/hospital/clinician/{NAME.replace(' ', '-')}"},
        {"event": "x", "rule": "陳大文"},
        {"event": "x", "regions": [NAME, {"a": NAME}]},
        {"event": {"nested": NAME}},
        {NAME: 1},
    ],
)
def test_nothing_else_is(line: dict[str, object]) -> None:
    shown = json.dumps(scrub(json.dumps(line).encode()), ensure_ascii=False)
    assert not any(part in shown for part in (NAME, NAME.replace(" ", "-"), "陳大文"))


@pytest.mark.parametrize(
    "line", [f"Traceback: {NAME}".encode(), b"\xff\xfe", b"[1]", b"{" * 5000, f'"{NAME}"'.encode()]
)
def test_what_is_no_line_of_ours_shows_its_length_alone(line: bytes) -> None:
    assert scrub(line) == {"removed": len(line)}


def test_a_message_says_neither_where_nor_who(tmp_path: Path) -> None:
    redact = Redaction.of(tmp_path / "chan-tai-man")
    text = redact(f"{tmp_path}/chan-tai-man/keys/tls.key of gba://macao/h/clinician/chan; mend it")
    assert text == "HOME/keys/tls.key of gba://[removed]; mend it"


def test_a_report_overwrites_nothing(tmp_path: Path) -> None:
    file = tmp_path / "report.zip"
    file.write_text("precious")
    with pytest.raises(Malformed, match="there already"):
        write_report(file, tmp_path, [], [])
    assert file.read_text() == "precious"


def test_a_report_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written"):
        write_report(tmp_path / "absent" / "report.zip", tmp_path, [], [])


def test_a_report_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "report.zip"
    found = Examined("macao", "node", (failure("disk", "disk-full", "full", "free space"),))
    write_report(file, tmp_path, [], [found])
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_finding_that_is_not_well_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="nothing to do"):
        Finding("disk", Level.WARNING, "disk-little", "little is left")
