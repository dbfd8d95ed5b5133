"""Questions across regions at the broker: decide, hold a round, and once more where a node died.

Rim. The broker learns sizes and counts under random codes, and which one-time pseudonyms are the
same; its log says that a round passed, how large, and what it came to, and no label.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from broker.asking import Told
from broker.attached import CREDIT_BYTES, Attached, AttachedNode
from broker.deadlines import Until
from broker.deciding import put_to_rules
from broker.explaining import explained
from broker.heard import Heard, outcome_of, silent
from broker.offers import Offers
from broker.rounds import OnProgress, Round, RoundEnd
from dataspace.audit.entries import FieldValue
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer, check_answer
from dataspace.evidence.archive import Archive
from dataspace.evidence.overlap_sides import (
    SideOffers,
    offers_of,
    plan_of,
    side_questions,
    sides_offered,
    union_regions,
)
from dataspace.evidence.overlaps import answer_digest, read_overlap, read_reply_key
from dataspace.evidence.releases import GIVEN_UP
from dataspace.evidence.requests import AskedOverlap
from dataspace.evidence.round_entries import MATCHED
from dataspace.evidence.round_messages import RoundReader
from dataspace.identity.trustlist import TrustList
from dataspace.linkage.matching import count_overlaps
from dataspace.linkage.planning import Planned
from dataspace.linkage.ring import Collector
from dataspace.linkage.rounds import ATTEMPTS, Transcript
from dataspace.policy.standing import Ask, Noted
from dataspace.policy.store import PolicyStore
from dataspace.processes import now_ms
from dataspace.query.overlap import OverlapQuery
from dataspace.query.overlap_bind import bind_overlap
from dataspace.query.overlap_cells import OverlapShare, combine_overlap
from dataspace.v1 import linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

_LOG = structlog.get_logger("broker.overlaps")

_COME_BACK_SECONDS = 10.0  # what a node that died has to come back for the second attempt
_LOOK_SECONDS = 0.1


class House(Protocol):
    """What the federation has, and questions across regions need."""

    trust: TrustList
    policies: PolicyStore
    offers: Offers
    attached: Attached
    archive: Archive

    @property
    def agreement_state(self) -> Ask:
        """How a question stands under the agreements that the broker carried."""

    async def record(
        self, kind: str, facts: dict[str, FieldValue], body: dict[str, object]
    ) -> query_pb2.Receipt:
        """Append to the broker's log."""
        ...


@dataclass(frozen=True)
class DecidedOverlap:
    """A question across regions that the broker's rules permit; `query` is bound."""

    asked: AskedOverlap
    query: OverlapQuery
    sides: Mapping[str, SideOffers]
    # What the entry of the release names of the last attempt: the place of `overlap.matched`.
    noted: dict[str, FieldValue] = field(default_factory=dict, compare=False)

    def answer_digest(self, heard: Iterable[Heard]) -> bytes:
        """Of what the shares combine to; of nothing where a region has none."""
        shares = [each.share for each in heard if isinstance(each.share, OverlapShare)]
        whole = len(shares) == len(self.query.regions)
        return answer_digest(combine_overlap(self.query, shares) if whole else ())


