"""Recording what was decided before anything is released. Rim: writes log and bodies."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from dataspace.audit.bodies import BodyStore
from dataspace.audit.entries import SALT_BYTES, Entry, FieldValue
from dataspace.audit.store import LogStore
from dataspace.v1 import query_pb2

# Hears of every entry once it is durable: kind, fields, index. It must neither raise nor wait.
Heard: TypeAlias = Callable[[str, Mapping[str, FieldValue], int], None]


def unheard(_kind: str, _fields: Mapping[str, FieldValue], _index: int) -> None:
    """Nobody hears of it."""


@dataclass(frozen=True)
class Recorder:
    """A participant's log and the bodies beside it."""

    origin: str
    log: LogStore
    bodies: BodyStore
    heard: Heard = unheard

    def record(
        self,
        kind: str,
        at_ms: int,
        fields: Mapping[str, FieldValue],
        body: Mapping[str, object] | None = None,
    ) -> query_pb2.Receipt:
        """Append one entry durably and return its receipt.

        `body` (SQL, actor, context) is kept apart; the entry holds its salted commitment.
        Raises `Unavailable` where it cannot be made durable: then release nothing.
        """
        recorded = dict(fields)
        if body is not None:
            text = json.dumps(body, sort_keys=True, ensure_ascii=False).encode()
            recorded["context"] = self.bodies.put(text, secrets.token_bytes(SALT_BYTES))
        entry = Entry(kind, at_ms, recorded)
        appended = self.log.append(entry)
        self.heard(kind, recorded, appended.index)
        return query_pb2.Receipt(
            origin=self.origin,
            index=appended.index,
            entry=entry.to_bytes(),
            inclusion=appended.inclusion,
            checkpoint=appended.checkpoint_text,
        )
