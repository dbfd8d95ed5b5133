"""What is said of locked dependencies: never green where nothing was looked up."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
SAFE = {"name": "a", "version": "1", "vulns": []}
SKIPPED = {"name": "b", "skip_reason": "not found"}
BAD = {"name": "c", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("dependencies", "code"),
    [([SAFE], 0), ([SAFE, SKIPPED], 5), ([SKIPPED], 5), ([], 5), ([BAD], 1), ([BAD, SKIPPED], 1)],
)
def test_an_audit_is_green_only_where_each_dependency_was_looked_up(
    dependencies: list[dict[str, object]], code: int
) -> None:
    got, told = script("audit_dependencies").judge(json.dumps({"dependencies": dependencies}))
    assert got == code
    assert told


@pytest.mark.parametrize("report", ["", "no JSON", "[]", "{}"])
def test_an_audit_without_a_report_is_not_green(report: str) -> None:
    code, (told,) = script("audit_dependencies").judge(report)
    assert code == 5
    assert "nothing was checked" in told


def test_a_known_vulnerability_is_named_with_the_version_that_mends_it() -> None:
    _, (told,) = script("audit_dependencies").judge(json.dumps({"dependencies": [BAD]}))
    assert told == "c 1: CVE-1, mended in 2"


def test_the_wheelhouse_holds_what_the_dockerfile_builds_with() -> None:
    fill = script("fill_wheelhouse")
    chosen = fill.builders((DEPLOY / "Dockerfile").read_text(), fill.DEV_LOCK.read_text())
    names = {line.split("==")[0] for line in chosen.splitlines() if line[:1].isalpha()}
    assert names == {
        "hatchling", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers",
    } & names | {"hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers"}  # fmt: skip
    assert chosen.count("--hash=sha256:") >= len(names)
