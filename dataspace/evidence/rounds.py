"""What evidence shows of a round of linkage, held together. Pure.

    plan        made again from the signed request and the signed offers; its id is the round's
    commitment  of each node, in its log before its answer, with the digest of its signed join
    transcript  made again from the id and those digests: each node's partial names it, and so
                does the broker's entry on what it counted

The joins themselves hold sizes before any threshold, and are in no evidence: a transcript is
SHA-256 over their digests, so that it fixes them all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataspace.disclosure.rounding import round_count
from dataspace.disclosure.settings import strictest
from dataspace.errors import Malformed, Unverified
from dataspace.evidence.logged import Logged
from dataspace.evidence.overlap_sides import SideOffers, plan_of
from dataspace.evidence.requests import AskedOverlap
from dataspace.evidence.round_entries import COMMITTED, MATCHED, place_of_round
from dataspace.identity.trusted import BROKER
from dataspace.linkage.rounds import RoundPlan, transcript_digest
from dataspace.query.overlap_cells import OverlapShare


@dataclass(frozen=True)
class ShownRound:
    """A round as logs tell of it. `answers` are the nodes' entries on their answers and the
    broker's on the release, `entries` those on the round itself; both by owner, and verified."""

    asked: AskedOverlap
    sides: Mapping[str, SideOffers]
    shares: Mapping[str, OverlapShare]
    answers: Mapping[str, Logged]
    entries: Mapping[str, Logged]

    def check(self) -> RoundPlan | None:
        """Raise `Unverified` (`evidence-round`) naming what does not fit; the plan that was held.

        None where nobody had committed to anything: then nobody has a share.
        """
        for owner, answer in self.answers.items():
            self._check_named(owner, answer)
        if set(self.entries) - set(self.answers):
            raise _bad("it tells of the round of a region that did not answer")
        missing = set(self.shares) - set(self.entries)
        if missing or (self.shares and BROKER not in self.entries):
            who = min(missing, default=BROKER)
            raise _bad(f"{who} has a part in the answer, and its log tells of no round")
        if not self.entries:
            return None
        plan = self._plan()
        for owner, entry in self.entries.items():
            self._check_entry(owner, entry, plan)
        for region in self.shares:
            self._check_share(region, plan)
        self._check_transcript(plan)
        return plan

    def words(self) -> str:
        """`check`, and what was found."""
        plan = self.check()
        if plan is None:
            return "no region had anything to bring: there was no round"
        held = f"round {plan.round_id.hex()[:16]}… is the one that request and offers give " \
            f"({plan.tier}, {len(plan.slots)} match lists)"  # fmt: skip
        if not self.covers(plan):
            return f"{held}; not every region answered, so its transcript stands on their word"
        return f"{held}; each node's log has its commitment before its answer, and the " \
            "transcript that all of them name is of the joins that they committed to"  # fmt: skip

    def _check_named(self, owner: str, answer: Logged) -> None:
        """An answer's entry names its round's, which came before it in the same log."""
        entry, place = self.entries.get(owner), place_of_round(answer.entry)
        if entry is None and place is None:
            return
        if entry is None or (entry.origin, entry.index) != (answer.origin, place):
            raise _bad(f"{owner}'s log names another entry of its round than is shown")
        # INVARIANT: who commits after it has answered has committed to nothing.
        if entry.index >= answer.index:
            raise _bad(f"{owner} recorded its part in the round after its answer")

    def _plan(self) -> RoundPlan:
        """Made again for the attempt that the logs tell of."""
        attempts = {_field(each, "attempt") for each in self.entries.values()}
        attempt = next(iter(attempts))
        if len(attempts) != 1 or not isinstance(attempt, int) or isinstance(attempt, bool):
            raise _bad("the logs tell of different attempts")
        try:
            return plan_of(self.asked, attempt, self.sides).plan
        except Malformed as error:
            raise _bad(f"there can be no such round: {error.message}") from None

    def _check_entry(self, owner: str, entry: Logged, plan: RoundPlan) -> None:
        told = {"round_id": plan.round_id.hex(), "tier": plan.tier}
        if owner == BROKER:
            kind = MATCHED
        else:
            kind, told["regions"] = COMMITTED, plan.regions  # type: ignore[assignment]  # a tuple, as entries have lists
        if entry.entry.kind != kind:
            raise _bad(f"{owner}'s entry is not on its own part in a round")
        for name, value in told.items():
            if _field(entry, name) != value:
                raise _bad(f"{owner}'s log tells of another round: its {name} is not the one that "
                           "request and offers give")  # fmt: skip

    def _check_share(self, region: str, plan: RoundPlan) -> None:
        share, answer = self.shares[region], self.answers[region]
        named = _field(answer, "round_id"), _field(answer, "transcript")
        if named != (plan.round_id.hex(), share.transcript.hex()):
            raise _bad(f"{region}'s log says that its answer is of another round")
        if set(share.unused) - set(plan.slots):
            raise _bad(f"{region} tells of match lists that the round does not have")
        settings = strictest([each.product.offer.disclosure for each in self.sides.values()])
        if (share.min_subjects, share.round_to) != (settings.min_subjects, settings.round_to):
            raise _bad(f"{region} disclosed by other settings than the products' owners signed")
        least = round_count(settings.min_subjects, settings.round_to)
        if any(cell.people < least for cell in share.cells):
            raise _bad(f"{region} released a cell under the threshold")

    def _check_transcript(self, plan: RoundPlan) -> None:
        named = {share.transcript.hex() for share in self.shares.values()}
        if BROKER in self.entries:
            named.add(str(_field(self.entries[BROKER], "transcript")))
        if len(named) > 1:
            raise _bad("the partials and the broker's log name different transcripts")
        if not named or not self.covers(plan):
            return
        joins = [_digest(self.entries[region], "join_sha256") for region in plan.regions]
        if named != {transcript_digest(plan.round_id, joins).hex()}:
            raise _bad("the transcript is not of the joins that the nodes committed to")

    def covers(self, plan: RoundPlan) -> bool:
        """Whether every region's commitment is here, so that the transcript could be made again."""
        return set(plan.regions) <= set(self.entries)


def _field(logged: Logged, name: str) -> Any:
    return logged.entry.fields.get(name)


def _digest(logged: Logged, name: str) -> bytes:
    value = _field(logged, name)
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise _bad(f"the {name} in {logged.owner}'s log cannot be read") from None


def _bad(message: str) -> Unverified:
    return Unverified(f"{message}; do not rely on it", code="evidence-round")
