"""The `gba` command."""

from __future__ import annotations

from typing import Annotated

import typer

from dataspace import __version__
from dataspace.cli import (
    agreements,
    asking,
    audit,
    auditing,
    certifying,
    consents,
    crosscheck,
    deciding,
    erasing,
    evidence,
    governing,
    identity,
    joining,
    keeping,
    log_files,
    node,
    policies,
    reconciling,
    redeciding,
    reviews,
    space,
    subjects,
    trust,
)
from dataspace.cli.demo import demo
from dataspace.cli.doctor import doctor

app = typer.Typer(
    name="gba",
    help="The Greater Bay Area's trusted data space: data stays at home, permitted results leave.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(space.app, name="space")
app.add_typer(node.app, name="node")
app.add_typer(audit.app, name="audit")
audit.app.command("search")(auditing.search)
audit.app.command("tail")(auditing.tail)
audit.app.command("show")(auditing.show)
audit.app.command("reconcile")(reconciling.reconcile_logs)
audit.app.command("subject")(subjects.subject)
audit.app.command("erase")(erasing.erase)
audit.app.command("proof")(log_files.proof)
audit.app.command("check-proof")(log_files.check_proof)
app.add_typer(trust.app, name="trust")
app.add_typer(identity.app, name="identity")
identity.app.command("request")(certifying.request)
identity.app.command("issue")(certifying.issue)
identity.app.command("install")(certifying.install)
identity.app.command("rotate")(certifying.rotate)
app.command("join")(joining.join)
app.add_typer(evidence.app, name="evidence")
audit.app.command("export")(evidence.export)
app.add_typer(policies.app, name="policy")
app.add_typer(governing.app, name="govern")
policies.app.command("explain")(deciding.explain_request)
policies.app.command("replay")(redeciding.replay)
app.add_typer(agreements.app, name="agreement")
app.add_typer(consents.app, name="consent")
audit.app.command("reviews")(reviews.reviews)
audit.app.command("review")(reviews.review)
app.add_typer(crosscheck.app, name="crosscheck")
crosscheck.app.command("overlap", help="How cohorts of regions overlap: `gba query` by this name.")(
    asking.query
)
app.add_typer(keeping.app, name="backup")
app.command("restore")(keeping.restore)
app.command("query")(asking.query)
app.command("catalog")(asking.catalog)
app.command("demo")(demo)
app.command("doctor")(doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gba-dataspace {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """The Greater Bay Area's trusted data space."""


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
