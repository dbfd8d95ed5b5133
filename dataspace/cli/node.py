"""`gba node load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dataspace.cli.loading import Load, load_products, published, read_product_file
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.homes import actor_home, region_home

app = typer.Typer(help="a region's data node", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Commands of a region's operator."""


@app.command()
@told
def load(
    region: Annotated[str, typer.Argument(help="guangzhou, hongkong or macao")],
    product: Annotated[Path, typer.Argument(help="the product file (YAML)")],
    files: Annotated[list[Path] | None, typer.Argument(help="CSV, Parquet, NDJSON, FHIR")] = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Load files into a local table named after the product, and publish the product.

    All or nothing: the node keeps answering from the earlier data until the new is whole.
    """
    node = region_home(home, region)
    operator = actor_home(home, actor) if actor else None
    loaded = load_products(node, [Load(read_product_file(product), files or [])], operator)
    if format_ is Format.JSON:
        print_json({"region": region, "loaded": loaded})
        return
    for name, rows in loaded.items():
        out.print(f"{region} offers {name}: {rows:,} rows")


@app.command()
@told
def republish(
    region: Annotated[str, typer.Argument(help="guangzhou, hongkong or macao")],
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Sign and publish all products of a node once more, with the data that is there.

    For an operator whose certificate was renewed: what the earlier one signed is in force only
    until that one ends.
    """
    node = region_home(home, region)
    operator = actor_home(home, actor) if actor else None
    loaded = load_products(node, published(node), operator)
    if format_ is Format.JSON:
        print_json({"region": region, "published": sorted(loaded)})
        return
    out.print(f"{region} offers {', '.join(sorted(loaded))}, signed anew")
