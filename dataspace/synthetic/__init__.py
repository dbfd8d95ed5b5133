"""Synthetic patients of the three regions, drawn from a seed. Nobody in them is real.

`generate` and `generate_region` are pure: the same seed and size give the same tables,
in one process or in three. `truth` says which records are the same human being; it is
for tests and never goes into a node.
"""

from __future__ import annotations

from dataspace.synthetic.places import REFERENCE_DATE, REGIONS
from dataspace.synthetic.product_files import TABLES, product_text
from dataspace.synthetic.space import SyntheticSpace, generate, generate_region, truth

__all__ = [
    "REFERENCE_DATE",
    "REGIONS",
    "TABLES",
    "SyntheticSpace",
    "generate",
    "generate_region",
    "product_text",
    "truth",
]
