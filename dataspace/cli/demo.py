"""`gba demo`: the story of README.md in a fresh space, from nothing to verified logs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli import supervising
from dataspace.cli.asking import progress_bars
from dataspace.cli.audit import verify_logs
from dataspace.cli.demo_patient import tell_of_a_patient
from dataspace.cli.options import Format, told
from dataspace.cli.output import out, print_release, print_rows
from dataspace.cli.space import make_space
from dataspace.client import connect
from dataspace.errors import Refused, Unverified

QUESTION = (
    "SELECT region, count(distinct person) AS patients, avg(age) AS mean_age "
    "FROM patients WHERE smoker = true GROUP BY region ORDER BY region"
)
FORBIDDEN = "SELECT brca, count(*) AS n FROM conditions GROUP BY brca"

ACROSS = (
    "SELECT h.region AS in_hongkong, m.region AS in_macao, count(distinct g.person) AS patients "
    "FROM guangzhou.conditions g LEFT JOIN hongkong.patients h ON g.person = h.person "
    "LEFT JOIN macao.patients m ON g.person = m.person "
    "WHERE g.category = 'diabetes' GROUP BY h.region, m.region"
)
SEED = 1


@told
def demo(
    patients: Annotated[int, typer.Option(min=1, help="synthetic patients a region")] = 20_000,
    home: Annotated[
        Path | None, typer.Option("--home", help="keep the space here instead of removing it")
    ] = None,
) -> None:
    """Everything in a minute: make a space, ask, also across regions, be refused, verify, stop."""
    with tempfile.TemporaryDirectory(prefix="gba-demo-") as folder:
        _tell_story(home or Path(folder) / "space", patients)


def _tell_story(home: Path, patients: int) -> None:
    start = time.monotonic()

    def step(text: str) -> None:
        out.print(f"[dim]{time.monotonic() - start:5.1f} s[/]  [bold]{text}[/]")

    step(f"making a space: broker, three nodes, {patients:,} synthetic patients a region")
    make_space(home, patients=patients, seed=SEED)
    step("starting the broker and the nodes, each a process that reads its own directory alone")
    supervising.start_space(home)
    try:
        _ask(home, step)
        tell_of_a_patient(home, patients, SEED, step)
        step("verifying every hash and signature of the four audit logs")
        _verify(home)
    finally:
        supervising.stop_space(home)
    step("stopped; nothing is left running")


def _ask(home: Path, step: supervising.Tell) -> None:
    step("a researcher in Hong Kong asks three regions, for health research (HRESCH)")
    out.print(f"         [cyan]{QUESTION}[/]")
    with connect(home, "hongkong/researcher") as session:
        print_release(session.query(QUESTION, purpose="HRESCH"), Format.TABLE)
        step("how many of Guangzhou's diabetic patients are also known in Hong Kong or Macao?")
        out.print(f"         [cyan]{ACROSS}[/]")
        with progress_bars() as told:
            known = session.query(ACROSS, purpose="HRESCH", on_progress=told)
        print_release(known, Format.TABLE)
        out.print("         found by blinding and matching; no region and no broker saw who it is")
        step("the same researcher asks for a genetic marker, which a negative list forbids")
        out.print(f"         [cyan]{FORBIDDEN}[/]")
        try:
            session.query(FORBIDDEN, purpose="HRESCH")
        except Refused as refusal:
            out.print(f"         refused: {refusal.message}")
            out.print(f"         rule     {refusal.rule}")
            out.print(f"         basis    {refusal.basis}")
        else:
            raise Unverified("the forbidden question was answered", code="demo")


def _verify(home: Path) -> None:
    checks = verify_logs(home)
    print_rows(
        ["log", "entries", "result"],
        [
            (c.origin, c.verified.size if c.verified else None, c.reason or "verified")
            for c in checks
        ],
    )
    for check in checks:
        if check.verified is None:
            raise Unverified(f"the log of {check.owner}: {check.reason}", code="log")
