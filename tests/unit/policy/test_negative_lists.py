"""Negative lists hit what they name, on the days they are in force, and nothing else."""

from __future__ import annotations

import datetime as dt

import pytest

from dataspace.errors import Malformed
from dataspace.policy.decisions import decide
from dataspace.policy.rules import PolicySet, load

from .samples import NEGATIVE_LIST, PERMIT_ALL, files, statistics

DURING = int(dt.datetime(2024, 6, 1, tzinfo=dt.UTC).timestamp() * 1000)
FIRST = int(dt.datetime.fromisoformat("2024-01-01T00:00:00+08:00").timestamp() * 1000)
AFTER = int(dt.datetime.fromisoformat("2025-01-01T00:00:00+08:00").timestamp() * 1000)
CATEGORIES = 'categories = ["genetic"]'


def with_list(text: str) -> PolicySet:
    return load(files(PERMIT_ALL, **{"negative-lists/one.toml": text.encode()}))


@pytest.mark.parametrize(
    ("at_ms", "allowed"),
    [(FIRST - 1, True), (FIRST, False), (DURING, False), (AFTER - 1, False), (AFTER, True)],
)
def test_a_list_applies_from_its_first_day_to_the_end_of_its_last(
    at_ms: int, allowed: bool
) -> None:
    asked = statistics(categories=frozenset({"genetic", "x"}), at_ms=at_ms)
    assert decide(with_list(NEGATIVE_LIST), asked).allowed == allowed


def test_a_list_without_an_end_goes_on() -> None:
    endless = with_list(NEGATIVE_LIST.replace("valid_to = 2024-12-31\n", ""))
    asked = statistics(categories=frozenset({"genetic"}), at_ms=2**53 - 1)
    assert not decide(endless, asked).allowed


def test_a_list_hits_its_categories_and_no_others() -> None:
    policies = with_list(NEGATIVE_LIST)
    assert decide(policies, statistics(categories=frozenset({"other"}), at_ms=DURING)).allowed
    assert decide(policies, statistics(at_ms=DURING)).allowed


def test_a_list_hits_products_and_columns_by_name() -> None:
    policies = with_list(
        NEGATIVE_LIST.replace(CATEGORIES, 'products = ["genomes"]\ncolumns = ["patients.apoe"]')
    )
    apoe = frozenset({"age", "apoe"})
    assert not decide(policies, statistics(product="genomes", at_ms=DURING)).allowed
    assert not decide(policies, statistics(columns=apoe, at_ms=DURING)).allowed
    assert decide(policies, statistics(product="trial", columns=apoe, at_ms=DURING)).allowed
    assert decide(policies, statistics(at_ms=DURING)).allowed


def test_a_list_may_name_the_actions_it_hits() -> None:
    policies = with_list(NEGATIVE_LIST.replace(CATEGORIES, CATEGORIES + '\nactions = ["record"]'))
    genetic = frozenset({"genetic"})
    assert decide(policies, statistics(categories=genetic, at_ms=DURING)).allowed
    assert not decide(
        policies, statistics(action="record", categories=genetic, at_ms=DURING)
    ).allowed


def test_a_threshold_hits_from_so_many_people_in_a_year_on() -> None:
    policies = with_list(NEGATIVE_LIST.replace(CATEGORIES, CATEGORIES + "\nfrom_records = 10_000"))
    genetic = frozenset({"genetic"})
    for records, allowed in ((0, True), (9_999, True), (10_000, False), (10_001, False)):
        asked = statistics(categories=genetic, at_ms=DURING, records_this_year=records)
        assert decide(policies, asked).allowed == allowed


def test_a_list_for_what_leaves_a_region_hits_neither_what_stays_nor_what_comes() -> None:
    policies = with_list(
        NEGATIVE_LIST.replace(CATEGORIES, CATEGORIES + '\nleaving = ["guangzhou"]')
    )
    genetic = frozenset({"genetic"})
    for source, target, allowed in (
        ("guangzhou", "hongkong", False),
        ("guangzhou", "guangzhou", True),
        ("hongkong", "guangzhou", True),
    ):
        asked = statistics(categories=genetic, at_ms=DURING, route_from=source, route_to=target)
        assert decide(policies, asked).allowed == allowed


def test_a_hit_names_the_list_its_body_and_its_basis() -> None:
    asked = statistics(categories=frozenset({"genetic"}), at_ms=DURING)
    (found,) = decide(with_list(NEGATIVE_LIST), asked).rules
    assert (found.id, found.message_en) == ("list-1", "on the list")
    assert found.basis == "A law (A body: A list)"


def test_no_text_of_a_list_can_go_on_as_a_rule() -> None:
    attack = 'x"]) || false };\npermit (principal, action, resource) when { true || [""]'
    text = NEGATIVE_LIST.replace('"genetic"', "'" + attack.replace("\n", " ") + "'")
    policies = with_list(text)
    assert list(policies.rules) == ["list-1", "permit-all"]
    assert policies.rules["list-1"].effect == "forbid"
    assert decide(policies, statistics(at_ms=DURING)).allowed


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CATEGORIES, ""),
        (CATEGORIES, "categories = []"),
        (CATEGORIES, 'categories = "genetic"'),
        (CATEGORIES, 'columns = ["apoe"]'),
        (CATEGORIES, 'columns = ["a.b.c"]'),
        (CATEGORIES, 'categories = ["a\\nb"]'),
        (CATEGORIES, CATEGORIES + '\nactions = ["export"]'),
        (CATEGORIES, CATEGORIES + '\ncategory = ["x"]'),
        (CATEGORIES, CATEGORIES + '\nleaving = ["shenzhen"]'),
        (CATEGORIES, CATEGORIES + "\nfrom_records = 0"),
        (CATEGORIES, CATEGORIES + "\nfrom_records = true"),
        (CATEGORIES, CATEGORIES + "\nfrom_records = 1.5"),
        ("valid_to = 2024-12-31", "valid_to = 2023-12-31"),
        ("valid_to = 2024-12-31", 'valid_to = "2024-12-31"'),
        ("valid_to = 2024-12-31", "valid_to = 2024-12-31T00:00:00Z"),
        ("valid_from = 2024-01-01", ""),
        ('basis = "A law"', ""),
        ('basis = "A law"', 'basis = " "'),
        ('id = "list-1"', 'id = "List 1"'),
        ('pt = "português"', ""),
        ('pt = "português"', 'pt = "português"\nfr = "français"'),
        ('pt = "português"', "pt = "),
    ],
)
def test_a_list_that_is_not_whole_is_refused_naming_its_file(old: str, new: str) -> None:
    assert old in NEGATIVE_LIST
    with pytest.raises(Malformed, match=r"negative-lists/one\.toml"):
        with_list(NEGATIVE_LIST.replace(old, new))
