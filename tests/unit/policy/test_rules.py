"""A policy set is whole and valid, or it is refused naming file, rule and line."""

from __future__ import annotations

import hashlib

import pytest

from dataspace.errors import Malformed
from dataspace.policy import requests
from dataspace.policy.rules import PolicySet, load
from dataspace.policy.statements import statements
from dataspace.policy.store import read_files

from .samples import NEGATIVE_LIST, PERMIT_ALL, POLICIES, SCHEMA, files, forbid, rule

ANNOTATIONS = ("basis", "message_en", "message_zh_hans", "message_zh_hant", "message_pt")


def refused(policy_files: dict[str, bytes]) -> Malformed:
    with pytest.raises(Malformed) as caught:
        load(policy_files)
    assert caught.value.code == "policy-set"
    return caught.value


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_a_rule_without_a_basis_or_a_language_is_refused_with_file_rule_and_line(
    annotation: str,
) -> None:
    lacking = rule("lacks", "permit (principal, action, resource);", without=annotation)
    error = refused(files(PERMIT_ALL, "// a comment; with a semicolon", lacking))
    assert "rules.cedar" in error.message
    assert "rule lacks" in error.message
    assert f"@{annotation}" in error.message
    assert error.place is not None
    assert error.place.line == 9


def test_a_rule_without_an_id_is_refused_with_file_and_line() -> None:
    error = refused(files(rule("x", "permit (principal, action, resource);", without="id")))
    assert "rules.cedar" in error.message
    assert "@id" in error.message
    assert error.place is not None
    assert error.place.line == 1


def test_an_empty_annotation_counts_as_missing() -> None:
    assert "@basis" in refused(files(PERMIT_ALL.replace("basis of permit-all", "  "))).message


def test_an_id_that_stands_twice_is_refused_even_across_files() -> None:
    error = refused(files(PERMIT_ALL, **{"other.cedar": PERMIT_ALL.encode()}))
    assert "permit-all" in error.message
    assert "other.cedar" in error.message
    listed = NEGATIVE_LIST.replace("list-1", "permit-all").encode()
    refused(files(PERMIT_ALL, **{"negative-lists/a.toml": listed}))


@pytest.mark.parametrize("name", ["default-deny", "policy-error", "Upper", "a b", "policy0.x", ""])
def test_an_id_that_is_reserved_or_ill_formed_is_refused(name: str) -> None:
    refused(files(rule(name, "permit (principal, action, resource);")))


@pytest.mark.parametrize(
    "condition",
    [
        "context.colour == 1",
        "principal.salary > 1",
        "resource.owner == principal",
        'context.purpose == "HRESCH"',
        'context.purpose == Purpose::"HRESHC"',
        'principal.role == Role::"admin"',
        'context.legal_basis == LegalBasis::"GOODWILL"',
        'context.route.to == Region::"shenzhen"',
        'context.at_ms == "today"',
        "context.at_ms",
        "context.categories.contains(1)",
        'context.categories.matches("x")',
        'principal in Group::"all"',
    ],
)
def test_an_unknown_attribute_or_operand_or_a_wrong_type_is_refused_at_load(
    condition: str,
) -> None:
    error = refused(files(PERMIT_ALL, forbid("broken", condition)))
    assert "rules.cedar" in error.message
    assert error.place is not None
    assert error.place.line == 8


def test_an_unknown_action_is_refused_at_load() -> None:
    refused(files(rule("x", 'permit (principal, action == Action::"export", resource);')))


def test_text_that_is_no_rule_is_refused() -> None:
    for text in ("permit (", "permit (principal, action, resource)", '@id("x', "\ufeffx;", ";"):
        refused(files(PERMIT_ALL, text))
    refused(files() | {"rules.cedar": b"\xff"})


def test_a_template_is_refused_since_it_decides_nothing() -> None:
    refused(files(rule("x", "permit (principal == ?principal, action, resource);")))


