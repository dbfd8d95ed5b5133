"""Who is who, and how each region writes it."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from dataspace.synthetic import REGIONS, SyntheticSpace
from dataspace.synthetic.names import GIVEN, SURNAMES

Record = dict[str, Any]


def _humans(space: SyntheticSpace) -> dict[int, dict[str, Record]]:
    rows = {
        (region, row["patient_id"]): row
        for region in REGIONS
        for row in space.tables[region]["patients"].to_pylist()
    }
    humans: dict[int, dict[str, Record]] = defaultdict(dict)
    for known in space.truth.to_pylist():
        humans[known["human_id"]][known["region"]] = rows[known["region"], known["patient_id"]]
    return humans


def _pairs(space: SyntheticSpace) -> list[tuple[str, Record, str, Record]]:
    return [
        (one, known[one], other, known[other])
        for known in _humans(space).values()
        for one in known
        for other in known
        if one < other
    ]


def test_about_six_percent_are_known_in_more_than_one_region(space: SyntheticSpace) -> None:
    humans = _humans(space)
    shared = [known for known in humans.values() if len(known) > 1]
    assert 0.05 < len(shared) / len(humans) < 0.07
    met = Counter(tuple(sorted(known)) for known in shared)
    assert len(met) == 4
    assert max(met, key=lambda where: met[where]) == ("guangzhou", "hongkong")


def test_the_truth_names_every_patient_once(space: SyntheticSpace) -> None:
    assert space.truth.schema.names == ["region", "patient_id", "human_id"]
    rows = [space.tables[region]["patients"].num_rows for region in REGIONS]
    assert space.truth.num_rows == sum(rows)
    ids = space.truth["patient_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    for region in REGIONS:
        assert space.tables[region]["patients"]["patient_id"].null_count == 0


def test_every_row_is_about_a_patient_of_its_region(space: SyntheticSpace) -> None:
    for region in REGIONS:
        patients = set(space.tables[region]["patients"]["patient_id"].to_pylist())
        for table in space.tables[region].values():
            assert set(table["patient_id"].unique().to_pylist()) <= patients


def test_the_order_of_rows_does_not_tell_who_is_shared(space: SyntheticSpace) -> None:
    shared = {human for human, known in _humans(space).items() if len(known) > 1}
    for region in REGIONS:
        rows = [row for row in space.truth.to_pylist() if row["region"] == region]
        half = rows[: len(rows) // 2]
        inside = sum(row["human_id"] in shared for row in half)
        outside = sum(row["human_id"] in shared for row in rows) - inside
        assert 0.75 < inside / outside < 1.33


def test_shared_people_keep_sex_blood_and_mostly_name_and_birth_date(space: SyntheticSpace) -> None:
    pairs = _pairs(space)
    for _, one, _, other in pairs:
        assert (one["sex"], one["blood_type"]) == (other["sex"], other["blood_type"])
    births = sum(one["birth_date"] != other["birth_date"] for _, one, _, other in pairs)
    assert 0.005 < births / len(pairs) < 0.05
    hanzi = [entry for entry in (*SURNAMES, *GIVEN) if entry.simplified != entry.traditional]
    fold = str.maketrans(
        {t: s for e in hanzi for t, s in zip(e.traditional, e.simplified, strict=True)}
    )
    names = sum(
        (one["family"] + one["given"]).translate(fold)
        != (other["family"] + other["given"]).translate(fold)
        for _, one, _, other in pairs
    )
    assert 0.005 < names / len(pairs) < 0.05


def test_most_shared_people_show_a_common_document(space: SyntheticSpace) -> None:
    common = [
        any(one[kind] and one[kind] == other[kind] for kind in ("ric", "hkid", "bir", "mtp"))
        for _, one, _, other in _pairs(space)
    ]
    assert 0.6 < sum(common) / len(common) < 0.95


def test_hong_kong_people_are_in_guangzhou_under_their_permit(space: SyntheticSpace) -> None:
    visitors = [
        row for row in space.tables["guangzhou"]["patients"].to_pylist() if row["ric"] is None
    ]
    assert len(visitors) > 500
    assert all(row["mtp"] for row in visitors)
    assert {bool(row["hkid"]) for row in visitors if row["mtp"][0] == "H"} == {True, False}


def test_each_region_has_its_own_documents(space: SyntheticSpace) -> None:
    for region, kind in zip(REGIONS, ("ric", "hkid", "bir"), strict=True):
        column = space.tables[region]["patients"][kind]
        assert column.null_count < 0.15 * len(column)


def test_scripts_and_romanisations_are_the_regions_own(space: SyntheticSpace) -> None:
    written = {
        region: {
            (row["family"], row["family_roman"])
            for row in space.tables[region]["patients"].to_pylist()
        }
        for region in REGIONS
    }
    assert ("张", "Zhang") in written["guangzhou"]
    assert ("張", "Cheung") in written["hongkong"]
    assert ("張", "Cheong") in written["macao"]
    assert ("dos Santos", "dos Santos") in written["macao"]
    assert "張" not in {family for family, _ in written["guangzhou"]}
    given = space.tables["guangzhou"]["patients"]["given_roman"].to_pylist()
    assert not any(" " in name for name in given)
    assert any(" " in name for name in space.tables["macao"]["patients"]["given_roman"].to_pylist())


def test_a_simplified_form_has_one_traditional_form_in_the_tables() -> None:
    pairs = {(entry.simplified, entry.traditional) for entry in (*SURNAMES, *GIVEN)}
    assert len({simplified for simplified, _ in pairs}) == len(pairs)
    assert len({traditional for _, traditional in pairs}) == len(pairs)
