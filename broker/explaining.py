"""What each node would do with a question across regions: an invitation, and no round. Rim.

Every node has to know the other sides' offers to say by what people would be recognised; so it is
invited as to a round, and answers with what it would do. Whatever else it sends is no answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from broker.attached import Attached, Conversation
from broker.deadlines import Until
from broker.heard import Heard, outcome_of, silent
from dataspace.errors import DataspaceError, Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer
from dataspace.v1 import linkage_pb2, query_pb2

Told = query_pb2.Progress | Heard
# Verifies a region's answer to the request of this digest; raises `Unverified`.
Check = Callable[[query_pb2.NodeAnswer, str, bytes], Awaitable[CheckedAnswer]]


async def explained(
    invitation: linkage_pb2.RoundInvitation, attached: Attached, until: Until, check: Check
) -> AsyncGenerator[Told, None]:
    """Progress, and what each of the plan's regions said, each once; whoever is away is named."""
    merged: asyncio.Queue[Told] = asyncio.Queue()
    tasks = [
        asyncio.create_task(_ask_one(region, invitation, attached, until, check, merged))
        for region in invitation.plan.regions
    ]
    try:
        waiting = len(tasks)
        while waiting:
            event = await merged.get()
            waiting -= isinstance(event, Heard)
            yield event
    finally:
        # The caller has gone, or all have answered: nothing runs on for nobody.
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask_one(
    region: str, invitation: linkage_pb2.RoundInvitation, attached: Attached, until: Until,
    check: Check, merged: asyncio.Queue[Told],
) -> None:  # fmt: skip
    try:
        node = attached.find(region)
        if node is None:
            raise Unavailable("not attached", code="node-absent")
        async with asyncio.timeout_at(until.broker):
            answer = await _answer(node.begin_round(invitation), region, merged)
            checked = await check(answer, region, invitation.plan.request_sha256)
        if checked.explanation is None and checked.refusal is None:
            raise Unverified("an answer of another kind than was asked for", code="partial-kind")
        merged.put_nowait(Heard(region, answer, None, outcome_of(checked)))
    except TimeoutError:
        merged.put_nowait(silent(region, "timeout", f"no answer within {until.seconds:.3g} s"))
    except Unverified as error:
        merged.put_nowait(silent(region, "unverified", error.message))
    except DataspaceError as error:
        merged.put_nowait(silent(region, "unreachable", error.message))


async def _answer(
    call: Conversation, region: str, merged: asyncio.Queue[Told]
) -> query_pb2.NodeAnswer:
    async with aclosing(call.heard()) as told:
        async for heard in told:
            if isinstance(heard, query_pb2.NodeAnswer):
                return heard
            if not isinstance(heard, query_pb2.Progress):
                # SECURITY: nobody asked for a round; a node that joins one brings people.
                raise Unverified(f"{region} begins a round where it should explain", code="round")
            merged.put_nowait(heard)
    raise Unavailable("went away", code="node-gone")
