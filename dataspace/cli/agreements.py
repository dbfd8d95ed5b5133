"""`gba agreement propose | counter | accept | revoke | show | list | export`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from dataspace.cli.agreements_shown import as_json, print_agreement, print_agreements, print_signed
from dataspace.cli.auditing import moment
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import print_json
from dataspace.client import agreeing
from dataspace.client.agreeing import Asks, Signed, agreement_at, agreements_at
from dataspace.client.homes import actor_home
from dataspace.client.local_asking import LocalNode
from dataspace.client.session import Session
from dataspace.errors import Malformed, Unavailable
from dataspace.home import PartyHome
from dataspace.policy.agreements import Agreement
from dataspace.policy.odrl import (
    agreement_as_odrl,
    catalogue_as_dcat,
    catalogue_of_agreement,
    statistics_offer,
)
from dataspace.policy.standing import overlap
from dataspace.policy.terms import ALL, Terms
from dataspace.processes import now_ms

app = typer.Typer(help="agreements between regions", no_args_is_help=True)

DAYS_MS = 86_400_000
DEFAULT_DAYS = 365

_Name = Annotated[str, typer.Argument(help="its id, or the first letters of it")]
_Provider = Annotated[str | None, typer.Option("--provider", help="REGION or REGION/MEMBER")]
_Consumer = Annotated[str | None, typer.Option("--consumer", help="REGION or REGION/MEMBER")]
_Products = Annotated[list[str] | None, typer.Option("--product", help="again for another; or *")]
_Columns = Annotated[list[str] | None, typer.Option("--column", help="PRODUCT.COLUMN; or *")]
_Purposes = Annotated[list[str] | None, typer.Option("--purpose", help="an ActReason code")]
_Basis = Annotated[str | None, typer.Option("--basis", help="GBA-SC, HK-PDPO+MO-PDPA, …")]
_Filing = Annotated[str | None, typer.Option("--filing", help="reference of the filing")]
_Impact = Annotated[
    str | None, typer.Option("--impact-assessment", help="reference of the assessment")
]
_Retention = Annotated[int | None, typer.Option("--retention-days", min=0)]
_Onward = Annotated[bool | None, typer.Option("--onward-transfer/--no-onward-transfer")]
_From = Annotated[str, typer.Option("--from", help="2027-01-01, UTC; at once unless given")]
_Until = Annotated[str, typer.Option("--until", help=f"not included; {DEFAULT_DAYS} days on")]
_Budget = Annotated[int | None, typer.Option("--budget", min=0, help="answers; 0: not counted")]


class Export(StrEnum):
    """What an agreement is written as."""

    ODRL = "odrl"
    DCAT = "dcat"


@app.command()
@told
def propose(
    provider: _Provider = None, consumer: _Consumer = None, product: _Products = None,
    column: _Columns = None, purpose: _Purposes = None, basis: _Basis = None,
    filing: _Filing = None, impact_assessment: _Impact = None, retention_days: _Retention = None,
    onward_transfer: _Onward = None, from_: _From = "", until: _Until = "",
    budget: _Budget = None, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Begin an agreement: your region requests where it consumes, and offers where it provides."""
    start = moment(from_) or now_ms()
    beginning: dict[str, Any] = {
        "products": [ALL], "columns": [ALL], "retention_days": 30, "not_before_ms": start,
        "not_after_ms": start + DEFAULT_DAYS * DAYS_MS,
    }  # fmt: skip
    given = _given(provider, consumer, product, column, purpose, basis, filing, impact_assessment,
                   retention_days, onward_transfer, from_, until, budget)  # fmt: skip
    terms = Terms.of(beginning | given)
    operator = actor_home(home, actor)
    with Session(operator) as session:
        _tell(session, operator, agreeing.propose(session, operator.uri, terms), format_)


