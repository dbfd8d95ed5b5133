"""Loading data: what is wrong is named by row and column, never by its value."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataspace.errors import Malformed
from tests.unit.node.samples import HEADER, ROWS, TRIAL, csv, draft, load

SECRET = "Zebra77"


def refused(folder: Path, files: list[Path], text: str = TRIAL) -> Malformed:
    with pytest.raises(Malformed) as caught:
        load(folder, files, text)
    assert SECRET not in caught.value.message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def rows(folder: Path) -> list[Any]:
    with duckdb.connect(str(draft(folder).database), read_only=True) as opened:
        return opened.execute('SELECT * FROM offered."offer:trial" ORDER BY person').fetchall()


def test_a_csv_file_is_loaded_with_the_types_of_the_product(tmp_path: Path) -> None:
    assert load(tmp_path, [csv(tmp_path)]) == 30
    assert rows(tmp_path)[0] == ("p0", "F", 0, datetime.date(2020, 1, 1), 20.0)
    assert (draft(tmp_path).path / "products/trial.yaml").read_bytes() == TRIAL.encode()


def test_several_files_are_one_table_and_a_new_load_replaces_it(tmp_path: Path) -> None:
    second = csv(tmp_path, "q1,F,1,2020-02-02,33\n", name="second.csv")
    assert load(tmp_path, [csv(tmp_path), second]) == 31
    assert load(tmp_path, [second]) == 1


def test_empty_fields_are_null_but_never_a_subject(tmp_path: Path) -> None:
    assert load(tmp_path, [csv(tmp_path, "p1,,,,\np2,NA,NA,NA,NA\n")]) == 2
    assert rows(tmp_path)[0] == ("p1", None, None, None, None)
    error = refused(
        tmp_path, [csv(tmp_path, f"p1,F,1,2020-01-01,3\n,F,1,2020-01-01,{SECRET[-2:]}\n")]
    )
    assert "row 2, column pidnum has no subject" in error.message


def test_a_file_of_text_columns_alone_keeps_its_header(tmp_path: Path) -> None:
    text = TRIAL.split("columns:")[0] + "columns:\n  sex: {type: varchar, role: dimension}\n"
    assert load(tmp_path, [csv(tmp_path, "a,F\nb,M\n", "pidnum,sex\n")], text) == 2
    assert rows(tmp_path) == [("a", "F"), ("b", "M")]


@pytest.mark.parametrize(
    ("column", "bad"), [("age", SECRET), ("arm", SECRET), ("arm", "1.5"), ("since", "2020-02-30")]
)
def test_a_bad_value_far_down_is_named_by_row_and_column(
    tmp_path: Path, column: str, bad: str
) -> None:
    good = {"pidnum": "p1", "sex": "F", "arm": "1", "since": "2020-01-01", "age": "40"}
    line = ",".join(good.values()) + "\n"
    wrong = ",".join((good | {column: bad}).values()) + "\n"
    error = refused(tmp_path, [csv(tmp_path, line * 10_000 + wrong + line * 100)])
    assert error.code == "data-value"
    assert "row 10001," in error.message
    assert f"column {column}" in error.message
    assert bad not in error.message


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        (f"p1,{SECRET},1,2020-01-01,40", "sex", "declared levels"),
        ("p1,F,77,2020-01-01,40", "arm", "declared levels"),
        ("p1,F,1,2020-01-01,121", "age", "declared bounds"),
        ("p1,F,1,2020-01-01,-0.5", "age", "declared bounds"),
        ("p1,F,1,2020-01-01,inf", "age", "not finite"),
        ("p1,F,1,2020-01-01,nan", "age", "not finite"),
    ],
)
def test_a_value_that_the_product_does_not_declare_is_named_by_row_and_column(
    tmp_path: Path, row: str, column: str, what: str
) -> None:
    error = refused(tmp_path, [csv(tmp_path, ROWS + row + "\n")])
    assert f"row 31, column {column}" in error.message
    assert what in error.message


def test_a_json_value_far_down_is_named_by_row_and_column(tmp_path: Path) -> None:
    good = {"pidnum": "p1", "sex": "F", "arm": 1, "since": "2020-01-01", "age": 40.5}
    for column, bad in (("age", SECRET), ("arm", 1.5), ("since", SECRET)):
        file = tmp_path / "trial.ndjson"
        rows = [good] * 30_000 + [good | {column: bad}]
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        error = refused(tmp_path, [file])
        assert f"row 30001, column {column}" in error.message
        assert str(bad) not in error.message


def test_a_row_with_a_field_too_many_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path, [csv(tmp_path, ROWS + f"p1,F,1,2020-01-01,40,{SECRET}\n")])
    assert "row 31 has more fields than the header" in error.message


def test_a_further_file_that_lacks_a_column_is_refused(tmp_path: Path) -> None:
    second = tmp_path / "second.csv"
    second.write_text("pidnum,sex,arm,since\np1,F,1,2020-01-01\n")
    error = refused(tmp_path, [csv(tmp_path, ROWS), second])
    assert "second.csv: column age is not in all of the files" in error.message


def test_a_column_called_n_is_checked_as_any_other(tmp_path: Path) -> None:
    text = TRIAL.replace("age:", "n:").replace("age ", "n ")
    body = ROWS + "p1,F,1,2020-01-01,121\n"
    file = csv(tmp_path, body)
    file.write_text(file.read_text().replace("age", "n", 1))
    error = refused(tmp_path, [file], text)
    assert "row 31, column n" in error.message


def test_a_number_so_large_that_sums_would_run_over_is_refused(tmp_path: Path) -> None:
    text = TRIAL.replace(", bounds: [0, 120]", "")
    error = refused(tmp_path, [csv(tmp_path, ROWS + "p1,F,1,2020-01-01,1e200\n")], text)
    assert "row 31, column age" in error.message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (HEADER + "p1,F,1\n", "row 1"),
        (HEADER + "p1,F,1,2020-01-01,40,more\n" + ROWS, "row 1"),
        ("pidnum,sex,arm,since\np1,F,1,2020-01-01\n", "no column age"),
        ("sex,arm,since,age\nF,1,2020-01-01,40\n", "no column pidnum"),
        ("", "cannot be read"),
    ],
)
def test_a_file_without_the_form_of_the_product_is_refused(
    tmp_path: Path, content: str, what: str
) -> None:
    error = refused(tmp_path, [csv(tmp_path, content, "")])
    assert what in error.message or error.code in {"data-file", "data-value", "product-column"}


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes(HEADER.encode() + b"p1,\xff\xfe,1,2020-01-01,40\n" + ROWS.encode())
    refused(tmp_path, [file])
    for name in ("x.ndjson", "x.parquet", "x.json"):
        other = tmp_path / name
        other.write_bytes(b'{"resourceType": "Patient", "id": "\xff\xfe' + SECRET.encode() + b'"}')
        refused(tmp_path, [other])


@pytest.mark.parametrize("name", ["missing.csv", "x.txt", "x.xlsx"])
def test_a_file_that_is_absent_or_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    if not name.startswith("missing"):
        (tmp_path / name).write_text(SECRET)
    assert refused(tmp_path, [tmp_path / name]).code == "data-file"


def _table(**changes: pa.Array) -> pa.Table:
    columns = {
        "pidnum": pa.array(["p1", "p2"]),
        "sex": pa.array(["F", None]),
        "arm": pa.array([1, 2]),
        "since": pa.array([datetime.date(2020, 1, 1), None]),
        "age": pa.array([40.5, None]),
    }
    return pa.table(columns | changes)


def test_parquet_and_ndjson_are_loaded(tmp_path: Path) -> None:
    pq.write_table(_table(), tmp_path / "trial.parquet")
    assert load(tmp_path, [tmp_path / "trial.parquet"]) == 2
    lines = [{"pidnum": "p1", "sex": "F", "arm": 1, "since": "2020-01-01", "age": 40.5}] * 2
    file = tmp_path / "trial.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert load(tmp_path, [file]) == 2
    assert rows(tmp_path)[0] == ("p1", "F", 1, datetime.date(2020, 1, 1), 40.5)


def test_a_column_of_the_wrong_type_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "trial.parquet"
    pq.write_table(_table(arm=pa.array([SECRET, SECRET])), file)
    error = refused(tmp_path, [file])
    assert error.code == "product-type"
    assert "column arm is VARCHAR in the data and integer in the product file" in error.message


def test_broken_ndjson_is_refused_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "trial.ndjson"
    file.write_text('{"pidnum": "p1"}\n{"pidnum": ' + SECRET + "\n")
    assert refused(tmp_path, [file]).code == "data-value"


@pytest.mark.parametrize(
    "source",
    [
        "select 1; drop table trial",
        "select * from trial) ; drop table trial; select * from (select 1",
        "select * from trial) union all select * from (select * from trial",
        "drop table trial",
        "create table x as select 1",
        "copy trial to 'x.csv'",
        f"select {SECRET} from trial",
        "select * from nothing",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd'",
        "select * from product",
        "select * fro trial",
    ],
)
def test_a_source_is_one_select_over_local_tables(tmp_path: Path, source: str) -> None:
    text = TRIAL.replace("source: select * from trial", f"source: {json.dumps(source)}")
    assert refused(tmp_path, [csv(tmp_path)], text).code in {"product-source", "product-column"}
    with duckdb.connect(str(draft(tmp_path).database), read_only=True) as opened:
        assert opened.execute("select count(*) from trial").fetchone() == (30,)


@pytest.mark.parametrize("source", ["select * from trial -- all", "select * from trial;"])
def test_a_source_may_end_in_a_comment_or_a_semicolon(tmp_path: Path, source: str) -> None:
    text = TRIAL.replace("source: select * from trial", f"source: {json.dumps(source)}")
    assert load(tmp_path, [csv(tmp_path)], text) == 30


def test_a_load_that_would_break_another_product_is_refused(tmp_path: Path) -> None:
    load(tmp_path, [csv(tmp_path)])
    other = (
        "product: arms\ntitle: {en: Arms}\nsource: select * from trial\nsubject: pidnum\n"
        "columns:\n  arm: {type: integer, role: dimension}\n"
    )
    load(tmp_path, [], other)
    without = TRIAL.replace("  arm: {type: integer, role: dimension, levels: [0, 1, 2]}\n", "")
    file = csv(tmp_path, "p1,F,2020-01-01,40\n", "pidnum,sex,since,age\n")
    error = refused(tmp_path, [file], without)
    assert "break arms" in error.message


PATIENT = """\
product: patients
title: {en: Patients}
source: select * from patients
subject: id
columns:
  gender: {type: varchar, role: dimension}
  birth_date: {type: date, role: measure}
