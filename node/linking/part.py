"""What a session needs of whoever decides, selects, signs and records: its part in one round.

All but `plan`, `region` and `reader` is called in threads, one call after the other, except
`sign`, which several may use at once.
"""

from __future__ import annotations

from typing import Protocol

from google.protobuf.message import Message

from dataspace.evidence.round_messages import RoundReader
from dataspace.linkage.rounds import RoundPlan, Transcript
from dataspace.linkage.tuples import Tuples
from dataspace.v1 import linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.linking.drawn import RoundSecrets


class Part(Protocol):
    """One node's part in one round that its gate has permitted."""

    @property
    def region(self) -> str:
        """Whose node this is."""

    @property
    def plan(self) -> RoundPlan:
        """The round, as this node derived it."""

    @property
    def drawn(self) -> RoundSecrets:
        """What was drawn for it."""

    @property
    def reader(self) -> RoundReader:
        """Opens the messages of the others."""

    def join(self) -> Envelope:
        """Select, hash, fill up, commit, record: the signed join, which may leave."""

    def batches(self) -> list[Tuples]:
        """Blind: the points that were committed to, by the join's batches."""

    def tags(self, keys: dict[str, bytes]) -> list[Tuples]:
        """Keyed: the tags of the same subjects, under the session's key of each slot."""

    def sign(self, message: Message) -> Envelope:
        """A message of this node."""

    def dummies(self) -> list[int]:
        """How many tuples of each batch are, in the join's order; none where sizes are exact."""

    def release(
        self,
        transcript: Transcript,
        counts: linkage_pb2.OverlapCounts,
        dummies: dict[bytes, int],
    ) -> query_pb2.NodeAnswer:
        """The answer: disclosed, signed, recorded. `dummies` are everybody's, by code."""
