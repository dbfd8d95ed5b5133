"""Does the party's process run, and what does it say of itself? Asks its page on loopback."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

from dataspace.doctor.findings import Finding, failure, ok, warning
from dataspace.doctor.patient import STANDING, Party
from dataspace.observing.endpoint import address_in

_SECONDS = 5.0
# What the codes of /readyz mean, and what to do.
REASONS = {
    "not-attached": (
        "it is not attached to the broker",
        "see the finding on the broker above; the last reason is in run/state.json",
    ),
    "trust-expired": (
        "the trust list in force has expired",
        "have two regions sign the next version (`gba trust show`)",
    ),
    "revocations-stale": (
        "its own region's or the broker's revocation list is too old",
        "see that the revocation signers run and are attached (`gba space status`)",
    ),
    "policy-rejected": (
        "its policy folder holds what was not taken; the earlier set decides",
        "correct the file that `gba policy check` names",
    ),
    "log-stopped": (
        "its log takes no more entries, so it answers nothing",
        "look at the disk, then restart the process: opening looks at what is there",
    ),
    "log-behind": (
        "its log is older than what witnesses have seen",
        "it was restored from an old backup: restore the newer log; see docs/operating.md",
    ),
    "witnesses-absent": (
        "too few witnesses have cosigned its log for longer than the grace period",
        "see that the other regions' witnesses run and are attached",
    ),
    "stopping": ("it is stopping", "wait, or start it again"),
    "internal": ("one of its own checks failed", "look at run/log.jsonl"),
}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def check_process(party: Party) -> Iterator[Finding]:
    """Runs and is ready; or the reasons, in words."""
    if party.kind not in STANDING:
        return
    if party.process is None:
        yield warning(
            "process", "not-running", "this party's process does not run",
            "start it (`gba space up`, or its container), if it should",
        )  # fmt: skip
        return
    address = address_in(party.home.path / "run")
    if address is None:
        yield ok("process", "runs; its page is switched off")
        return
    reasons = _reasons(address)
    if reasons is None:
        yield failure(
            "process", "process-hangs", "the process runs and does not answer on loopback",
            "look at run/log.jsonl; if it stays so, restart it: nothing acknowledged is lost",
        )  # fmt: skip
        return
    for code in reasons:
        meaning, advice = REASONS.get(code, (f"it is not ready ({code})", "see run/log.jsonl"))
        yield failure("process", code, meaning, advice)
    if not reasons:
        yield ok("process", "runs, and is ready")


def _reasons(address: str) -> list[str] | None:
    try:
        with _OPENER.open(f"http://{address}/readyz", timeout=_SECONDS) as reply:
            said = json.load(reply)
    except urllib.error.HTTPError as error:
        try:
            said = json.load(error)
        except ValueError:
            return None
    except (OSError, ValueError):
        return None
    reasons = said.get("reasons") if isinstance(said, dict) else None
    return [str(each) for each in reasons] if isinstance(reasons, list) else None
