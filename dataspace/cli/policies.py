"""`gba policy test | check`: what a policy folder's authors hold it against."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.homes import HOME_VARIABLE, actor_home, space_home
from dataspace.client.session import Session
from dataspace.errors import Malformed
from dataspace.home import CONFIG
from dataspace.joining import installed_policies
from dataspace.policy.checking import CheckReport, Offered, check
from dataspace.policy.requests import REGIONS
from dataspace.policy.rules import Rule
from dataspace.policy.store import read_folder, read_tables
from dataspace.policy.tables import TableReport, run_tables
from dataspace.processes import now_ms

app = typer.Typer(help="rules: explain, test, check, replay", no_args_is_help=True)

PoliciesOption = Annotated[
    Path | None,
    typer.Option("--policies", help="a policy folder; by default the home's, or the installed one"),
]


@app.callback()
def _group() -> None:
    """Commands about rules."""


def chosen_folder(policies: Path | None, home: Path | None) -> Path:
    """The folder named; else a party's own, or of a space the broker's; else the installed one."""
    if policies is not None:
        return policies
    if home is None and not os.environ.get(HOME_VARIABLE):
        return installed_policies()
    root = space_home(home)
    for folder in (root / "policies", root / "broker" / "policies"):
        if folder.is_dir():
            return folder
    return installed_policies()


@app.command("test")
@told
def run_tests(
    policies: PoliciesOption = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Run the decision tables of a policy folder. Exit 3 where a case goes otherwise.

    Names the rules that no case exercises.
    """
    del actor  # tables need nobody
    folder = chosen_folder(policies, home)
    report = run_tables(read_folder(folder), read_tables(folder))
    if format_ is Format.JSON:
        print_json(_tested(report))
    else:
        _print_tested(report)
    if not report.passed:
        first = report.failures[0]
        raise Malformed(
            f"{len(report.failures)} of {report.cases} cases go otherwise, the first in "
            f"{first.source}: {first.case}; change the rule or the case",
            code="decision-table",
        )
    if not report.cases:
        raise Malformed(f"{folder} has no decision tables in tests/", code="decision-table")


@app.command("check")
@told
def run_check(
    policies: PoliciesOption = None,
    product: Annotated[
        list[str] | None,
        typer.Option("--product", help="REGION/NAME or REGION/NAME:CATEGORY,…; may be repeated"),
    ] = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Find rules that no request can reach and products with no rule. Exit 3 where there are any.

    Goes through every role, route, action, purpose, basis, emergency, single category and state
    of agreement and consent. Products are those given, and with --as those of the catalogue.
    """
    folder = chosen_folder(policies, home)
    offered = [_product(each) for each in product or ()]
    if actor is not None:
        offered += _catalogue(home, actor)
    report = check(read_folder(folder), offered, now_ms())
    if format_ is Format.JSON:
        print_json(_checked(report, len(offered)))
    else:
        _print_checked(report, offered)
    if not report.passed:
        raise Malformed("the policy set has rules or products that decide nothing; see above",
                        code="policy-check")  # fmt: skip


def _product(text: str) -> Offered:
    place, _, categories = text.partition(":")
    region, _, name = place.partition("/")
    if region not in REGIONS or not name:
        raise Malformed(f"{text!r} is no product: write REGION/NAME:CATEGORY,…", code="product")
    return Offered(region, name, frozenset(categories.split(",")) - {""})


def _catalogue(home: Path | None, actor: str) -> list[Offered]:
    root = space_home(home)
    own = actor_home(root if not (root / CONFIG).is_file() else home, actor)
    with Session(own) as session:
        offers = session.catalogue().offers
    return [
        Offered(
            each.region,
            each.offer.product,
            frozenset(name for column in each.offer.columns.values() for name in column.categories),
        )
        for each in offers
    ]


def _tested(report: TableReport) -> dict[str, object]:
    return {
        "policy_sha256": report.policy_sha256,
        "cases": report.cases,
        "rules": report.rules,
        "coverage": report.coverage,
        "unexercised": list(report.unexercised),
        "failures": [vars(each) for each in report.failures],
    }


def _print_tested(report: TableReport) -> None:
    for each in report.failures:
        out.print(f"{each.source}: {each.case}", markup=False, soft_wrap=True)
        out.print(f"  expected {each.expected}, found {each.found}", markup=False, soft_wrap=True)
    for rule in report.unexercised:
        out.print(f"no case exercises {rule}", markup=False)
    out.print(
        f"{report.cases} cases, {len(report.failures)} go otherwise; coverage "
        f"{report.coverage:.0%} of {report.rules} rules"
    )


def _checked(report: CheckReport, products: int) -> dict[str, object]:
    return {
        "policy_sha256": report.policy_sha256,
        "unreachable": [_place(rule) for rule in report.unreachable],
        "overruled": [_place(rule) for rule in report.overruled],
        "products": products,
        "products_without_rule": [f"{each.region}/{each.product}" for each in report.unruled],
        "closed_categories": [
            {"product": f"{each.region}/{each.product}", "category": category}
            for each, category in report.closed_categories
        ],
        "evaluated": report.evaluated,
    }


def _place(rule: Rule) -> dict[str, object]:
    return {"rule": rule.id, "file": rule.source, "line": rule.line}


def _print_checked(report: CheckReport, offered: list[Offered]) -> None:
    lines = [
        *(f"{r.source}:{r.line}: no request reaches {r.id}" for r in report.unreachable),
        *(f"{r.source}:{r.line}: forbids always overrule {r.id}" for r in report.overruled),
        *(f"{each.region}/{each.product}: no rule permits anything" for each in report.unruled),
        *(
            f"{each.region}/{each.product}: nothing of category {category} may leave (no fault)"
            for each, category in report.closed_categories
        ),
        f"{len(offered)} products checked, {report.evaluated} evaluations"
        + ("" if offered else "; name products with --product, or --as to read the catalogue"),
    ]
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
