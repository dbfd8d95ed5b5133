"""Files of patients: what is read, what is refused, and going on where it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.cli.patient_files import _answered, read_patients
from dataspace.errors import Malformed

HEAD = "line,region,answer,rule,message\n"
BOTH = ("guangzhou", "hongkong")


def read(tmp_path: Path, text: str) -> list[tuple[int, str, str]]:
    file = tmp_path / "patients"
    file.write_text(text)
    return [(line, each.kind, each.number) for line, each in read_patients(file)]


def test_one_document_a_line(tmp_path: Path) -> None:
    assert read(tmp_path, "hkid:A123456(3)\n\n HKID: a1234563 \nbir:51234567\n") == [
        (1, "hkid", "A1234563"), (3, "hkid", "A1234563"), (4, "bir", "51234567"),
    ]  # fmt: skip


def test_columns_of_csv_in_any_order(tmp_path: Path) -> None:
    text = "\ufeffname,Number,kind\nx,A123456(3),hkid\n\n,51234567,bir\n"
    assert read(tmp_path, text) == [(2, "hkid", "A1234563"), (4, "bir", "51234567")]


@pytest.mark.parametrize(
    "text", ["hkid:A123456(4)", "A123456(3)", "iris:A123456(3)", "kind,number\nhkid\n"]
)
def test_a_line_that_is_none_is_named_by_its_number_alone(tmp_path: Path, text: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(tmp_path, "bir:51234567\n" + text if "," not in text else text)
    assert "line 2" in caught.value.message
    assert "123456" not in caught.value.message


def test_a_file_that_is_not_there_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(Malformed):
        read_patients(tmp_path / "nothing")


def test_answers_go_on_after_the_last_line_that_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    assert _answered(file, BOTH) == 0
    whole = HEAD + "1,guangzhou,no,r,\n1,hongkong,yes,r,\n2,guangzhou,no,r,\n2,hongkong,no,r,\n"
    for cut in ("", "3,guangzhou,no,r,\n", "3,guangzhou,no,r,\n3,hongk"):
        file.write_text(whole + cut)
        assert _answered(file, BOTH) == 2
        assert file.read_text().splitlines() == whole.splitlines()


def test_another_file_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "thesis.txt"
    file.write_text("chapter one\n")
    with pytest.raises(Malformed):
        _answered(file, BOTH)
    assert file.read_text() == "chapter one\n"
