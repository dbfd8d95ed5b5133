"""Printing agreements: what was agreed on, who signed which step, what narrows what."""

from __future__ import annotations

from collections.abc import Sequence

from dataspace.cli.entries_shown import instant
from dataspace.cli.output import out, print_rows
from dataspace.client.agreeing import Signed
from dataspace.policy.agreements import TERMINATED
from dataspace.policy.standing import Held

_SHORT = 12


def standing_of(held: Held, now_ms: int) -> str:
    """In force, or why not."""
    agreement = held.agreement
    terms = agreement.terms
    if agreement.state == TERMINATED or not agreement.finalised_sha256:
        return agreement.state
    if terms.not_before_ms > now_ms:
        return "begins later"
    if terms.not_after_ms <= now_ms:
        return "over"
    return "used up" if terms.budget and held.used >= terms.budget else "in force"


def as_json(held: Held, now_ms: int, others: Sequence[Held] = ()) -> dict[str, object]:
    """One object; `overlaps` are agreements where the narrower of each term counts."""
    agreement = held.agreement
    return {
        "id": held.id,
        "state": agreement.state,
        "standing": standing_of(held, now_ms),
        "sha256": agreement.finalised_sha256,
        "terms": agreement.terms.model_dump(mode="json"),
        "budget_used": held.used,
        "steps": [
            {
                "state": step.state,
                "by": str(step.signer),
                "at": instant(step.issued_at_ms),
                "received": instant(received),
                "sha256": step.sha256.hex(),
                "reason": step.reason,
            }
            for step, received in zip(agreement.steps, held.received_ms, strict=True)
        ],
        "overlaps": [each.id for each in others if standing_of(each, now_ms) == "in force"],
    }


def print_agreements(found: Sequence[Held], now_ms: int) -> None:
    """A line each."""
    print_rows(
        ["agreement", "data of", "goes to", "products", "purposes", "until", "state", "standing"],
        [
            (
                each.id[:_SHORT],
                each.agreement.terms.provider,
                each.agreement.terms.consumer,
                ", ".join(each.agreement.terms.products),
                ", ".join(each.agreement.terms.purposes),
                instant(each.agreement.terms.not_after_ms)[:10],
                each.agreement.state,
                standing_of(each, now_ms),
            )
            for each in found
        ],
    )


def print_agreement(held: Held, now_ms: int, others: Sequence[Held]) -> None:
    """Terms, steps, and overlapping agreements."""
    terms = held.agreement.terms.model_dump(mode="json")
    rows = [
        (name, instant(value) if name.endswith("_ms") else _text(value))
        for name, value in terms.items()
    ]
    title = f"agreement {held.id}: {standing_of(held, now_ms)}"
    print_rows(["term", ""], [*rows, ("answers given", str(held.used))], title)
    steps = zip(held.agreement.steps, held.received_ms, strict=True)
    print_rows(
        ["step", "signed by", "received", "digest", "reason"],
        [
            (step.state, str(step.signer), instant(at), step.sha256.hex()[:_SHORT], step.reason)
            for step, at in steps
        ],
    )
    for other in others:
        if standing_of(other, now_ms) == "in force":
            out.print(f"overlaps with {other.id[:_SHORT]}: the narrower of each term counts")


def print_signed(
    signed: Signed, now_ms: int, others: Sequence[Held], *, by_broker: bool = True
) -> None:
    """What a step came to."""
    print_agreement(signed.held, now_ms, others)
    for region in signed.waiting:
        told = (
            f"{region} is away: the broker keeps the step for it"
            if by_broker
            else f"{region} has not heard of it: revoke it again once the broker is back"
        )
        out.print(told, style="yellow")


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
