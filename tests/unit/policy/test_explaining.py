"""An explanation names what decides, and proposes only what would in truth be permitted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataspace.policy.decisions import decide
from dataspace.policy.explaining import Change, Explanation, explain
from dataspace.policy.requests import ACTIONS, PURPOSES, REGIONS, STATES
from dataspace.policy.rules import load
from dataspace.policy.store import read_folder
from dataspace.policy.wording import LANGUAGES, lines_of

from .samples import PERMIT_ALL, POLICIES, files, forbid, statistics

SPACE = read_folder(POLICIES)
PEOPLE = ("clinician", "researcher", "public_health", "regulator", "operator")


def said(found: Explanation) -> list[list[tuple[str, Any]]]:
    return [[(c.field, c.left_out or c.value) for c in each] for each in found.permitted_with]


def record(**changed: Any) -> Explanation:
    """A clinician in Hong Kong asking Guangzhou for a record, all in order but what is changed."""
    asked = statistics(
        actor_role="clinician", action="record", purpose="TREAT", legal_basis="GBA-SC",
        agreement="valid", consent="valid", filing=True, impact_assessment=True,
    )  # fmt: skip
    return explain(SPACE, replace(asked, **changed))


def test_what_is_permitted_needs_no_change() -> None:
    found = record()
    assert found.decision.allowed
    assert found.permitted_with == ()


@pytest.mark.parametrize(
    ("changed", "helps"),
    [
        ({"consent": "absent"}, ("consent", "valid")),
        ({"consent": "expired"}, ("consent", "valid")),
        ({"agreement": "absent"}, ("agreement", "valid")),
        ({"agreement": "expired", "filing": False}, ("agreement", "valid")),
        ({"filing": False}, ("filing", True)),
        ({"impact_assessment": False}, ("impact_assessment", True)),
        ({"onward": True}, ("onward", False)),
        ({"legal_basis": "LOCAL"}, ("legal_basis", "GBA-SC")),
        ({"purpose": "HRESCH"}, ("purpose", "TREAT")),
        ({"actor_role": "researcher"}, ("actor_role", "clinician")),
        ({"categories": frozenset({"genetic", "x"})}, ("categories", "genetic")),
    ],
)
def test_the_one_thing_that_is_missing_is_named(
    changed: dict[str, Any], helps: tuple[str, Any]
) -> None:
    found = record(**changed)
    assert not found.decision.allowed
    assert [helps] in said(found)


def test_where_no_single_change_helps_pairs_are_named() -> None:
    found = record(agreement="absent", consent="absent")
    assert [("consent", "valid"), ("agreement", "valid")] in said(found)


def test_where_nothing_helps_nothing_is_proposed() -> None:
    closed = load(files(PERMIT_ALL, forbid("closed", "true")))
    assert explain(closed, statistics()).permitted_with == ()


@settings(max_examples=40, deadline=None)
@given(
    role=st.sampled_from(PEOPLE),
    purpose=st.sampled_from(PURPOSES),
    action=st.sampled_from(ACTIONS),
    source=st.sampled_from(REGIONS),
    target=st.sampled_from(REGIONS),
    agreement=st.sampled_from(STATES),
    consent=st.sampled_from(STATES),
    basis=st.sampled_from(["AGGREGATE", "LOCAL", "GBA-SC", "EMERGENCY"]),
)
def test_every_proposal_is_permitted_in_truth_and_none_is_an_emergency(
    role: str, purpose: str, action: str, source: str, target: str, agreement: str,
    consent: str, basis: str,
) -> None:  # fmt: skip
    asked = statistics(
        actor_role=role, purpose=purpose, action=action, product_region=source,
        route_from=source, route_to=target, actor_region=target, agreement=agreement,
        consent=consent, legal_basis=basis,
    )  # fmt: skip
    for changes in explain(SPACE, asked).permitted_with:
        changed = asked
        for change in changes:
            changed = replace(changed, **{change.field: change.value, **dict(change.along)})
            assert change.value not in {"ETREAT", "BTG", "EMERGENCY"}
            assert change.field != "emergency"
        assert decide(SPACE, changed).allowed


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_explanation_speaks_each_language_and_names_the_legal_text(language: str) -> None:
    found = record(consent="absent", categories=frozenset({"genetic"}))
    lines = lines_of(found, language)
    assert any("gba-health-2024" in line for line in lines)
    assert any("Human Genetic Resources" in line for line in lines)
    others = {text for other in set(LANGUAGES) - {language} for text in lines_of(found, other)}
    assert not others & set(lines) - {line for line in lines if ":" in line}
    assert lines != lines_of(found, "en") or language == "en"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_change_has_words_in_each_language(language: str) -> None:
    fields = (
        "agreement", "consent", "filing", "impact_assessment", "onward", "legal_basis", "purpose",
        "actor_role", "categories", "columns",
    )  # fmt: skip
    base = record(consent="absent")
    shown = replace(base, permitted_with=tuple((Change(each, "x"),) for each in fields))
    assert len(set(lines_of(shown, language)[-len(fields) :])) == len(fields)
