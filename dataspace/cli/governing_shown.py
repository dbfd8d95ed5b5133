"""How charters, proposals and reviews are printed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from dataspace.cli.entries_shown import instant
from dataspace.cli.output import out, print_rows
from dataspace.client.asking import LogAnswer
from dataspace.client.governing import Governance
from dataspace.client.proposal_review import Review
from dataspace.evidence.proposing import Proposed
from dataspace.policy.charter import Charter, columns_of
from dataspace.v1 import charter_pb2

_FEW = 3  # cases in the short form of a review
IN_FORCE, EARLIER, READY, OPEN = "in force", "earlier", "ready to apply", "wants a signature"


def charter_json(known: Governance, charter: Charter) -> dict[str, Any]:
    """A version that was applied."""
    state = IN_FORCE if charter is known.current else EARLIER
    return _charter(charter) | {"signed_by": list(known.signed_by(charter)), "state": state}


def proposal_json(proposed: Proposed) -> dict[str, Any]:
    """A proposal on its way."""
    return _charter(proposed.charter) | {
        "signed_by": list(proposed.signed_by),
        "state": _state(proposed),
        "wanted": proposed.wanted,
        "trust_list": proposed.trust_list.version if proposed.trust_list else None,
    }


def review_json(review: Review) -> dict[str, Any]:
    """A review, whole."""
    tables, replayed = review.tables, review.replayed
    return proposal_json(review.proposed) | {
        "changes": [
            {"what": each.what, "name": each.name, "diff": list(each.lines)}
            for each in review.changes
        ],
        "loads": not review.fault,
        "fault": review.fault,
        "tables": tables
        and {
            "cases": tables.after.cases,
            "otherwise_now": len(tables.before.failures),
            "otherwise_then": len(tables.after.failures),
            "turned": list(tables.turned),
            "unexercised": list(tables.after.unexercised),
        },
        "replay": replayed
        and {
            "decisions": replayed.decisions,
            "outcomes_changed": replayed.turned,
            "rules_changed": replayed.by_others,
            "erased": replayed.erased,
        },
    }


def applied_json(answers: Sequence[LogAnswer]) -> list[dict[str, Any]]:
    """What each party came to."""
    found = []
    for each in answers:
        body = each.answer.body if each.answer is not None else None
        done = body if isinstance(body, charter_pb2.CharterApplied) else None
        found.append(
            {
                "region": each.log,
                "in_force": done is not None,
                "already": bool(done and done.already),
                "policy_sha256": done.policy_sha256 if done else None,
                "reason": each.reason,
            }
        )
    return found


def print_list(known: Governance) -> None:
    """Versions and proposals, the newest last."""
    rows = [charter_json(known, each) for each in known.charters]
    rows += [proposal_json(each) for each in known.proposals]
    print_rows(
        ["version", "id", "proposed", "signed by", "state", "reason"],
        [
            (
                each["version"],
                each["id"][:16],
                instant(each["proposed_at_ms"]),
                ", ".join(each["signed_by"]),
                each["state"],
                each["reason"],
            )
            for each in rows
        ],
    )


def print_charter(shown: dict[str, Any]) -> None:
    """One version or proposal."""
    signed = ", ".join(shown["signed_by"])
    back = f", as version {shown['restores']} was" if shown["restores"] else ""
    _say(f"charter {shown['version']}{back}: {shown['state']}, signed by {signed}")
    _say(f"  id       {shown['id']}")
    _say(f"  reason   {shown['reason']}")
    for file in shown["files"]:
        _say(f"  file     {file['name']}, SHA-256 {file['sha256']}")
    for product in shown["products"]:
        _say(f"  product  {product['product']}: {', '.join(product['columns'])}")
    floors = ", ".join(f"{name} {value}" for name, value in shown["floors"].items())
    _say(f"  floors   {floors}")


def print_review(review: Review, *, whole: bool = True) -> None:
    """The review; without `whole` how much changes, and not each line of it."""
    print_charter(proposal_json(review.proposed))
    for change in review.changes:
        count = sum(line[:1] in {"+", "-"} for line in change.lines)
        _say(f"{change.what} {change.name}".rstrip() + f": {count} lines differ")
        for line in change.lines if whole else ():
            _say(f"  {line}")
    if not review.changes:
        _say("nothing in files, products, floors or trust list would change")
    if review.fault:
        _say(f"does NOT load with this region's own rules: {review.fault}")
        return
    if review.tables is not None:
        tables = review.tables
        _say(
            f"decision tables: of {tables.after.cases} cases {len(tables.before.failures)} go "
            f"otherwise now, {len(tables.after.failures)} would then"
        )
        shown = tables.turned if whole else tables.turned[:_FEW]
        for turned in shown:
            _say(f"  {turned}")
        if len(shown) < len(tables.turned):
            _say(f"  … and {len(tables.turned) - len(shown)} more; see `gba govern review`")
    if review.replayed is None:
        _say("replay: no recorded decisions at hand; a regulator or the node's operator has them")
        return
    replayed = review.replayed
    _say(
        f"replay: of {replayed.decisions} recorded decisions {replayed.turned} answers would be "
        f"another, {replayed.by_others} the same by other rules; {replayed.erased} have no body"
    )


def print_applied(version: int, answers: Sequence[LogAnswer], *, by_broker: bool) -> None:
    """Who decides by a charter now. The broker forwards only what it has taken itself."""
    if by_broker:
        _say(f"broker: charter {version} is in force")
    for each in applied_json(answers):
        if each["in_force"]:
            _say(f"{each['region']}: charter {version} is in force" +
                 (" already" if each["already"] else ""))  # fmt: skip
        else:
            _say(f"{each['region']}: {each['reason']}")


def _say(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)


def _state(proposed: Proposed) -> str:
    return READY if proposed.is_ready else OPEN


def _charter(charter: Charter) -> dict[str, Any]:
    return {
        "version": charter.version,
        "id": charter.id,
        "proposed_at_ms": charter.proposed_at_ms,
        "reason": charter.reason,
        "restores": charter.restores,
        "files": [
            {"name": name, "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(charter.files.items())
        ],
        "products": [
            {"product": name, "columns": list(columns_of(schema)[1])}
            for name, schema in sorted(charter.products.items())
        ],
        "floors": vars(charter.floors),
        "trust_list_sha256": charter.trust_list_sha256.hex(),
    }
