"""`gba policy explain`: why a request is decided as it is, and what would have it permitted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.auditing import LookOption, check_logs
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.cli.policies import PoliciesOption, chosen_folder
from dataspace.cli.redeciding import records_of
from dataspace.cli.subjects import Language, language_of
from dataspace.errors import Malformed
from dataspace.policy.bases import basis_of
from dataspace.policy.explaining import Explanation, explain
from dataspace.policy.requests import AccessRequest
from dataspace.policy.rules import PolicySet
from dataspace.policy.store import read_folder
from dataspace.policy.wording import change_in, lines_of, message_of
from dataspace.processes import now_ms

_From = Annotated[str, typer.Option("--from", help="the region that keeps the data")]
_To = Annotated[str, typer.Option("--to", help="the region of who asks")]
_Set = Annotated[list[str] | None, typer.Option(help="may be given again")]
_State = Annotated[str, typer.Option(help="absent, valid or expired")]


@told
def explain_request(
    entry: Annotated[
        int | None, typer.Option("--entry", min=0, help="a recorded decision, instead of the rest")
    ] = None,
    log: Annotated[str, typer.Option("--log", help="of --entry: broker or a region")] = "",
    role: str = "researcher", purpose: str = "HRESCH", action: str = "aggregate",
    product: str = "patients", from_: _From = "guangzhou", to: _To = "hongkong",
    member: str = "any-member", project: str = "", category: _Set = None, column: _Set = None,
    basis: Annotated[str, typer.Option("--basis", help="by default the route's own")] = "",
    agreement: _State = "absent", consent: _State = "absent",
    emergency: bool = False, filing: bool = False, impact_assessment: bool = False,
    onward: bool = False,
    assurance: Annotated[int, typer.Option(min=1, max=3)] = 3,
    records_this_year: Annotated[int, typer.Option(min=0)] = 1,
    policies: PoliciesOption = None,
    lang: Annotated[Language | None, typer.Option("--lang", help="by default of LANG")] = None,
    look_for: LookOption = "HOPERAT",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Say which rules decide a request, with their legal text, and what would permit it.

    With --entry it is a decision of a log (a party's own home, or a regulator's region), by the
    rules of its time. Exit 0 whether it is permitted or not.
    """
    language = (lang or language_of(os.environ)).value
    if entry is not None:
        found = _recorded(entry, log, home, actor, look_for)
    else:
        asked = AccessRequest(
            actor_uri=f"gba://{to}/{member}/{role}/explained", actor_region=to,
            actor_member=member, actor_role=role, action=action, product=product,
            product_region=from_, purpose=purpose, project=project,
            columns=frozenset(column or ()), categories=frozenset(category or ()),
            route_from=from_, route_to=to,
            legal_basis=basis or basis_of(from_, to, action, emergency=emergency),
            agreement=agreement, consent=consent, emergency=emergency, at_ms=now_ms(),
            assurance=assurance, filing=filing, impact_assessment=impact_assessment,
            onward=onward, records_this_year=records_this_year,
        )  # fmt: skip
        found = [explain(read_folder(chosen_folder(policies, home)), asked)]
    if format_ is Format.JSON:
        print_json({"language": language, "explanations": [_json(e, language) for e in found]})
        return
    for each in found:
        asked = each.request
        out.print(
            f"{asked.action} of {asked.product_region}/{asked.product} to {asked.route_to}, "
            f"{asked.actor_role}, {asked.purpose}, {asked.legal_basis}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
        for line in lines_of(each, language):
            out.print(line, markup=False, soft_wrap=True)


def _recorded(
    index: int, log: str, home: Path | None, actor: str | None, purpose: str
) -> list[Explanation]:
    with records_of(home, actor, check_logs([log])[0] if log else "", purpose) as records:
        recorded = records.at(index)
        if recorded is None:
            raise Malformed(f"entry {index} records no decision", code="entry-index")
        policies: PolicySet = records.of(recorded)
        return [explain(policies, question) for question in recorded.questions]


def _json(each: Explanation, language: str) -> dict[str, object]:
    return {
        "outcome": "permit" if each.decision.allowed else "deny",
        "policy_sha256": each.decision.policy_sha256,
        "rules": [
            {"rule": rule.id, "basis": rule.basis, "message": message_of(rule, language)}
            for rule in each.decision.rules
        ],
        "permitted_with": [
            [
                {
                    "field": change.field,
                    "value": change.left_out or change.value,
                    "said": change_in(change, language),
                }
                for change in changes
            ]
            for changes in each.permitted_with
        ],
    }
