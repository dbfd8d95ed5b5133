"""Decision tables hold the policy set to what its authors expect."""

from __future__ import annotations

import pytest

from dataspace.errors import Malformed
from dataspace.policy.rules import load
from dataspace.policy.store import read_folder, read_tables
from dataspace.policy.tables import parse_table, run_tables

from .samples import PERMIT_ALL, POLICIES, files, forbid

TABLES = read_tables(POLICIES)
STATISTICS = (POLICIES / "tests" / "statistics.toml").read_text("utf-8")


def test_the_spaces_own_tables_pass_and_exercise_every_rule() -> None:
    report = run_tables(read_folder(POLICIES), TABLES)
    assert report.failures == ()
    assert report.passed
    assert report.unexercised == ()
    assert report.cases >= 300


def test_a_table_fails_when_the_outcome_or_the_deciding_rule_is_another() -> None:
    policies = load(files(PERMIT_ALL, forbid("closed", "context.emergency")))
    report = run_tables(policies, TABLES)
    assert not report.passed
    assert report.policy_sha256 == policies.sha256
    failure = report.failures[0]
    assert failure.source.endswith(".toml")
    assert "permit by permit-all" in {found.found for found in report.failures}
    assert "permit by treatment-record" in {found.expected for found in report.failures}
    assert report.unexercised == ("permit-all", "closed")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('expect = "permit"', 'expect = "maybe"'),
        ('rule = "research-statistics"', ""),
        ("request = {}", 'request = {purpose = "CURIOSITY"}'),
        ("request = {}", "request = {colour = 1}"),
        ("request = {}", "request = 1"),
        ('consent = "absent"\n', ""),
        ("[defaults]", "[default]"),
        ("[defaults]", "["),
        ("gets statistics of the own region", "gets statistics of a product loaded later"),
    ],
)
def test_a_table_that_is_not_whole_is_malformed_naming_its_file(old: str, new: str) -> None:
    assert old in STATISTICS
    with pytest.raises(Malformed, match=r"t\.toml") as caught:
        parse_table("t.toml", STATISTICS.replace(old, new, 1).encode())
    assert caught.value.code == "decision-table"
