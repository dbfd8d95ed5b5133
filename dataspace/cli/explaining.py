"""`gba query --explain`: what each node would do, and what to write instead."""

from __future__ import annotations

from typing import Any

from dataspace.cli.options import Format
from dataspace.cli.output import out, print_json
from dataspace.client.explanations import NodeExplanation
from dataspace.client.session import Session
from dataspace.errors import Malformed
from dataspace.home import PartyHome
from dataspace.query.hints import nearest_form


def explain_query(
    sql: str, purpose: str, project: str, home: PartyHome, format_: Format, *,
    distinct: str = "", tier: str = "",
) -> None:  # fmt: skip
    """Print explanations; a malformed query is explained and then raised."""
    try:
        with Session(home) as session:
            found = session.explain(
                sql, purpose=purpose, project=project, distinct=distinct, tier=tier
            )
    except Malformed as error:
        nearest = nearest_form(error)
        if nearest and format_ is Format.TABLE:
            out.print(f"nearest permitted form: {_plain(nearest)}")
        elif format_ is Format.JSON:
            print_json({"nodes": [], "malformed": error.message, "nearest": nearest})
        raise
    if format_ is Format.JSON:
        print_json(
            {"nodes": [{"region": e.region, "status": e.status, **e.content} for e in found]}
        )
        return
    for each in found:
        _print(each)


def _print(each: NodeExplanation) -> None:
    _line(f"[bold]{each.region}[/]: {each.status}")
    for line in each.content.get("tree", []):
        _line(f"  {_plain(line)}")
    for name, product in each.content.get("products", {}).items():
        _line(f"  product {name}: {product['outcome']}")
        _line(f"    columns     {', '.join(product['columns']) or '–'}")
        _line(f"    categories  {', '.join(product['categories']) or '–'}")
        for rule in product["rules"]:
            _line(f"    rule        {rule['rule']}: {_plain(rule['message'])}")
            _line(f"    basis       {_plain(rule['basis'])}")
        shown = ", ".join(f"{key} {value}" for key, value in product["disclosure"].items())
        _line(f"    disclosure  {_plain(shown)}")
        if agreed := product.get("agreements"):
            digests = ", ".join(each[:16] + "…" for each in agreed["digests"])
            _line(f"    agreements  {agreed['state']}{digests and f': {digests}'}")
    if round_ := each.content.get("round"):
        _print_round(round_)
    for key in ("error", "rule", "basis", "nearest"):
        if each.content.get(key):
            _line(f"  {key}: {_plain(str(each.content[key]))}")


def _print_round(told: dict[str, Any]) -> None:
    _line(f"  round between {' and '.join(told['regions'])}, {told['tier']} tier")
    for number, names in enumerate(told["match"], start=1):
        _line(f"    match {number}     {_plain(names)}")
    shown = ", ".join(f"{key} {value}" for key, value in told["disclosure"].items())
    _line(f"    disclosure  {_plain(shown)}, the strictest of all sides")


def _line(text: str) -> None:
    # A line is never broken here, so that what reads it line by line finds it whole.
    out.print(text, soft_wrap=True)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
