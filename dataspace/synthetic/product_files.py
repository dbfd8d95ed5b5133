"""The product files of the synthetic tables, as they ship with the package. Reads them."""

from __future__ import annotations

from importlib import resources

from dataspace.errors import Malformed
from dataspace.synthetic.places import REGIONS

TABLES = (
    "patients",
    "conditions",
    "medications",
    "allergies",
    "immunizations",
    "observations",
    "encounters",
)


def product_text(region: str, table: str) -> bytes:
    """The YAML of one region's product. Raises `Malformed` for an unknown region or table."""
    if region not in REGIONS or table not in TABLES:
        raise Malformed(
            f"there is no synthetic product {table!r} in {region!r}; "
            f"regions are {', '.join(REGIONS)}, products {', '.join(TABLES)}",
            code="synthetic-product",
        )
    root = resources.files("dataspace.synthetic") / "products"
    return (root / region / f"{table}.yaml").read_bytes()
