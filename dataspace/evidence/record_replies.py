"""What a node replies about one patient: tables of rows, sealed to the asker alone. Pure.

    sealed = HPKE(reply key, info, padded NodeAnswer)        info = purpose, region, request digest

The NodeAnswer is a signed and recorded RecordReply or Refusal, as any answer of a node is.

INVARIANT: a yes, a no and "nobody here has this document" are of one size, 128 KiB, which
several records of the usual length fit in; only a longer one goes to the next class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dataspace.errors import DataspaceError, Unverified
from dataspace.evidence.answers import error_of, status_of
from dataspace.identity.dsse import parse_strictly
from dataspace.linkage.sealing import PublicSealingKey, SealingKey, bound_to, pad, unpad
from dataspace.query.partials import KeyValue, read_value, write_value
from dataspace.v1 import query_pb2, record_pb2

MOST_ROWS: Final = 1_000  # of one product
MOST_BYTES: Final = 1_500_000  # of all rows of a reply
_LEAST_CLASS: Final = 128 * 1024
_LARGEST_CLASS: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class LeftOut:
    """A column that the rules keep back, and which rule does."""

    column: str
    error: DataspaceError


@dataclass(frozen=True)
class RecordTable:
    """One product's rows of one patient at one region, the newest first.

    `refused` where the rules keep the whole product back; `rules` and `bases` are those of
    the permits otherwise. `truncated`: there are more rows.
    """

    product: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[KeyValue, ...], ...] = ()
    truncated: bool = False
    left_out: tuple[LeftOut, ...] = ()
    refused: DataspaceError | None = None
    rules: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()


def reply_info(region: str, request_sha256: bytes) -> bytes:
    """What a sealed reply is bound to."""
    return bound_to("record reply", region.encode(), request_sha256)


def seal_reply(
    answer: query_pb2.NodeAnswer, key: PublicSealingKey, region: str, request_sha256: bytes
) -> bytes:
    """An answer for the asker's eyes."""
    padded = pad(answer.SerializeToString(), _LEAST_CLASS)
    return key.seal(padded, reply_info(region, request_sha256))


def open_reply(
    sealed: bytes, key: SealingKey, region: str, request_sha256: bytes
) -> query_pb2.NodeAnswer:
    """The answer that was sealed; nothing in it is verified yet.

    Raises `Unverified` (`sealed`, `padding`) for a reply to another request, asker or region.
    """
    opened = key.open(sealed, reply_info(region, request_sha256))
    return parse_strictly(query_pb2.NodeAnswer, unpad(opened, _LEAST_CLASS), _LARGEST_CLASS)


def write_tables(tables: Iterable[RecordTable]) -> list[record_pb2.RecordTable]:
    """Tables on the wire; rows beyond `MOST_BYTES` in all are left out, which `truncated` says."""
    room = MOST_BYTES
    written = []
    for table in tables:
        wire = record_pb2.RecordTable(
            product=table.product,
            columns=table.columns,
            truncated=table.truncated,
            left_out=[
                record_pb2.LeftOut(column=each.column, refused=status_of(each.error))
                for each in table.left_out
            ],
            rules=table.rules,
            bases=table.bases,
        )
        if table.refused is not None:
            wire.refused.CopyFrom(status_of(table.refused))
        for row in table.rows:
            made = record_pb2.RecordRow(values=[write_value(value) for value in row])
            room -= made.ByteSize()
            if room < 0:
                wire.truncated = True
                break
            wire.rows.append(made)
        written.append(wire)
    return written


def read_tables(reply: record_pb2.RecordReply, products: Sequence[str]) -> tuple[RecordTable, ...]:
    """The tables of a verified reply. Raises `Unverified` (`record-reply`) for another form."""
    if [each.product for each in reply.tables] != list(products):
        raise _unverified(reply.region)
    return tuple(_read(reply.region, each) for each in reply.tables)


def _read(region: str, wire: record_pb2.RecordTable) -> RecordTable:
    columns = tuple(wire.columns)
    refused = error_of(wire.refused) if wire.HasField("refused") else None
    whole = len(set(columns)) == len(columns) and all(
        len(row.values) == len(columns) for row in wire.rows
    )
    # INVARIANT: what was kept back shows nothing.
    if not whole or (refused is not None and columns) or (wire.rows and not columns):
        raise _unverified(region)
    return RecordTable(
        product=wire.product,
        columns=columns,
        rows=tuple(tuple(read_value(value) for value in row.values) for row in wire.rows),
        truncated=wire.truncated,
        left_out=tuple(LeftOut(each.column, error_of(each.refused)) for each in wire.left_out),
        refused=refused,
        rules=tuple(wire.rules),
        bases=tuple(wire.bases),
    )


def _unverified(region: str) -> Unverified:
    return Unverified(f"the reply of {region} does not fit what was asked", code="record-reply")
