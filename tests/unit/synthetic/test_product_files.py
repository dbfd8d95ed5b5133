"""The product files fit the tables, and are the same product in every region."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from dataspace.errors import Malformed
from dataspace.query.product_file import parse_product
from dataspace.synthetic import REGIONS, TABLES, SyntheticSpace, product_text

ARROW = {
    "integer": pa.int32(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
}
EVERYWHERE = [(region, table) for region in REGIONS for table in TABLES]
FROM_SOURCE = {"document_sex": "sex"}
"""Columns that only the product's source makes."""


def _document(region: str, table: str) -> dict[str, Any]:
    document = yaml.safe_load(product_text(region, table))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize(("region", "table"), EVERYWHERE)
def test_the_catalogue_accepts_the_file(region: str, table: str) -> None:
    product = parse_product(product_text(region, table))
    assert product.product == table
    assert product.subject == "patient_id"
    assert (product.disclosure.min_subjects, product.disclosure.round_to) == (11, 5)


@pytest.mark.parametrize(("region", "table"), EVERYWHERE)
def test_columns_are_in_the_table_with_the_stated_type(
    space: SyntheticSpace, region: str, table: str
) -> None:
    schema = space.tables[region][table].schema
    columns = _document(region, table)["columns"]
    assert set(columns) | {"patient_id"} == set(schema.names)
    for name, column in columns.items():
        assert schema.field(name).type == ARROW[column["type"]], name


@pytest.mark.parametrize(("region", "table"), EVERYWHERE)
def test_levels_and_bounds_cover_every_value(
    space: SyntheticSpace, region: str, table: str
) -> None:
    for name, column in _document(region, table)["columns"].items():
        values = space.tables[region][table][name]
        if column["role"] != "withheld":
            assert values.null_count == 0, name
        if "levels" in column:
            assert set(values.unique().to_pylist()) <= set(column["levels"]), name
            assert len(column["levels"]) <= 40, name
        if "bounds" in column:
            low, high = pc.min_max(values).as_py().values()
            assert column["bounds"][0] <= low <= high <= column["bounds"][1], name


@pytest.mark.parametrize("table", TABLES)
def test_regions_publish_the_same_schema(table: str) -> None:
    products = [parse_product(product_text(region, table)) for region in REGIONS]
    assert len({product.schema_digest() for product in products}) == 1
    assert len({product.offer().canonical_json() for product in products}) == 1


@pytest.mark.parametrize("table", TABLES)
def test_every_level_occurs_somewhere(space: SyntheticSpace, table: str) -> None:
    for name, column in _document("macao", table)["columns"].items():
        found = {
            value
            for region in REGIONS
            for value in space.tables[region][table][name].unique().to_pylist()
        }
        assert set(column.get("levels", ())) <= found, name


@pytest.mark.parametrize("region", REGIONS)
def test_linkage_reads_columns_that_statistics_may_not(space: SyntheticSpace, region: str) -> None:
    document = _document(region, "patients")
    fields = document["linkage"]["fields"]
    assert set(fields) == {
        *("ric", "hkid", "bir", "mtp", "surname", "given_name", "birth_date", "sex")
    }
    assert {field for key in document["linkage"]["match"] for field in key} == set(fields)
    names = space.tables[region]["patients"].schema.names
    for column in fields.values():
        assert FROM_SOURCE.get(column, column) in names
        assert document["columns"].get(column, {"role": "withheld"})["role"] == "withheld"
    assert all(f" as {made} " in document["source"] for made in FROM_SOURCE)


def test_only_patients_carries_linkage_and_brca_is_genetic() -> None:
    for region, table in EVERYWHERE:
        assert ("linkage" in _document(region, table)) is (table == "patients")
    assert _document("hongkong", "conditions")["columns"]["brca"]["categories"] == ["genetic"]


def test_titles_are_in_four_languages() -> None:
    for region, table in EVERYWHERE:
        title = _document(region, table)["title"]
        assert set(title) == {"en", "zh-Hans", "zh-Hant", "pt"}
        assert all(title.values())


@pytest.mark.parametrize(("region", "table"), [("shenzhen", "patients"), ("macao", "../space")])
def test_an_unknown_product_file_is_malformed(region: str, table: str) -> None:
    with pytest.raises(Malformed):
        product_text(region, table)
