"""Publishing products at a region's node: the operator signs, the node builds. Rim."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataspace.cli.supervising import run_node_load
from dataspace.errors import Malformed
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.query.product_file import parse_product
from dataspace.v1.catalogue_pb2 import ProductOffer


@dataclass(frozen=True)
class Load:
    """One product to load: its file's bytes, and the data files."""

    product_file: bytes
    data: Sequence[Path]


def load_products(
    node_home: PartyHome, loads: Sequence[Load], operator: PartyHome | None = None
) -> dict[str, int]:
    """Sign each product as the region's operator and load them all, or none.

    Returns rows by product. Raises what the node found wrong.
    """
    operator = operator or PartyHome(node_home.path / "operator")
    if operator.uri.role != "operator" or operator.uri.region != node_home.uri.region:
        raise Malformed(
            f"only {node_home.uri.region}'s operator publishes its products", code="operator"
        )
    with tempfile.TemporaryDirectory(prefix="gba-load-") as folder:
        jobs = []
        for number, load in enumerate(loads):
            product, offer = Path(folder) / f"{number}.yaml", Path(folder) / f"{number}.dsse"
            product.write_bytes(load.product_file)
            offer.write_bytes(_signed_offer(load.product_file, operator))
            files = [str(each.resolve()) for each in load.data]
            jobs.append({"product": str(product), "offer": str(offer), "files": files})
        listing = Path(folder) / "jobs.json"
        listing.write_text(json.dumps(jobs))
        reply = run_node_load(node_home.path.resolve(), listing)
    loaded = reply["loaded"]
    assert isinstance(loaded, dict)
    return {str(name): int(rows) for name, rows in loaded.items()}


def read_product_file(path: Path) -> bytes:
    """The bytes of a product file. Raises `Malformed` where it is not there."""
    try:
        return path.read_bytes()
    except OSError:
        raise Malformed(f"{path} is not a readable file", code="product-file") from None


def published(node_home: PartyHome) -> list[Load]:
    """The products that a node offers now, to be signed and published once more without data."""
    warehouse = node_home.path / "warehouse"
    try:
        folder = warehouse / (warehouse / "CURRENT").read_text().strip() / "products"
        files = sorted(folder.glob("*.yaml"))
        found = [Load(file.read_bytes(), ()) for file in files]
    except OSError:
        found = []
    if not found:
        raise Malformed(
            f"{node_home.uri.region} offers nothing yet; see `gba node load`", code="product"
        )
    return found


def _signed_offer(product_file: bytes, operator: PartyHome) -> bytes:
    product = parse_product(product_file)
    offer = ProductOffer(
        region=operator.uri.region,
        product=product.product,
        definition_json=product.offer().canonical_json().decode(),
        file_sha256=hashlib.sha256(product_file).digest(),
        published_at_ms=time.time_ns() // 1_000_000,
    )
    return seal(offer, operator.identity).SerializeToString()
