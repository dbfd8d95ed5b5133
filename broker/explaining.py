"""What each node would do with a question across regions: an invitation, and no round. Rim.

Every node has to know the other sides' offers to say by what people would be recognised; so it is
invited as to a round, and answers with what it would do. Whatever else it sends is no answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from broker.asking import Told, ask_each
from broker.attached import Attached, Conversation
from broker.deadlines import Until
from broker.heard import Heard, outcome_of
from dataspace.errors import Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer
from dataspace.v1 import linkage_pb2, query_pb2

# Verifies a region's answer to the request of this digest; raises `Unverified`.
Check = Callable[[query_pb2.NodeAnswer, str, bytes], Awaitable[CheckedAnswer]]


def explained(
    invitation: linkage_pb2.RoundInvitation, attached: Attached, until: Until, check: Check
) -> AsyncGenerator[Told, None]:
    """Progress, and what each of the plan's regions said, each once; whoever is away is named."""

    async def ask(region: str, tell: Callable[[query_pb2.Progress], None]) -> Heard:
        node = attached.find(region)
        if node is None:
            raise Unavailable("not attached", code="node-absent")
        answer = await _answer(node.begin_round(invitation), region, tell)
        checked = await check(answer, region, invitation.plan.request_sha256)
        if checked.explanation is None and checked.refusal is None:
            raise Unverified("an answer of another kind than was asked for", code="partial-kind")
        return Heard(region, answer, None, outcome_of(checked))

    return ask_each(invitation.plan.regions, ask, until)


async def _answer(
    call: Conversation, region: str, tell: Callable[[query_pb2.Progress], None]
) -> query_pb2.NodeAnswer:
    async with aclosing(call.heard()) as told:
        async for heard in told:
            if isinstance(heard, query_pb2.NodeAnswer):
                return heard
            if not isinstance(heard, query_pb2.Progress):
                # SECURITY: nobody asked for a round; a node that joins one brings people.
                raise Unverified(f"{region} begins a round where it should explain", code="round")
            tell(heard)
    raise Unavailable("went away", code="node-gone")