"""
CONDITION = """\
product: conditions
title: {en: Conditions}
source: select * from conditions
subject: patient
columns:
  code: {type: varchar, role: dimension}
  date: {type: date, role: dimension}
"""


def test_fhir_bundles_and_lines_are_loaded(tmp_path: Path) -> None:
    patients = [
        {"resourceType": "Patient", "id": f"p{n}", "gender": "female",
         "identifier": [{"system": "http://example/hkid", "value": n}]}
        for n in range(3)
    ]  # fmt: skip
    bundle = tmp_path / "patients.json"
    bundle.write_text(
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": each} for each in patients]})
    )
    # No patient has a birth date: the column is there, and empty.
    assert (
        load(tmp_path, [bundle], PATIENT.replace("  birth_date: {type: date, role: measure}\n", ""))
        == 3
    )
    patients[0]["birthDate"] = "1980-05-17"
    lines = tmp_path / "patients.ndjson"
    lines.write_text("".join(json.dumps(each) + "\n" for each in patients))
    assert load(tmp_path, [lines], PATIENT) == 3
    condition = {
        "resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "E11"}]},
    }  # fmt: skip
    file = tmp_path / "conditions.json"
    file.write_text(json.dumps(condition))
    assert load(tmp_path, [file], CONDITION) == 1


@pytest.mark.parametrize(
    "lines",
    [
        [{"resourceType": "Patient"}],
        [{"resourceType": "Patient", "id": "1", "birthDate": SECRET}],
        [{"resourceType": "Patient", "id": "1"}, {"resourceType": "Condition", "id": "2"}],
        [{"resourceType": "Patient", "id": "1"}, {"no": SECRET}],
        [{"resourceType": "Bundle", "entry": [{"resource": SECRET}]}],
        [{"resourceType": "Bundle", "entry": [SECRET]}],
        [{"resourceType": "Bundle", "entry": []}],
        [{"resourceType": "Observation", "id": "1", "valueQuantity": {"value": SECRET}}],
        [{"resourceType": "Patient", "id": "1", "name": SECRET}],
    ],
)
def test_fhir_of_another_form_is_refused_by_its_place(tmp_path: Path, lines: list[Any]) -> None:
    file = tmp_path / "patients.ndjson"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    refused(tmp_path, [file], PATIENT)


def test_fhir_values_of_mixed_types_are_text(tmp_path: Path) -> None:
    file = tmp_path / "patients.ndjson"
    file.write_text(
        '{"resourceType": "Patient", "id": 1, "gender": 2, "identifier": [{"value": 1}]}\n'
        '{"resourceType": "Patient", "id": "b", "gender": "x", "identifier": [{"value": "y"}], '
        '"birthDate": "1980-01-01"}\n'
    )
    assert load(tmp_path, [file], PATIENT) == 2
