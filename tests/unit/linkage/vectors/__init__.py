"""Vectors that others made, in hexadecimal; each file names its source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_vectors(name: str) -> Any:
    return json.loads(Path(__file__).with_name(f"{name}.json").read_text())
