"""Opening what nodes sign in a round of linkage. Pure; the broker and each node run this code.

A message counts as its region's node's alone. Whether it fits the round is for
`dataspace.linkage.rounds` and `dataspace.linkage.hops` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from google.protobuf.message import Message

from dataspace.errors import DataspaceError, Unverified
from dataspace.identity.envelopes import Opened, open_envelope
from dataspace.identity.names import ActorUri
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.rounds import Joined, RoundPlan, Transcript
from dataspace.v1 import linkage_pb2
from dataspace.v1.envelope_pb2 import Envelope

M = TypeVar("M", bound=Message)


@dataclass(frozen=True)
class RoundReader:
    """Opens a round's messages by the trust list in force when each comes."""

    trust: Callable[[], TrustList]
    now_ms: Callable[[], int]

    def open(self, envelope: Envelope, kind: type[M]) -> tuple[M, ActorUri]:
        """A message of a node, and whose. Raises `Unverified` (`round-message`)."""
        opened = self._opened(envelope, kind)
        return opened.message, opened.signer.uri

    def join(self, envelope: Envelope) -> Joined:
        """A node's join. Raises `Unverified`."""
        opened = self._opened(envelope, linkage_pb2.RoundJoin)
        return Joined.from_message(opened.message, opened.signer.uri, opened.payload_sha256)

    def agree(
        self, plan: RoundPlan, joins: Sequence[Envelope], own: Envelope | None = None
    ) -> Transcript:
        """The transcript of the joins as they were signed. Raises `Unverified`.

        `own` is the join of the participant who asks, which must be among them as it left.
        """
        known = None if own is None else self.join(own)
        return Transcript.agree(plan, [self.join(each) for each in joins], known)

    def _opened(self, envelope: Envelope, kind: type[M]) -> Opened[M]:
        at = datetime.fromtimestamp(self.now_ms() / 1000, UTC)
        try:
            opened = open_envelope(envelope, kind, self.trust(), at)
        except DataspaceError as error:
            raise Unverified(
                f"a message of the round does not verify: {error.message}; the round is given up",
                code="round-message",
            ) from None
        if opened.signer.uri.role != "node":
            raise Unverified("only nodes take part in a round", code="round-message")
        return opened