def test_an_unknown_annotation_is_refused() -> None:
    assert "@severity" in refused(files('@severity("low")\n' + PERMIT_ALL)).message


@pytest.mark.parametrize(
    "name", ["space.ceder", "space.cedar~", "negative-lists/a.json", "sub/a.cedar", "../a.cedar"]
)
def test_a_file_of_another_name_is_refused_not_passed_over(name: str) -> None:
    assert name in refused(files(PERMIT_ALL, **{name: b""})).message


def test_a_set_has_exactly_one_schema_that_parses() -> None:
    refused({"rules.cedar": PERMIT_ALL.encode()})
    refused(files(PERMIT_ALL, **{"second.cedarschema": SCHEMA}))
    refused(files(PERMIT_ALL) | {"schema.cedarschema": b"entity Actor { role: Nothing };"})


def test_any_changed_byte_or_name_changes_the_digest() -> None:
    base = files(PERMIT_ALL, **{"negative-lists/a.toml": NEGATIVE_LIST.encode()})
    seen = {load(base).sha256}
    for name in base:
        seen.add(load(base | {name: base[name] + b"\n"}).sha256)
    renamed = {("b.cedar" if name == "rules.cedar" else name): base[name] for name in base}
    seen.add(load(renamed).sha256)
    assert len(seen) == len(base) + 2


def test_the_digest_is_what_sha256sum_prints_and_ignores_the_order_of_files() -> None:
    base = files(PERMIT_ALL)
    lines = "".join(f"{hashlib.sha256(base[name]).hexdigest()}  {name}\n" for name in sorted(base))
    assert load(base).sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert load(dict(reversed(base.items()))) == load(base)


def test_a_policy_set_cannot_be_changed_in_place() -> None:
    policies = load(files(PERMIT_ALL))
    with pytest.raises(AttributeError):
        policies.sha256 = "0"  # type: ignore[misc]  # frozen: this is what is tested
    with pytest.raises(TypeError):
        del policies.rules["permit-all"]  # type: ignore[attr-defined]  # a read-only mapping


def test_rules_know_where_they_are_written_and_what_they_say() -> None:
    found = load(files(PERMIT_ALL, forbid("no", "context.emergency"))).rules["no"]
    assert (found.effect, found.source, found.line) == ("forbid", "rules.cedar", 8)
    assert found.basis == "basis of no"
    assert found.messages == {
        "en": "no says",
        "zh-Hans": "简体",
        "zh-Hant": "繁體",
        "pt": "português",
    }


def test_semicolons_in_strings_and_comments_end_no_statement() -> None:
    text = '// a; b\n@x("c; \\" // d;")\npermit (principal, action, resource); // e; f\n// g;\n'
    (only,) = statements(text)
    assert only.line == 2
    assert only.text.startswith("@x") and only.text.endswith("resource);")


def test_the_spaces_own_set_is_valid_and_every_rule_says_something_in_each_language() -> None:
    policies: PolicySet = load(read_files(POLICIES))
    assert len(policies.rules) >= 17
    for found in policies.rules.values():
        assert len(set(found.messages.values())) == 4, found.id


@pytest.mark.parametrize("region", ["guangzhou", "hongkong", "macao"])
def test_each_region_has_a_file_with_rules_of_its_own(region: str) -> None:
    policies = load(read_files(POLICIES))
    assert any(found.source == f"{region}.cedar" for found in policies.rules.values())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Purpose", requests.PURPOSES),
        ("Role", requests.ROLES),
        ("Region", requests.REGIONS),
        ("State", requests.STATES),
    ],
)
def test_requests_and_the_schema_know_the_same_words(kind: str, words: tuple[str, ...]) -> None:
    declared = SCHEMA.decode().split(f"entity {kind} enum [")[1].split("]")[0]
    assert tuple(word.strip().strip('"') for word in declared.split(",")) == words
