"""What evidence proves, and which step fails where it does not hold."""

from __future__ import annotations

import pytest

from tests.unit.evidence.world import Case, make_world, release, verify

STEPS = [
    "file", "trust-list", "cosignatures", "inclusion", "times", "revocation", "request",
    "release", "answers", "contexts", "catalogue", "questions", "round",
    "decisions", "combination",
]  # fmt: skip


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return release(make_world(tmp_path_factory.mktemp("world")))


def test_the_evidence_of_a_release_holds_step_by_step(case: Case) -> None:
    report = verify(case.file(), case.world)
    assert [step.name for step in report.steps] == STEPS
    assert report.failed is None, report.failed
    report.require()


def test_evidence_has_one_form_whatever_the_order_of_its_parts(case: Case) -> None:
    turned = Case(case.world, case.request, case.bundle, dict(reversed(case.parts.items())))
    assert turned.file() == case.file()
