"""Product files: a closed set of keys, so that no misspelt protection passes as absent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.errors import Malformed
from dataspace.query.product_file import parse_offer, parse_product

HEAD = "product: trial\ntitle: {en: HIV trial, zh-Hans: 艾滋病试验}\nsource: select * from trial\n"
COLUMNS = "columns:\n  age: {type: double, role: measure, bounds: [0, 120]}\n"
GOOD = HEAD + "subject: pidnum\n" + COLUMNS
LINKAGE = "linkage: {fields: {hkid: DocNo, surname: family}, match: [[hkid], [surname~]]}\n"


def with_column(text: str) -> str:
    return GOOD + f"  arm: {{{text}}}\n"


def with_disclosure(text: str) -> str:
    return GOOD + f"disclosure: {{{text}}}\n"


ACCEPTED = [
    GOOD,
    GOOD + LINKAGE,
    with_column("type: integer, role: dimension, levels: [0, 1], categories: [clinical_trial]"),
    with_column("type: varchar, role: dimension, text_search: true, sensitive: true"),
    with_column('type: varchar, role: dimension, levels: ["1", "true", "null"]'),
    with_column("type: boolean, role: dimension, levels: [true, false]"),
    with_column("type: decimal, role: dimension, levels: [0.1, 2]"),
    with_column('type: date, role: dimension, levels: ["2020-01-01"]'),
    with_column("type: double, role: dimension, levels: [0.5, 1, -3.25]"),
    with_disclosure("min_subjects: 5, round_to: 1, secondary: false, dominance: false"),
    with_disclosure("max_levels: false, differencing: false, dominance: 1, noise: none"),
    with_disclosure("noise: {mechanism: laplace, epsilon: 0.5}"),
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_an_offer_signed_as_json_is_read_as_it_was_and_has_the_same_schema(text: str) -> None:
    product = parse_product(text.encode())
    offer = product.offer()
    again = parse_offer(offer.canonical_json())
    assert again == offer
    assert again.canonical_json() == offer.canonical_json()
    assert again.schema_digest() == product.schema_digest()


def test_an_offer_holds_nothing_of_source_subject_or_linkage() -> None:
    published = parse_product((GOOD + LINKAGE).encode()).offer().canonical_json()
    for word in (b"pidnum", b"DocNo", b"select", b"family"):
        assert word not in published


REFUSED = {
    # keys
    "unknown key": (GOOD + "min_subjects: 11\n", "unknown key"),
    "misspelt protection": (with_disclosure("min_subject: 30"), "unknown key"),
    "unknown column key": (with_column("type: integer, role: dimension, level: [1]"), "unknown"),
    "unknown title": (GOOD.replace("zh-Hans", "zh-CN"), "title"),
    "key twice": (GOOD + "subject: age\n", "stands twice"),
    "column twice": (GOOD + "  age: {type: double, role: dimension}\n", "stands twice"),
    "inner key twice": (with_disclosure("round_to: 5, round_to: 1"), "stands twice"),
    "quoted key twice": (GOOD + '"subject": age\n', "stands twice"),
    "merge key": (GOOD + "<<: {subject_space: x}\n", "plain word"),
    "key that is a list": (GOOD + "? [a]\n: b\n", "plain word"),
    "missing subject": (HEAD + COLUMNS, "subject"),
    # YAML
    "alias": (GOOD + "disclosure: &a {}\nlinkage: *a\n", "aliases"),
    "python tag": (GOOD + "subject_space: !!python/object/apply:os.system [ls]\n", "YAML"),
    "two documents": (GOOD + "---\n" + GOOD, "YAML"),
    "not a mapping": ("- a\n", "mapping"),
    "empty": ("", "mapping"),
    "broken": ("a: [\n", "YAML"),
    "control character": (GOOD + "a: \x00\n", "YAML"),
    "date that is none": (GOOD + "subject_space: 2020-99-99\n", "YAML"),
    "deep": (GOOD + "a: " + "[" * 5_000 + "]" * 5_000, "deeply"),
    # names
    "reserved person": (GOOD + "  person: {type: varchar, role: dimension}\n", "every product has"),
    "reserved region": (GOOD + "  region: {type: varchar, role: dimension}\n", "every product has"),
    "upper case": (GOOD + "  Arm: {type: integer, role: dimension}\n", "Arm"),
    "odd name": (GOOD + "  'a b': {type: integer, role: dimension}\n", "a b"),
    "look-alike": (GOOD + "  аrm: {type: integer, role: dimension}\n", "columns"),
    "long name": (GOOD + f"  {'a' * 64}: {{type: integer, role: dimension}}\n", "columns"),
    "odd product": (GOOD.replace("product: trial", "product: ../trial"), "product"),
    "no columns": (HEAD + "subject: pidnum\ncolumns: {}\n", "at least one"),
    "no source": (GOOD.replace("select * from trial", "''"), "source"),
    "subject in columns": (GOOD.replace("pidnum", "age"), "never leaves"),
    "subject in other case": (GOOD.replace("pidnum", "AGE"), "never leaves"),
    "linkage in columns": (GOOD + "linkage: {fields: {hkid: age}}\n", "withheld"),
    "linkage in other case": (GOOD + "linkage: {fields: {hkid: Age}}\n", "withheld"),
    "unknown field": (GOOD + "linkage: {fields: {hkdi: doc}}\n", "no kind of field"),
    "unknown match": (GOOD + LINKAGE.replace("[hkid]", "[hkdi]"), "no kind of field"),
    "match without a fuzzy form": (GOOD + LINKAGE.replace("[hkid]", "[sex~]"), "no fuzzy form"),
    "match that repeats": (GOOD + LINKAGE.replace("[hkid]", "[hkid, hkid]"), "each only once"),
    "match of nothing": (GOOD + LINKAGE.replace("[hkid]", "[]"), "at least one field"),
    # columns
    "unknown type": (with_column("type: blob, role: dimension"), "type"),
    "unknown role": (with_column("type: integer, role: public"), "role"),
    "text search": (with_column("type: integer, role: dimension, text_search: true"), "varchar"),
    "bounds": (with_column("type: integer, role: measure, bounds: [5, 5]"), "bounds"),
    "bounds without end": (with_column("type: double, role: measure, bounds: [0, .inf]"), "bounds"),
    "level twice": (with_column("type: integer, role: dimension, levels: [1, 1]"), "twice"),
    "level again": (with_column("type: double, role: dimension, levels: [1, 1.0]"), "twice"),
    "level of other type": (with_column("type: integer, role: dimension, levels: [a]"), "integer"),
    "level yes": (with_column("type: varchar, role: dimension, levels: [yes, no]"), "varchar"),
    "level 0 for false": (with_column("type: boolean, role: dimension, levels: [0, 1]"), "boolean"),
    "level true for 1": (with_column("type: integer, role: dimension, levels: [true]"), "integer"),
    "level no date": (with_column('type: date, role: dimension, levels: ["x"]'), "levels"),
    "level too large": (with_column(f"type: integer, role: dimension, levels: [{2**60}]"), "2^53"),
    "level infinite": (with_column("type: double, role: dimension, levels: [.inf]"), "finite"),
    # disclosure
    "minimum below the floor": (with_disclosure("min_subjects: 4"), "min_subjects"),
    "minimum as text": (with_disclosure('min_subjects: "11"'), "min_subjects"),
    "rounding off by true": (with_disclosure("round_to: true"), "round_to"),
    "rounding off by false": (with_disclosure("round_to: false"), "round_to"),
    "rounding to nought": (with_disclosure("round_to: 0"), "round_to"),
    "rounding beyond the minimum": (with_disclosure("round_to: 50"), "round_to"),
    "switch as text": (with_disclosure('secondary: "off"'), "secondary"),
    "dominance by true": (with_disclosure("dominance: true"), "dominance"),
    "dominance above 1": (with_disclosure("dominance: 1.5"), "dominance"),
    "levels by true": (with_disclosure("max_levels: true"), "max_levels"),
    "noise unknown": (with_disclosure("noise: {mechanism: uniform, epsilon: 1}"), "noise"),
    "noise of nothing": (with_disclosure("noise: {mechanism: laplace, epsilon: 0}"), "noise"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "what"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_is_not_what_it_must_be_is_refused_by_name(text: str, what: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_product(text.encode())
    assert caught.value.code == "product-file"
    assert what.lower() in caught.value.message.lower()


def test_bytes_that_are_not_utf_8_and_files_over_a_megabyte_are_refused() -> None:
    for text in (b"\xff\xfe" + GOOD.encode(), GOOD.encode() + b"#" * 1_000_000):
        with pytest.raises(Malformed):
            parse_product(text)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b'{"product": "x"}', b"\xff"])
def test_an_offer_of_another_form_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        parse_offer(text)
    assert caught.value.code == "product-offer"


_LINES = (
    GOOD.splitlines()
    + LINKAGE.splitlines()
    + [
        "disclosure: {min_subjects: 1}",
        "  arm: {type: date, role: dimension, levels: [2020-01-01]}",
        "? x",
        ": y",
        "- z",
        "<<: *a",
        "&a b: c",
        "!!int x: 1",
        "'",
        '"',
        "1: 2",
        "null: 3",
        "\t",
        "...",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_LINES), max_size=12).map("\n".join) | st.text(max_size=100))
def test_any_text_is_a_product_or_malformed(text: str) -> None:
    try:
        product = parse_product(text.encode())
    except Malformed:
        return
    assert parse_offer(product.offer().canonical_json()) == product.offer()