@dataclass(frozen=True)
class Overlaps:
    """For one event loop."""

    house: House

    def decide(
        self,
        asked: AskedOverlap,
        moment: int,
        facts: dict[str, FieldValue],
        body: dict[str, object],
    ) -> DecidedOverlap:
        """Bind, and put each side to the rules. Raises what is refused; runs in a thread."""
        house = self.house
        read_reply_key(asked.request.reply_key)
        _check_whole_union(asked, house.offers)
        sides = sides_offered(asked.query, house.offers.all())
        plan_of(asked, 0, sides)
        facts |= {
            "products": list(asked.query.products),
            "audience": list(asked.audience),
            "action": "overlap",
        }
        try:
            query = bind_overlap(asked.query, *offers_of(sides))
        except Refused:
            if asked.request.explain:
                return DecidedOverlap(asked, asked.query, sides)  # each node says so itself
            raise
        state = Noted(house.agreement_state)
        questions = side_questions(asked, query, sides, sides, moment, state)
        put_to_rules(house, asked.request, questions, state, facts, body)
        return DecidedOverlap(asked, query, sides)

    async def ask(
        self, decided: DecidedOverlap, envelope: Envelope, until: Until
    ) -> AsyncGenerator[Told, None]:
        """Progress, and then what each region came to."""
        if decided.asked.request.explain:
            invitation = _invitation(decided, plan_of(decided.asked, 0, decided.sides),
                                     envelope, until)  # fmt: skip
            async for each in explained(invitation, self.house.attached, until, self._checked):
                yield each
            return
        told: asyncio.Queue[query_pb2.Progress | None] = asyncio.Queue()
        running = asyncio.create_task(self._attempts(decided, envelope, until, told.put_nowait))
        running.add_done_callback(lambda _: told.put_nowait(None))
        try:
            while (progress := await told.get()) is not None:
                yield progress
            for heard in await self._heard(decided, running.result(), until):
                yield heard
        finally:
            # The caller has gone, or all is told: nothing runs on for nobody.
            running.cancel()
            with suppress(asyncio.CancelledError, DataspaceError):
                await running

    async def _attempts(
        self,
        decided: DecidedOverlap,
        envelope: Envelope,
        until: Until,
        on_progress: OnProgress,
    ) -> RoundEnd:
        for attempt in range(ATTEMPTS):
            planned = plan_of(decided.asked, attempt, decided.sides)
            end = await self._attempt(decided, planned, envelope, until, on_progress)
            if end.whole:
                return end
            await self._record_given_up(decided, end)
            _LOG.warning("round.given_up", attempt=attempt, regions=sorted(end.failures))
            if not end.may_be_tried_again or not await self._come_back(planned, until):
                return end
        return end

    async def _attempt(
        self,
        decided: DecidedOverlap,
        planned: Planned,
        envelope: Envelope,
        until: Until,
        on_progress: OnProgress,
    ) -> RoundEnd:
        plan = planned.plan
        decided.noted.clear()
        attempt = Round(
            plan,
            RoundReader(lambda: self.house.trust, now_ms),
            partial(self._match, decided, planned),
            on_progress,
        )
        nodes: dict[str, AttachedNode] = {}
        for region in plan.regions:
            node = self.house.attached.find(region)
            if node is None:
                attempt.end.failures[region] = Unavailable("not attached", code="node-absent")
            else:
                nodes[region] = node
        if attempt.end.failures:
            return attempt.end
        invitation = _invitation(decided, planned, envelope, until)
        try:
            async with asyncio.timeout_at(until.broker):
                await attempt.run(nodes, invitation)
        except TimeoutError:
            attempt.end.late = True
        return attempt.end

    async def _match(
        self,
        decided: DecidedOverlap,
        planned: Planned,
        transcript: Transcript,
        collector: Collector,
    ) -> linkage_pb2.OverlapCounts:
        counts = await asyncio.to_thread(
            lambda: count_overlaps(transcript, collector.batches(), planned.lists)
        )
        plan = planned.plan
        receipt = await self.house.record(
            MATCHED,
            # SECURITY: this entry goes to the requester as evidence; sizes stand in its body.
            {
                "request_sha256": decided.asked.digest.hex(),
                "round_id": plan.round_id.hex(),
                "transcript": transcript.digest.hex(),
                "attempt": plan.attempt,
                "tier": plan.tier,
            },
            {
                "tuples": {join.region: join.tuples for join in transcript.joins},
                "cells": {join.region: len(join.batches) for join in transcript.joins},
                "combinations": len(counts.counts),
            },
        )
        decided.noted["matched"] = receipt.index
        return counts

    async def _record_given_up(self, decided: DecidedOverlap, end: RoundEnd) -> None:
        await self.house.record(
            "overlap.given_up",
            {
                "request_sha256": decided.asked.digest.hex(),
                "round_id": end.plan.round_id.hex(),
                "attempt": end.plan.attempt,
                "failures": {region: each.code for region, each in sorted(end.failures.items())},
                "refused": end.refused,
                "late": end.late,
            },
            {},
        )

    async def _come_back(self, planned: Planned, until: Until) -> bool:
        """Whether all nodes are there, or come back in time, for another attempt."""
        loop = asyncio.get_running_loop()
        end = min(loop.time() + _COME_BACK_SECONDS, until.node)
        while not all(self.house.attached.find(region) for region in planned.plan.regions):
            if loop.time() >= end:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return loop.time() < until.node

    async def _checked(
        self, answer: query_pb2.NodeAnswer, region: str, request_sha256: bytes
    ) -> CheckedAnswer:
        trust = self.house.trust
        return await asyncio.to_thread(
            check_answer, answer, region, request_sha256, trust, now_ms()
        )

    async def _heard(self, decided: DecidedOverlap, end: RoundEnd, until: Until) -> list[Heard]:
        told = [await self._heard_of(decided, region, end, until) for region in end.plan.regions]
        try:
            await asyncio.to_thread(decided.answer_digest, told)
        except Unverified as error:
            _LOG.error("overlap.unverified", code=error.code)
            return [silent(each.region, "unverified", error.message) for each in told]
        return told

    async def _heard_of(
        self, decided: DecidedOverlap, region: str, end: RoundEnd, until: Until
    ) -> Heard:
        answer, failure = end.answers.get(region), end.failures.get(region)
        if answer is not None:
            try:
                checked = await self._checked(answer, region, decided.asked.digest)
                share = read_overlap(checked.overlap) if checked.overlap is not None else None
                if share is None and checked.refusal is None:
                    raise Unverified("an answer of another kind than asked", code="partial-kind")
                return Heard(region, answer, share, outcome_of(checked))
            except Unverified as error:
                failure = error
        if isinstance(failure, Unverified):
            return silent(region, "unverified", failure.message)
        if failure is not None:
            return silent(region, "unreachable", failure.message)
        if end.late:
            return silent(region, "timeout", f"no answer within {until.seconds:.3g} s")
        others = ", ".join(sorted({*end.failures, *end.refused})) or "the broker"
        return silent(region, "unreachable", f"{GIVEN_UP} because of {others}")


def _invitation(
    decided: DecidedOverlap, planned: Planned, envelope: Envelope, until: Until
) -> linkage_pb2.RoundInvitation:
    return linkage_pb2.RoundInvitation(
        plan=planned.plan.to_message(),
        request=envelope,
        offers=[each.envelope for side in decided.sides.values() for each in side.published],
        deadline_ms=until.node_ms(),
        credit=CREDIT_BYTES,
    )


def _check_whole_union(asked: AskedOverlap, offers: Offers) -> None:
    """A union is over every region that offers the product."""
    if not asked.query.union:
        return
    everywhere = union_regions(asked.query.products[0], offers.all())
    if list(asked.audience) != everywhere:
        raise Malformed(
            "the request names other regions than those that offer the product; ask again",
            code="audience",
        )
