"""HMAC of match keys, computed by the engine in whole columns: the `keyed` tier's tags. Rim.

In a database of its own in memory, which ends with the call: neither match keys nor the
session's keys are ever in a file or in a statement's text.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from dataspace.errors import Unavailable
from dataspace.linkage.keyed import Pads
from dataspace.linkage.match_keys import Digests
from node.warehouse.keyed import hmac_expression

_LOCKED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
}


def tag_slots(digests: Digests, pads: Sequence[Pads]) -> Digests:
    """The tags of match keys, shape (subjects, slots, 32), each slot under its own key.

    Raises `Unavailable` (`engine-error`).
    """
    count, slots, width = digests.shape
    tags = np.empty((count, slots, width), np.uint8)
    if not count:
        return tags
    try:
        with duckdb.connect(config=_LOCKED) as connection:
            for slot, own in enumerate(pads):
                connection.register("subjects", _table(digests[:, slot]))
                sql = (
                    f"SELECT {hmac_expression('k', 'inner_pad', 'outer_pad')} AS tag FROM subjects"  # noqa: S608 - no value is in it
                )
                values = {"inner_pad": own.inner, "outer_pad": own.outer}
                found = connection.execute(sql, values).fetchall()
                tags[:, slot] = np.frombuffer(b"".join(tag for (tag,) in found), np.uint8).reshape(
                    count, width
                )
                connection.unregister("subjects")
    except duckdb.Error:
        # SECURITY: the engine's text may quote values.
        raise Unavailable("the engine could not answer", code="engine-error") from None
    return tags


def _table(keys: Digests) -> pa.Table:
    packed = np.ascontiguousarray(keys)
    fixed = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(keys.shape[1]), len(keys), [None, pa.py_buffer(packed.tobytes())]
    )
    return pa.table({"k": fixed.cast(pa.binary())})
