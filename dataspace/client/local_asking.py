"""Asking the own region's node over its local socket, without the broker. Rim.

For what nobody may hold up: an operator ends an agreement at the own node also while the
broker is away, or keeps a request back. The node verifies and records it as any other.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence

from google.protobuf.message import Message

from dataspace.client.asking import LogAnswer
from dataspace.errors import Unavailable
from dataspace.evidence.answers import check_answer
from dataspace.home import PartyHome
from dataspace.identity.envelopes import seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import InForce
from dataspace.local_socket import ask_locally
from dataspace.processes import now_ms
from dataspace.v1 import query_pb2
from dataspace.v1.revocation_pb2 import RevocationLists


class LocalNode:
    """The node whose directory holds the operator's own."""

    def __init__(self, operator: PartyHome) -> None:
        self._operator = operator
        self._run = operator.path.resolve().parent / "run"
        self._in_force = InForce(operator)

    @property
    def trust(self) -> TrustList:
        """The trust list with the revocation lists that the node handed on."""
        return self._in_force.trust()

    def audit(self, request: Message, logs: Sequence[str]) -> tuple[LogAnswer, ...]:
        """As `Session.audit`; every log but the own node's is told to be away."""
        region = self._operator.uri.region
        freshness = make_freshness(
            now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=[*logs, BROKER]
        )
        asked = type(request)()
        asked.CopyFrom(request)
        asked.MergeFrom(type(request)(freshness=freshness))
        envelope = seal(asked, self._operator.identity)
        sent = base64.b64encode(envelope.SerializeToString()).decode()
        reply = ask_locally(self._run, {"do": "answer", "envelope": sent})
        if reply is None:
            raise Unavailable("the node does not run; see `gba space status`", code="node-absent")
        lists = RevocationLists.FromString(base64.b64decode(reply["revocations"]))
        self._in_force.receive(lists)
        answer = query_pb2.NodeAnswer.FromString(base64.b64decode(reply["answer"]))
        digest = hashlib.sha256(envelope.payload).digest()
        checked = check_answer(answer, region, digest, self.trust, now_ms())
        refused = checked.refusal
        own = LogAnswer(
            region,
            refused.status.error if refused is not None else "released",
            refused.status.message if refused is not None else "",
            checked,
            answer.receipt,
        )
        return tuple(
            own if log == region else LogAnswer(log, "unreachable", "not asked", None, None)
            for log in sorted(logs)
        )
