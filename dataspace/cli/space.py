"""`gba space init | up | down | status`."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli import supervising
from dataspace.cli.demo_agreements import make_demo_agreements
from dataspace.cli.founding import check_free, clear_half_made, found_space, is_space, mark_whole
from dataspace.cli.loading import Load, load_products
from dataspace.cli.options import Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import space_home
from dataspace.errors import Unavailable
from dataspace.home import PartyHome, brokers_of
from dataspace.identity.names import REGIONS
from dataspace.identity.replicas import MOST_BROKERS

app = typer.Typer(help="make, start and stop a space on one machine", no_args_is_help=True)

HomeArgument = Annotated[Path | None, typer.Argument(help="the space's directory [GBA_HOME]")]


@app.command()
@told
def init(
    home: Annotated[Path, typer.Argument(help="the directory to make the space in")],
    patients: Annotated[int, typer.Option(min=1, help="synthetic patients a region")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="seed of the synthetic patients")] = 1,
    empty: Annotated[bool, typer.Option("--empty", help="without data and products")] = False,
    no_agreements: Annotated[
        bool, typer.Option("--no-agreements", help="without demo agreements")
    ] = False,
    brokers: Annotated[
        int, typer.Option("--brokers", min=1, max=MOST_BROKERS, help="how many broker replicas")
    ] = 1,
) -> None:
    """Make a space: a directory for each party with only its own keys, data and trust list."""
    make_space(home, patients=None if empty else patients, seed=seed, agreements=not no_agreements,
               brokers=brokers)  # fmt: skip
    out.print(f"space made in {home}; start it with `gba space up {home}`")


def make_space(
    home: Path, *, patients: int | None, seed: int, agreements: bool = True, brokers: int = 1
) -> None:
    """Found a space and load its synthetic patients; takes back what it made on failure."""
    check_free(home)
    try:
        found_space(home, brokers=brokers)
        if agreements:
            make_demo_agreements(home)
        if patients is not None:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda region: _load_patients(home, region, patients, seed), REGIONS))
        mark_whole(home)
    except BaseException:
        clear_half_made(home)
        raise


def _load_patients(home: Path, region: str, patients: int, seed: int) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - the broker's image has none, and it is slow to load

    from dataspace.synthetic import generate_region, product_text  # noqa: PLC0415 - likewise

    with tempfile.TemporaryDirectory(prefix="gba-patients-") as folder:
        loads = []
        for name, table in generate_region(region, patients, seed).items():
            file = Path(folder) / f"{name}.parquet"
            pq.write_table(table, file)
            loads.append(Load(product_text(region, name), [file]))
        load_products(PartyHome(home / region), loads)


@app.command()
@told
def up(
    home: HomeArgument = None,
    home_option: HomeOption = None,
    detach: Annotated[bool, typer.Option("--detach", help="return once it is ready")] = False,
) -> None:
    """Start the broker, the three nodes and their witnesses, each as a process of its own."""
    root = _space(home or home_option)
    supervising.start_space(root)
    addresses = [PartyHome(root / name).listen_address for name in brokers_of(root)]
    named = f"broker{'s' if len(addresses) > 1 else ''} at {', '.join(addresses)}"
    out.print(f"space ready: {named}, {len(REGIONS)} nodes and their witnesses attached")
    if detach:
        return
    try:
        supervising.watch(root)
    except KeyboardInterrupt:
        out.print("stopping")
    finally:
        supervising.stop_space(root)


@app.command()
@told
def down(home: HomeArgument = None, home_option: HomeOption = None) -> None:
    """Stop what `up` started."""
    root = _space(home or home_option)
    stopped = supervising.stop_space(root)
    out.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@app.command()
@told
def status(
    home: HomeArgument = None,
    home_option: HomeOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Show each party's process. Exit 5 where one is not ready."""
    root = _space(home or home_option)
    found = supervising.status_of(root)
    if format_ is Format.JSON:
        print_json({"parties": [vars(each) for each in found]})
    else:
        print_rows(
            ["party", "process", "stage", "memory MB", "reason"],
            [(p.party, str(p.pid or ""), p.stage, p.memory_mb, p.reason) for p in found],
        )
    late = [each for each in found if each.stage not in {"serving", "attached"}]
    if late:
        raise Unavailable(
            f"{', '.join(each.party for each in late)} not ready", code="space-not-ready"
        )


def _space(home: Path | None) -> Path:
    root = space_home(home)
    if not is_space(root):
        raise Unavailable(
            f"{root} holds no space; make one with `gba space init {root}`", code="home-missing"
        )
    return root
