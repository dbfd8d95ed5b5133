"""Agreements in a directory, one file each: what the broker keeps for nodes that were away. Rim.

    <id>.chain = an `AgreementChain`, replaced whole

Nothing here is believed on its own: a node verifies each step again when it gets a chain.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.message import DecodeError

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.policy.agreements import Agreement, recall_step
from dataspace.policy.shelves import MemoryShelf
from dataspace.policy.standing import Held
from dataspace.v1.agreement_pb2 import AgreementChain
from dataspace.v1.envelope_pb2 import Envelope

FOLDER = "agreements"
_SUFFIX = ".chain"


class FileShelf:
    """A shelf in a directory. See `dataspace.policy.shelves`; uses are forgotten at its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept = MemoryShelf()
        for file in sorted(folder.glob(f"*{_SUFFIX}")):
            self._kept.put(_read(file), time.time_ns() // 1_000_000)

    def find(self, agreement_id: str) -> Held | None:
        """See `Shelf`."""
        return self._kept.find(agreement_id)

    def of_pair(self, provider_region: str, consumer_region: str) -> Sequence[Held]:
        """See `Shelf`."""
        return self._kept.of_pair(provider_region, consumer_region)

    def all(self) -> Sequence[Held]:
        """See `Shelf`."""
        return self._kept.all()

    def put(self, agreement: Agreement, received_ms: int) -> None:
        """See `Shelf`."""
        self._kept.put(agreement, received_ms)
        draft = self._folder / f"{agreement.id}.new"
        chain = AgreementChain(
            steps=[Envelope.FromString(each.envelope) for each in agreement.steps]
        )
        try:
            write_synced(draft, chain.SerializeToString())
            draft.rename(self._folder / f"{agreement.id}{_SUFFIX}")
            sync_directory(self._folder)
        except OSError:
            raise Unavailable("the agreement cannot be kept; see the disk", code="disk") from None

    def count_use(self, agreement_id: str) -> None:
        """See `Shelf`."""
        self._kept.count_use(agreement_id)


def _read(file: Path) -> Agreement:
    try:
        chain = AgreementChain.FromString(file.read_bytes())
        return Agreement(tuple(recall_step(each.SerializeToString()) for each in chain.steps))
    except (OSError, DecodeError, DataspaceError):
        raise Malformed(
            f"{file} holds no agreement; move it away, both parties' nodes have theirs",
            code="agreement-file",
        ) from None