@app.command()
@told
def counter(
    agreement: _Name, provider: _Provider = None, consumer: _Consumer = None,
    product: _Products = None, column: _Columns = None, purpose: _Purposes = None,
    basis: _Basis = None, filing: _Filing = None, impact_assessment: _Impact = None,
    retention_days: _Retention = None, onward_transfer: _Onward = None, from_: _From = "",
    until: _Until = "", budget: _Budget = None, home: HomeOption = None,
    actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Answer with other terms: those of the agreement, but for what you give."""
    given = _given(provider, consumer, product, column, purpose, basis, filing, impact_assessment,
                   retention_days, onward_transfer, from_, until, budget)  # fmt: skip
    operator = actor_home(home, actor)
    with Session(operator) as session:
        held = agreement_at(session, operator.uri.region, agreement)
        terms = Terms.of(held.agreement.terms.model_dump(mode="json") | given)
        signed = agreeing.counter(session, operator.uri, held.agreement, terms)
        _tell(session, operator, signed, format_)


@app.command()
@told
def accept(
    agreement: _Name, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Sign the next step: agreed, verified, finalised, each by the party whose turn it is."""
    operator = actor_home(home, actor)
    with Session(operator) as session:
        held = agreement_at(session, operator.uri.region, agreement)
        signed = agreeing.accept(session, operator.uri, held.agreement)
        _tell(session, operator, signed, format_)


@app.command()
@told
def revoke(
    agreement: _Name,
    reason: Annotated[str, typer.Option("--reason", help="in a few words")] = "revoked",
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """End an agreement, for good and at once, as either party.

    While the broker cannot be reached your own node ends it; revoke it again afterwards, so
    that the other party hears of it.
    """
    operator = actor_home(home, actor)
    with Session(operator) as session:
        try:
            held = agreement_at(session, operator.uri.region, agreement)
            signed = agreeing.revoke(session, operator.uri, held.agreement, reason)
        except Unavailable:
            node = LocalNode(operator)
            held = agreement_at(node, operator.uri.region, agreement)
            signed = agreeing.revoke(node, operator.uri, held.agreement, reason)
            _tell(node, operator, signed, format_, by_broker=False)
        else:
            _tell(session, operator, signed, format_)


@app.command()
@told
def show(
    agreement: _Name, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """One agreement: terms, every signed step, and which others it overlaps with."""
    asker = actor_home(home, actor)
    with Session(asker) as session:
        held = agreement_at(session, asker.uri.region, agreement)
        others = [
            each for each in agreements_at(session, asker.uri.region)
            if each.id != held.id and overlap(each.agreement.terms, held.agreement.terms)
        ]  # fmt: skip
    if format_ is Format.JSON:
        print_json(as_json(held, now_ms(), others))
    else:
        print_agreement(held, now_ms(), others)


@app.command("list")
@told
def list_(
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE
) -> None:
    """The agreements that your region is a party of."""
    asker = actor_home(home, actor)
    with Session(asker) as session:
        found = agreements_at(session, asker.uri.region)
    if format_ is Format.JSON:
        print_json({"agreements": [as_json(each, now_ms()) for each in found]})
    else:
        print_agreements(found, now_ms())


@app.command()
@told
def export(
    agreement: Annotated[str, typer.Argument(help="its id; none for the whole catalogue")] = "",
    as_: Annotated[
        list[str] | None, typer.Option("--as", help="odrl or dcat; and again for who asks")
    ] = None,
    region: Annotated[str, typer.Option("--region", help="whose catalogue; your own")] = "",
    home: HomeOption = None,
) -> None:
    """Print JSON-LD of the Dataspace Protocol 2025-1, for other connectors to read."""
    form, actor = _form_and_actor(as_ or [])
    asker = actor_home(home, actor)
    endpoint = f"https://{asker.broker_address}"
    with Session(asker) as session:
        if agreement:
            held = agreement_at(session, asker.uri.region, agreement)
            print_json(_exported(session, held.agreement, form, endpoint))
        elif form is Export.ODRL:
            raise Malformed("name the agreement to export as odrl", code="export")
        else:
            print_json(_catalogue(session, region or asker.uri.region, endpoint))


def _form_and_actor(given: list[str]) -> tuple[Export, str | None]:
    """`--as` says both what to write and, as everywhere, who asks: an actor has a slash."""
    forms = [each for each in given if "/" not in each]
    actors = [each for each in given if "/" in each]
    if len(actors) > 1 or len(forms) != 1 or forms[0] not in set(Export):
        raise Malformed(
            "say --as odrl or --as dcat, and --as REGION/ROLE for who asks", code="export"
        )
    return Export(forms[0]), (actors[0] if actors else None)


def _exported(session: Session, agreement: Agreement, as_: Export, endpoint: str) -> dict[str, Any]:
    if as_ is Export.ODRL:
        return agreement_as_odrl(agreement)
    offers = {
        each.offer.product: each.offer
        for each in session.catalogue().offers
        if each.region == agreement.terms.provider_region
    }
    return catalogue_of_agreement(agreement, offers, endpoint)


def _catalogue(session: Session, region: str, endpoint: str) -> dict[str, Any]:
    found = session.catalogue()
    offers = {each.offer.product: each.offer for each in found.offers if each.region == region}
    permitted: dict[str, list[str]] = {name: [] for name in offers}
    for note in found.rules:
        if note.region == region and note.outcome == "permit" and note.product in permitted:
            permitted[note.product].append(note.purpose)
    policies = {
        name: statistics_offer(region, name, purposes) for name, purposes in permitted.items()
    }
    return catalogue_as_dcat(region, offers, endpoint, policies)


def _given(
    provider: str | None, consumer: str | None, product: list[str] | None,
    column: list[str] | None, purpose: list[str] | None, basis: str | None, filing: str | None,
    impact_assessment: str | None, retention_days: int | None, onward_transfer: bool | None,
    from_: str, until: str, budget: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The terms that were given on the command line."""
    named = {
        "provider": provider, "consumer": consumer, "basis": basis, "filing": filing,
        "impact_assessment": impact_assessment, "retention_days": retention_days,
        "onward_transfer": onward_transfer, "budget": budget,
        "products": sorted(set(product)) if product else None,
        "columns": sorted(set(column)) if column else None,
        "purposes": sorted(set(purpose)) if purpose else None,
        "not_before_ms": moment(from_) or None, "not_after_ms": moment(until) or None,
    }  # fmt: skip
    return {name: value for name, value in named.items() if value is not None}


def _tell(
    session: Asks, operator: PartyHome, signed: Signed, format_: Format, *, by_broker: bool = True
) -> None:
    others = [
        each for each in agreements_at(session, operator.uri.region)
        if each.id != signed.held.id
        and overlap(each.agreement.terms, signed.held.agreement.terms)
    ]  # fmt: skip
    if format_ is Format.JSON:
        print_json(as_json(signed.held, now_ms(), others) | {"waiting": signed.waiting})
    else:
        print_signed(signed, now_ms(), others, by_broker=by_broker)
