"""Hold the locked dependencies against known vulnerabilities, as `make audit-dependencies` does.

Exit 0: each was looked up, and none is known to be vulnerable. 1: some are, and are listed. 5: the
data could not be reached, or not for all of them: then nothing is known, and nothing is green.
pip-audit by itself ends with 0 where it found no data at all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
SECONDS = 300.0


def judge(report: str) -> tuple[int, list[str]]:
    """Exit code and what to tell, of pip-audit's report in JSON."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return 5, ["the vulnerability data is unreachable: nothing was checked"]
    known = [
        f"{each['name']} {each['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for each in dependencies
        for found in each.get("vulns", ())
    ]
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    told = [*known]
    if skipped or not dependencies:
        told.append(
            f"no data for {len(skipped)} of {len(dependencies)} dependencies: they were not "
            f"checked; try again where PyPI's or OSV's data can be reached ({', '.join(skipped)})"
        )
    if known:
        return 1, told
    return (5, told) if told else (0, [f"{len(dependencies)} dependencies, none known vulnerable"])


def main() -> int:
    """Ask pip-audit about the lock, and say what came of it."""
    options = ("--no-deps", "--disable-pip", "--require-hashes", "--progress-spinner", "off")
    command = (sys.executable, "-m", "pip_audit", *options, "--format", "json")
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, our own lock
            (*command, "--requirement", str(LOCK)),
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        report = done.stdout
    except subprocess.TimeoutExpired:
        report = ""
    code, told = judge(report)
    print("\n".join(told), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
