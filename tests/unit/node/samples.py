"""A product file and ways to load it, the same in every test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dataspace.query.product_file import parse_product
from node.warehouse.generations import Generation
from node.warehouse.loader import build

TRIAL = """\
product: trial
title: {en: Trial}
source: select * from trial
subject: pidnum
columns:
  sex: {type: varchar, role: dimension, levels: [F, M]}
  arm: {type: integer, role: dimension, levels: [0, 1, 2]}
  since: {type: date, role: dimension}
  age: {type: double, role: measure, bounds: [0, 120]}
"""
HEADER = "pidnum,sex,arm,since,age\n"
ROWS = "".join(
    f"p{n},{'FM'[n % 2]},{n % 3},2020-01-{n % 28 + 1:02},{20 + n % 60}\n" for n in range(30)
)


def draft(folder: Path) -> Generation:
    """An empty generation to build in."""
    for name in ("products", "offers"):
        (folder / "g000001" / name).mkdir(parents=True, exist_ok=True)
    return Generation(folder / "g000001")


def load(folder: Path, files: Sequence[Path], text: str = TRIAL) -> int:
    """Load files under a product; returns the number of rows."""
    return build(draft(folder), parse_product(text.encode()), text.encode(), b"signed", files)


def csv(folder: Path, rows: str = ROWS, header: str = HEADER, name: str = "trial.csv") -> Path:
    """A CSV file."""
    file = folder / name
    file.write_text(header + rows, encoding="utf-8")
    return file
