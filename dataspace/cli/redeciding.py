"""`gba policy replay`: recorded decisions decided again, by their own set or by a new one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.auditing import LookOption, check_logs
from dataspace.cli.entries_shown import instant
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import actor_home, space_home
from dataspace.client.recorded import Found, LocalRecords, Records, RegionRecords
from dataspace.client.session import Session
from dataspace.errors import Malformed
from dataspace.evidence.redeciding import Difference, check_same, differences
from dataspace.home import CONFIG, PartyHome
from dataspace.policy.decisions import Decision
from dataspace.policy.rules import PolicySet, load
from dataspace.policy.store import read_file, read_files
from dataspace.processes import now_ms


@told
def replay(
    with_: Annotated[
        list[Path] | None,
        typer.Option("--with", help="a negative list, a rule file or a whole folder; repeatable"),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="so many decisions")] = 1000,
    log: Annotated[str, typer.Option("--log", help="in a space's home: broker or a region")] = "",
    look_for: LookOption = "HOPERAT",
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Decide the last recorded decisions again. Nothing is changed by it.

    Without --with: by the rules of their time; exit 6 where one comes out otherwise. With it: by
    the newest of those rules and the file, showing what would change. Reads a party's own home,
    or with --as REGION/regulator asks that region's node.
    """
    with records_of(home, actor, check_logs([log])[0] if log else "", look_for) as records:
        found = records.last(last)
        sets = _sets(records, found)
        if with_:
            newest = next(iter(sets.values()), None)
            policies = overlaid(newest.files if newest else {}, with_)
            _print_changes(found, differences(found.decisions, policies), policies, format_)
            return
    for each in found.decisions:
        check_same(each, sets[each.policy_sha256])
    _print_same(found, sets, format_)


@contextmanager
def records_of(home: Path | None, actor: str | None, log: str, purpose: str) -> Iterator[Records]:
    """Where recorded decisions are: a party's own home, or a regulator's region."""
    root = space_home(home)
    party = root / log if log and actor is None else root
    if actor is None and (party / CONFIG).is_file():
        own = PartyHome(party)
        if own.config.kind in {"node", "broker"}:
            yield LocalRecords(own, now_ms())
            return
    if actor is None and not (root / CONFIG).is_file():
        raise Malformed(
            "say whose decisions: --log REGION, or --as REGION/regulator", code="log-name"
        )
    asker = actor_home(home, actor)
    region = log or asker.uri.region
    with Session(asker) as session:
        yield RegionRecords(session, region, purpose)


def overlaid(files: Mapping[str, bytes], changes: list[Path]) -> PolicySet:
    """The set that files make with changes laid over it; a folder takes its whole place."""
    made = dict(files)
    for path in changes:
        if path.is_dir():
            made = read_files(path)
        elif path.suffix == ".toml":
            made[f"negative-lists/{path.name}"] = read_file(path)
        else:
            made[path.name] = read_file(path)
    return load(made)


def _sets(records: Records, found: Found) -> dict[str, PolicySet]:
    """The sets that decided, the newest first, each fetched once."""
    # By its oldest decision each: a node hands a set over with an entry that is cosigned.
    oldest = {each.policy_sha256: each for each in found.decisions}
    return {sha256: records.of(each) for sha256, each in oldest.items()}


def _print_same(found: Found, sets: Mapping[str, PolicySet], format_: Format) -> None:
    if format_ is Format.JSON:
        print_json(
            {
                "decisions": len(found.decisions),
                "erased": found.erased,
                "sets": list(sets),
                "different": 0,
            }
        )
        return
    out.print(
        f"{len(found.decisions)} decisions come out the same by the {len(sets)} policy sets of "
        f"their time; {found.erased} can no longer be decided, since their bodies are erased"
    )


def _print_changes(
    found: Found, changes: tuple[Difference, ...], policies: PolicySet, format_: Format
) -> None:
    if format_ is Format.JSON:
        print_json(
            {
                "policy_sha256": policies.sha256,
                "decisions": len(found.decisions),
                "erased": found.erased,
                "changed": [_change(each) for each in changes],
            }
        )
        return
    if changes:
        print_rows(
            ["log", "entry", "at", "product", "actor", "purpose", "was", "would be"],
            [
                (
                    each.recorded.log,
                    each.recorded.index,
                    instant(each.recorded.at_ms),
                    f"{each.question.product_region}/{each.question.product}",
                    f"{each.question.actor_region}/{each.question.actor_role}",
                    each.question.purpose,
                    _said(each.before),
                    _said(each.after),
                )
                for each in changes
            ],
        )
    turned = sum(each.outcome_changes for each in changes)
    out.print(
        f"of {len(found.decisions)} decisions {turned} answers would be another, and "
        f"{len(changes) - turned} the same by other rules; {found.erased} have no body any more"
    )


def _change(each: Difference) -> dict[str, object]:
    return {
        "log": each.recorded.log,
        "index": each.recorded.index,
        "at_ms": each.recorded.at_ms,
        "product": f"{each.question.product_region}/{each.question.product}",
        "actor_region": each.question.actor_region,
        "actor_role": each.question.actor_role,
        "purpose": each.question.purpose,
        "before": _outcome(each.before),
        "after": _outcome(each.after),
    }


def _outcome(decision: Decision) -> dict[str, object]:
    return {
        "outcome": "permit" if decision.allowed else "deny",
        "rules": [rule.id for rule in decision.rules],
    }


def _said(decision: Decision) -> str:
    outcome = "permit" if decision.allowed else "deny"
    return f"{outcome} by {', '.join(rule.id for rule in decision.rules)}"
