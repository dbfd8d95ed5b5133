"""The check finds rules that decide nothing and products that nothing rules."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from dataspace.policy.checking import CheckReport, Offered, check
from dataspace.policy.decisions import decide
from dataspace.policy.mentions import EVERYTHING, mentions
from dataspace.policy.requests import PURPOSES, REGIONS
from dataspace.policy.rules import legal_bases, load
from dataspace.policy.store import read_folder

from .samples import NEGATIVE_LIST, PERMIT_ALL, POLICIES, files, forbid, rule, statistics

AT_MS = 1_790_000_000_000
PATIENTS = Offered("guangzhou", "patients", frozenset({"genetic", "diagnosis"}))


def report(*rules: str, **more: bytes) -> CheckReport:
    return check(load(files(*rules, **more)), [PATIENTS], AT_MS)


def names(found: CheckReport) -> tuple[list[str], list[str]]:
    return [each.id for each in found.unreachable], [each.id for each in found.overruled]


def test_the_spaces_own_set_has_no_rule_that_decides_nothing() -> None:
    found = check(read_folder(POLICIES), [PATIENTS], AT_MS)
    assert names(found) == ([], [])
    assert found.unruled == ()
    assert found.closed_categories == ((PATIENTS, "genetic"),)
    assert found.passed


@pytest.mark.parametrize(
    "condition",
    [
        "context.emergency && !context.emergency",
        'context.purpose == Purpose::"TREAT" && context.purpose == Purpose::"BTG"',
        'context.route.from == Region::"macao" && context.route.from == Region::"hongkong"',
        "context.at_ms > 5 && context.at_ms < 5",
        "context.records_this_year < 0",
        "principal.assurance > 3",
        'resource.name == "a" && resource.name == "b"',
    ],
)
def test_a_rule_that_no_request_reaches_is_named(condition: str) -> None:
    assert names(report(PERMIT_ALL, forbid("never", condition))) == (["never"], [])


@pytest.mark.parametrize(
    "condition",
    [
        "context.at_ms == 1700000000000",
        "context.records_this_year >= 10000",
        'context.categories.contains("genetic")',
        'context.categories.containsAll(["genetic", "other"])',
        'principal in Member::"hongkong/uni-harbour"',
        'principal == Actor::"gba://macao/hospital-a/clinician/a"',
        'resource == Product::"macao/patients" || resource.name == "x"',
        'context.project == "trial-1" && context.columns.contains("age")',
        'context.route == {from: Region::"macao", to: Region::"macao"}',
        "principal.assurance == 3 && context.onward && context.filing",
    ],
)
def test_a_rule_that_some_request_reaches_is_not_named(condition: str) -> None:
    assert names(report(PERMIT_ALL, forbid("some", condition))) == ([], [])


def test_a_permit_that_forbids_always_overrule_is_named() -> None:
    permit = rule("vain", 'permit (principal, action, resource) when { context.project == "p" };')
    assert names(report(PERMIT_ALL, permit, forbid("closed", 'context.project == "p"'))) == (
        [],
        ["vain"],
    )
    two = (forbid("one", "context.emergency"), forbid("other", "!context.emergency"))
    assert names(report(PERMIT_ALL, *two)) == ([], ["permit-all"])


def test_a_permit_that_one_exception_leaves_open_is_not_named() -> None:
    exception = forbid("most", '!context.categories.contains("open")')
    assert names(report(PERMIT_ALL, exception)) == ([], [])


def test_a_product_with_no_rule_and_a_category_that_is_closed_are_named() -> None:
    only = rule("only", 'permit (principal, action, resource) when { resource.name == "other" };')
    assert report(only).unruled == (PATIENTS,)
    listed = NEGATIVE_LIST.replace("valid_to = 2024-12-31\n", "").encode()
    found = report(PERMIT_ALL, **{"negative-lists/a.toml": listed})
    assert (found.unruled, found.closed_categories) == ((), ((PATIENTS, "genetic"),))


def test_the_joined_tables_agree_with_deciding_each_request() -> None:
    """Two implementations: the check's tables, and `decide` on every request of a small space."""
    permit = 'permit (principal, action, resource) when {{ context.purpose == Purpose::"{}" }};'
    permits = [rule(f"p-{each.lower()}", permit.format(each)) for each in PURPOSES]
    policies = load(
        files(
            *permits,
            forbid("a", 'context.purpose == Purpose::"TREAT" && !context.emergency'),
            forbid(
                "b", 'context.purpose == Purpose::"TREAT" && context.route.to != resource.region'
            ),
            forbid("c", '[Purpose::"BTG", Purpose::"HRESCH"].contains(context.purpose)'),
            forbid("d", 'context.purpose == Purpose::"PATRQT" && context.emergency'),
            forbid("e", 'context.purpose == Purpose::"PATRQT" && !context.emergency'),
            forbid("f", 'context.emergency && resource.region != Region::"macao"'),
        )
    )
    decided = set()
    space = itertools.product(PURPOSES, (False, True), REGIONS, REGIONS)
    for purpose, emergency, to, region in space:
        asked = replace(
            statistics(), purpose=purpose, emergency=emergency, route_to=to, product_region=region
        )
        decision = decide(policies, asked)
        if decision.allowed:
            decided |= {each.id for each in decision.rules}
    vain = [each for each in policies.rules if each.startswith("p-") and each not in decided]
    assert vain == ["p-btg", "p-hresch", "p-patrqt"]
    assert names(check(policies, [], AT_MS)) == ([], vain)


def test_a_rule_mentions_the_fields_it_looks_at_and_no_others() -> None:
    policies = load(
        files(
            rule("plain", "permit (principal, action, resource);"),
            forbid("some", "context.route.from != resource.region && context.at_ms > 7"),
            forbid("whole", "context has emergency"),
        )
    )
    some = mentions(policies.rules["some"])
    assert some.fields == {"route_from", "product_region", "at_ms"}
    assert some.numbers == {7}
    assert mentions(policies.rules["plain"]).fields == frozenset()
    assert mentions(policies.rules["whole"]).fields == {"emergency"}
    assert set(vars(statistics())) == EVERYTHING


def test_the_legal_bases_are_those_of_the_schema() -> None:
    assert legal_bases(load(files(PERMIT_ALL))) == (
        "AGGREGATE", "LOCAL", "GBA-SC", "PIPL-SC", "CAC-SA", "HK-PDPO+MO-PDPA", "EMERGENCY",
    )  # fmt: skip
