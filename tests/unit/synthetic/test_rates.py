"""Rates and correlations are such as a clinician would expect."""

from __future__ import annotations

import datetime
from collections import Counter, defaultdict

import pytest

from dataspace.synthetic import REFERENCE_DATE, REGIONS, SyntheticSpace


def _with(space: SyntheticSpace, region: str, category: str) -> set[str]:
    table = space.tables[region]["conditions"]
    rows = zip(table["patient_id"].to_pylist(), table["category"].to_pylist(), strict=True)
    return {patient for patient, found in rows if found == category}


def _ages(space: SyntheticSpace, region: str) -> dict[str, int]:
    table = space.tables[region]["patients"]
    return dict(zip(table["patient_id"].to_pylist(), table["age"].to_pylist(), strict=True))


def _rate(space: SyntheticSpace, category: str, low: int, high: int) -> float:
    ill = people = 0
    for region in REGIONS:
        inside = {p for p, age in _ages(space, region).items() if low <= age < high}
        people += len(inside)
        ill += len(inside & _with(space, region, category))
    return ill / people


def _mean(space: SyntheticSpace, loinc: str, ill: bool, category: str) -> float:
    values: list[float] = []
    for region in REGIONS:
        having = _with(space, region, category)
        table = space.tables[region]["observations"].select(["patient_id", "loinc", "value"])
        columns = (table[name].to_pylist() for name in table.column_names)
        values += [
            value
            for patient, code, value in zip(*columns, strict=True)
            if code == loinc and (patient in having) is ill
        ]
    return sum(values) / len(values)


@pytest.mark.parametrize("category", ["diabetes", "hypertension", "heart_disease", "cancer"])
def test_rates_of_chronic_illness_rise_with_age(space: SyntheticSpace, category: str) -> None:
    young, middle, old = (_rate(space, category, *ages) for ages in ((0, 30), (40, 60), (65, 120)))
    assert young < middle < old


def test_diabetes_is_as_common_as_surveys_say(space: SyntheticSpace) -> None:
    assert _rate(space, "diabetes", 0, 20) < 0.01
    assert 0.04 < _rate(space, "diabetes", 40, 60) < 0.16
    assert 0.15 < _rate(space, "diabetes", 65, 120) < 0.30


def test_every_illness_occurs_in_every_region(space: SyntheticSpace) -> None:
    for region in REGIONS:
        found = Counter(space.tables[region]["conditions"]["category"].to_pylist())
        assert len(found) == 18
        assert found["hiv"] < found["asthma"] < found["hypertension"]


def test_metformin_is_for_diabetes(space: SyntheticSpace) -> None:
    for region in REGIONS:
        table = space.tables[region]["medications"]
        rows = zip(table["patient_id"].to_pylist(), table["atc"].to_pylist(), strict=True)
        taking = {patient for patient, atc in rows if atc == "A10BA02"}
        diabetes = _with(space, region, "diabetes")
        assert taking <= diabetes
        assert 0.6 < len(taking) / len(diabetes) < 0.85


@pytest.mark.parametrize(
    ("loinc", "category", "least"),
    [
        ("4548-4", "diabetes", 1.5),
        ("14749-6", "diabetes", 2.0),
        ("8480-6", "hypertension", 10.0),
        ("14682-9", "kidney_disease", 40.0),
    ],
)
def test_illness_shows_in_measurements(
    space: SyntheticSpace, loinc: str, category: str, least: float
) -> None:
    assert _mean(space, loinc, True, category) - _mean(space, loinc, False, category) > least


def test_hong_kong_is_older_and_encounters_rise_with_age(space: SyntheticSpace) -> None:
    mean = {r: sum(_ages(space, r).values()) / len(_ages(space, r)) for r in REGIONS}
    assert mean["guangzhou"] < mean["macao"] < mean["hongkong"]
    for region in REGIONS:
        ages = _ages(space, region)
        seen = Counter(space.tables[region]["encounters"]["patient_id"].to_pylist())
        by_age: dict[bool, list[int]] = defaultdict(list)
        for patient, age in ages.items():
            if age >= 20:
                by_age[age >= 65].append(seen[patient])
        young, old = (sum(by_age[is_old]) / len(by_age[is_old]) for is_old in (False, True))
        assert young < old


def test_only_inpatients_stay(space: SyntheticSpace) -> None:
    for region in REGIONS:
        table = space.tables[region]["encounters"]
        rows = zip(table["class"].to_pylist(), table["length_days"].to_pylist(), strict=True)
        assert all((kind == "IMP") is (days > 0) for kind, days in rows)


def test_the_genetic_marker_is_rare_and_present(space: SyntheticSpace) -> None:
    for region in REGIONS:
        marks = space.tables[region]["conditions"]["brca"].to_pylist()
        assert 0 < sum(marks) < 0.03 * len(marks)


def test_some_illnesses_are_unknown_where_a_patient_only_visits(space: SyntheticSpace) -> None:
    human = {row["patient_id"]: row["human_id"] for row in space.truth.to_pylist()}
    having = [{human[p] for p in _with(space, region, "hypertension")} for region in REGIONS[:2]]
    people = [
        {human[p] for p in space.tables[region]["patients"]["patient_id"].to_pylist()}
        for region in REGIONS[:2]
    ]
    both = people[0] & people[1]
    agreed, either = having[0] & having[1] & both, (having[0] | having[1]) & both
    assert 0.5 < len(agreed) / len(either) < 0.9


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("conditions", "onset_date"),
        ("medications", "start_date"),
        ("allergies", "noted_on"),
        ("immunizations", "given_on"),
        ("observations", "taken_on"),
        ("encounters", "started_on"),
    ],
)
def test_nothing_happens_before_birth_or_after_the_reference_date(
    space: SyntheticSpace, table: str, column: str
) -> None:
    for region in REGIONS:
        patients = space.tables[region]["patients"]
        ids, births = patients["patient_id"].to_pylist(), patients["birth_date"].to_pylist()
        born: dict[str, datetime.date] = dict(zip(ids, births, strict=True))
        rows = space.tables[region][table]
        for patient, day in zip(
            rows["patient_id"].to_pylist(), rows[column].to_pylist(), strict=True
        ):
            assert born[patient] <= day < REFERENCE_DATE


def test_age_is_counted_on_the_reference_date(space: SyntheticSpace) -> None:
    for region in REGIONS:
        for row in (
            space.tables[region]["patients"].select(["birth_date", "age", "age_band"]).to_pylist()
        ):
            born = row["birth_date"]
            before = (REFERENCE_DATE.month, REFERENCE_DATE.day) < (born.month, born.day)
            assert row["age"] == REFERENCE_DATE.year - born.year - before
            band = min(row["age"] // 10, 8) * 10
            assert row["age_band"] == ("80+" if band == 80 else f"{band}-{band + 9}")
