"""From numpy to Arrow: fixed-width text, labels, dates. Knows nothing of patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Glyphs = npt.NDArray[np.uint8]
"""ASCII codes, shape (rows, width)."""

ZERO = ord("0")


def digits(values: Ints, width: int) -> Glyphs:
    """The decimal digits of `values`, with leading zeros, shape (rows, width)."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % 10 + ZERO).astype(np.uint8)


def glyphs(alphabet: str, picks: Ints) -> Glyphs:
    """One character of `alphabet` a row."""
    return np.frombuffer(alphabet.encode("ascii"), dtype=np.uint8)[picks][:, None]


def constant(text: str, rows: int) -> Glyphs:
    """The same text in every row."""
    return np.tile(np.frombuffer(text.encode("ascii"), dtype=np.uint8), (rows, 1))


def fixed_text(*parts: Glyphs) -> pa.Array:
    """Rows of ASCII characters, side by side, as an Arrow string array."""
    table = np.ascontiguousarray(np.concatenate(parts, axis=1))
    rows, width = table.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(table))


def labels(levels: Sequence[str], picks: Ints) -> pa.Array:
    """One of `levels` a row, as an Arrow string array."""
    return pa.array(levels, pa.string()).take(pa.array(picks))


def dates(days: Ints) -> pa.Array:
    """Days since 1970-01-01 as an Arrow date32 array."""
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def where(present: Bools, values: pa.Array) -> pa.Array:
    """`values`, null wherever not `present`."""
    return pc.if_else(pa.array(present), values, pa.scalar(None, values.type))


def pick(rng: np.random.Generator, weights: Sequence[float], rows: int) -> Ints:
    """Indices drawn by weight."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    drawn: Ints = np.searchsorted(edges, rng.random(rows) * edges[-1], side="right")
    return np.minimum(drawn, len(weights) - 1)
