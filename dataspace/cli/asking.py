"""`gba query` and `gba catalog`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

from dataspace.cli.evidence import check_writable, write_evidence
from dataspace.cli.explaining import explain_query
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, errors, told
from dataspace.cli.output import out, print_json, print_release, print_rows
from dataspace.client.catalogue import Catalogue
from dataspace.client.homes import actor_home
from dataspace.client.release import Release
from dataspace.client.session import OnProgress, Session
from dataspace.errors import DataspaceError, Malformed, Unavailable

_COSIGNED_SECONDS = 1.0  # for witnesses, who normally need less


class Distinct(StrEnum):
    """How people are counted over several regions."""

    SUM = "sum"
    UNION = "union"


class Tier(StrEnum):
    """How people are recognised across regions."""

    BLIND = "blind"
    KEYED = "keyed"


class Require(StrEnum):
    """Which regions have to answer."""

    ALL = "all"
    ANY = "any"


@told
def query(
    sql: Annotated[str, typer.Argument(help="one SELECT; see docs/query-language.md")],
    purpose: Annotated[str, typer.Option("--purpose", help="an HL7 v3 ActReason code")],
    project: Annotated[str, typer.Option("--project", help="what budgets count against")] = "",
    pooled: Annotated[bool, typer.Option("--pooled", help="not there yet")] = False,
    distinct: Annotated[
        Distinct,
        typer.Option("--distinct", help="count(distinct person): regions summed, or each once"),
    ] = Distinct.SUM,
    tier: Annotated[
        Tier | None, typer.Option("--tier", help="how people are recognised across regions")
    ] = None,
    require: Annotated[Require, typer.Option("--require", help="which regions")] = Require.ALL,
    deadline: Annotated[
        float | None,
        typer.Option("--deadline", min=0.1, help="seconds to wait; 60, and 600 across regions"),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="tell what would be decided, and run nothing")
    ] = False,
    evidence: Annotated[
        Path | None, typer.Option("--evidence", help="write what proves the answer to this file")
    ] = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Ask one SELECT of every region that offers the product.

    Ctrl-C and a deadline that passes end the query at every node (exit 130 and 5). With
    --evidence the answer waits up to 10 s for cosignatures; where they do not come, it is shown
    with a note, and the file is not written.
    """
    if pooled:
        raise Malformed("--pooled is not there yet; ask without it", code="not-yet")
    if evidence is not None:
        if explain:
            raise Malformed("--explain runs nothing, so there is nothing to prove", code="usage")
        check_writable(evidence)
    if explain:
        explain_query(
            sql, purpose, project, actor_home(home, actor), format_,
            distinct=_distinct(distinct), tier="" if tier is None else tier.value,
        )  # fmt: skip
        return
    with Session(actor_home(home, actor)) as session, progress_bars() as on_progress:
        release = session.query(
            sql,
            purpose=purpose,
            project=project,
            require=require.value,
            distinct=_distinct(distinct),
            tier="" if tier is None else tier.value,
            on_progress=on_progress,
            seconds=deadline,
            cosigned_seconds=_COSIGNED_SECONDS,
        )
        problem = _write_evidence(release, evidence)
    written = str(evidence) if evidence is not None and problem is None else None
    print_release(release, format_, written)
    if isinstance(problem, Unavailable):
        errors.print(f"note: no evidence file yet: {problem.message}")
        errors.print(f"note: later, `gba audit export {release.id} --out {evidence}`")
    elif problem is not None:
        raise problem


def _distinct(given: Distinct) -> str:
    return given.value if given is Distinct.UNION else ""


def _write_evidence(release: Release, file: Path | None) -> DataspaceError | None:
    """Write the evidence asked for; why not, where it cannot be. The answer stands anyway."""
    if file is None:
        return None
    try:
        write_evidence(file, release.evidence)
    except DataspaceError as error:
        return error
    return None


@contextmanager
def progress_bars() -> Iterator[OnProgress | None]:
    """A bar for each region, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.fields[stage]}"),
    )
    steps = {
        "received": (10, 0),
        "decided": (30, 0),
        "running": (40, 50),
        "hashing": (30, 20),
        "blinding": (50, 20),
        "passing": (70, 25),
        "released": (100, 0),
        "refused": (100, 0),
    }
    with Progress(*columns, console=errors, transient=True) as bars:
        tasks = {}
        done: dict[str, float] = {}

        def on_progress(region: str, stage: str, fraction: float) -> None:
            if region not in tasks:
                tasks[region] = bars.add_task(region, total=100, stage=stage)
            begins, share = steps.get(stage, (0, 0))
            # Blinding and passing go on side by side: the bar never falls back.
            done[region] = max(done.get(region, 0.0), begins + share * fraction)
            bars.update(tasks[region], completed=done[region], stage=stage)

        yield on_progress


@told
def catalog(
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE
) -> None:
    """Products, columns, roles, categories, and the rules that apply to the actor."""
    with Session(actor_home(home, actor)) as session:
        found = session.catalogue()
    if format_ is Format.JSON:
        print_json(_as_json(found))
        return
    names = sorted({each.offer.product for each in found.offers})
    for name in names:
        offers = [each for each in found.offers if each.offer.product == name]
        offer = offers[0].offer
        regions = ", ".join(each.region for each in offers)
        title = f"{name}: {offer.title.en} ({regions})"
        rows = [
            (
                column,
                each.type.value,
                each.role.value,
                _levels(each.levels),
                ", ".join(each.categories),
            )
            for column, each in offer.columns.items()
        ]
        print_rows(["column", "type", "role", "levels", "categories"], rows, title)
    rules = sorted({(r.product, r.action, r.purpose, r.outcome, r.rule) for r in found.rules})
    print_rows(["product", "action", "purpose", "outcome", "rule"], rules, "rules for you")
    away = sorted({each.region for each in found.offers} - found.attached)
    if away:
        out.print(f"not attached now: {', '.join(away)}", style="yellow")


def _levels(levels: tuple[object, ...] | None) -> str:
    if levels is None:
        return ""
    text = ", ".join(map(str, levels[:6]))
    return f"{text}, … ({len(levels)})" if len(levels) > 6 else text


def _as_json(found: Catalogue) -> dict[str, object]:
    products: dict[str, dict[str, object]] = {}
    for each in found.offers:
        entry = products.setdefault(
            each.offer.product,
            {
                "product": each.offer.product,
                "title": each.offer.title.model_dump(by_alias=True),
                "regions": [],
                "columns": {
                    name: column.model_dump(mode="json", exclude_none=True)
                    for name, column in each.offer.columns.items()
                },
                "disclosure": {},
            },
        )
        regions, disclosure = entry["regions"], entry["disclosure"]
        assert isinstance(regions, list)
        assert isinstance(disclosure, dict)
        regions.append(each.region)
        disclosure[each.region] = each.offer.disclosure.model_dump(mode="json")
    rules = [
        {
            "region": note.region,
            "product": note.product,
            "action": note.action,
            "purpose": note.purpose,
            "outcome": note.outcome,
            "rule": note.rule,
            "basis": note.basis,
        }
        for note in found.rules
    ]
    return {
        "products": list(products.values()),
        "rules": rules,
        "attached": sorted(found.attached),
    }
