"""Verifying an evidence file, offline: every step in words, the first that fails named. Pure.

Takes bytes and the trust list that the verifier holds; reads no clock, file or network. The
moment as of which certificates are judged is the one that witnesses cosigned: what stands
under a cosigned checkpoint was signed by then, whatever its own dates say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dataspace.errors import Unverified
from dataspace.evidence.answers import CheckedAnswer
from dataspace.evidence.bundle import parse_evidence, set_digest
from dataspace.evidence.logged import (
    Cosigned,
    Logged,
    Quorum,
    check_sealed,
    open_context,
    verify_cosigned,
    verify_place,
)
from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.evidence.overlap_releases import recombine as recombine_overlap
from dataspace.evidence.overlap_releases import shares_of
from dataspace.evidence.pinned import Pinned, believed_trust
from dataspace.evidence.releases import check_answers, open_release, recombine
from dataspace.evidence.replay import (
    Context,
    Request,
    bound_query,
    check_answer_follows,
    check_decisions,
    check_questions,
    read_context,
    sides_in,
)
from dataspace.evidence.report import Report, take_steps
from dataspace.evidence.requests import Asked, AskedOverlap, open_request, read_question
from dataspace.evidence.round_entries import is_of_round
from dataspace.evidence.rounds import ShownRound
from dataspace.identity.freshness import SKEW_MS
from dataspace.identity.revocation import open_revocation_list
from dataspace.identity.revoked import SKEW_MS as REVOCATION_SKEW_MS
from dataspace.identity.revoked import RevocationList, Revocations
from dataspace.identity.trustlist import TrustList
from dataspace.policy.decisions import Decision
from dataspace.policy.rules import PolicySet, load
from dataspace.query.product import catalogue_digest
from dataspace.v1 import evidence_pb2, linkage_pb2, query_pb2

BROKER = "broker"
LONGEST_UNSEEN_MS = 24 * 3_600_000  # from an entry to the cosigned checkpoint that covers it
LONGEST_RECORDING_MS = 60_000  # from signing a body to its entry
_BROKERS_KINDS = ("query.forwarded", "query.released")


def verify_evidence(data: bytes, pinned: Pinned, quorum: Quorum) -> Report:
    """All steps over the bytes of an evidence file. Never raises: see `Report.require`."""
    return _Verification(data, pinned, quorum).report()


@dataclass
class _Verification:
    """What is known so far. Each step uses only what the steps before it have verified."""

    data: bytes
    pinned: Pinned
    quorum: Quorum
    evidence: evidence_pb2.Evidence
    trust: TrustList
    cosigned: list[Cosigned]
    lists: tuple[RevocationList, ...]
    placed: list[Logged]  # in the order of the records
    logged: dict[str, list[Logged]]  # the broker's two entries, and each node's answer
    rounds: dict[str, Logged]  # what logs tell of a round
    request: Request
    asked: Asked | AskedOverlap
    offers: dict[str, dict[str, RegionOffer]]
    release: query_pb2.Release
    answers: dict[str, CheckedAnswer]
    contexts: list[Context]
    decisions: dict[str, tuple[Decision, ...]]

    def __init__(self, data: bytes, pinned: Pinned, quorum: Quorum) -> None:
        self.data, self.pinned, self.quorum = data, pinned, quorum

    def report(self) -> Report:
        return take_steps(
            [
                ("file", self._file),
                ("trust-list", self._trust_list),
                ("cosignatures", self._cosignatures),
                ("inclusion", self._inclusion),
                ("times", self._times),
                ("revocation", self._revocation),
                ("request", self._request),
                ("release", self._release),
                ("answers", self._answers),
                ("contexts", self._contexts),
                ("catalogue", self._catalogue),
                ("questions", self._questions),
                ("round", self._round),
                ("decisions", self._decisions),
                ("combination", self._combination),
            ]
        )

    def _file(self) -> str:
        self.evidence = parse_evidence(self.data)
        return f"the file is whole: {len(self.data)} bytes, in their one form"

    def _trust_list(self) -> str:
        self.trust = believed_trust(self.evidence.trust_lists, self.pinned)
        version = self.trust.version
        return f"version {version} of the trust list follows from the pinned one, signature by " \
            f"signature (space {self.trust.space})"  # fmt: skip

    def _cosignatures(self) -> str:
        self.cosigned = [
            verify_cosigned(record, self.trust, self.quorum) for record in self.evidence.records
        ]
        by = {
            record.owner: ", ".join(cosigned.regions)
            for record, cosigned in zip(self.evidence.records, self.cosigned, strict=True)
        }
        said = "; ".join(f"{owner}'s by {regions}" for owner, regions in by.items())
        return f"each log's checkpoint is signed by its owner and cosigned by others: {said}"

    def _inclusion(self) -> str:
        self.placed, self.logged, self.rounds = [], {}, {}
        for record, cosigned in zip(self.evidence.records, self.cosigned, strict=True):
            self._sort_in(verify_place(record, cosigned))
        kinds = sorted(each.entry.kind for each in self.logged.get(BROKER, ()))
        if tuple(kinds) != _BROKERS_KINDS:
            raise _bad("the broker's log must show the request forwarded and the release, "
                       "each once", "evidence-records")  # fmt: skip
        if len({each.origin for each in self.logged[BROKER]}) != 1:
            raise _bad("one broker's log shows the request forwarded, and another's the release",
                       "evidence-records")  # fmt: skip
        if any(len(own) != 1 for owner, own in self.logged.items() if owner != BROKER):
            raise _bad("a node's log must show its answer, once", "evidence-records")
        places = ", ".join(f"{each.origin} entry {each.index}" for each in self.placed)
        return f"each entry is in its log, under that checkpoint: {places}"

    def _sort_in(self, logged: Logged) -> None:
        self.placed.append(logged)
        if not is_of_round(logged.entry):
            self.logged.setdefault(logged.owner, []).append(logged)
        elif self.rounds.setdefault(logged.owner, logged) is not logged:
            raise _bad(f"{logged.owner}'s log must show its round once", "evidence-records")

    def _times(self) -> str:
        for each in self.placed:
            recorded, seen = each.entry.at_ms, each.cosigned.at_ms
            if not recorded - SKEW_MS <= seen <= recorded + LONGEST_UNSEEN_MS:
                raise _bad(
                    f"{each.owner} says that it recorded entry {each.index} at "
                    f"{_moment(recorded)}, and witnesses saw it at {_moment(seen)}: the two do "
                    "not fit together; ask its owner for a proof under an earlier checkpoint",
                    "evidence-time",
                )
            self.trust.check_current(_at(seen))
        seen = max(each.cosigned.at_ms for each in self.placed)
        return f"witnesses had seen all of it by {_moment(seen)}, within a day of its recording"

    def _revocation(self) -> str:
        envelopes = self.evidence.revocation_lists
        if not self.trust.revocation_signers and not envelopes:
            self.lists = ()
            return "the trust list names no revocation signers, and none speak here"
        times = [each.cosigned.at_ms for each in self.placed]
        self.lists = tuple(
            open_revocation_list(each, self.trust, _at(max(times))) for each in envelopes
        )
        if any(not any(each.is_current(at_ms) for at_ms in times) for each in self.lists):
            raise _bad("it holds a revocation list of another time", "evidence-revocation")
        said = ", ".join(sorted(f"{each.region} {each.number}" for each in self.lists)) or "none"
        return f"revocation lists of that time, signed by their regions: {said}"

    def _trust_at(self, at_ms: int) -> TrustList:
        """The trust list with the lists that were the latest at a time."""
        then = [each for each in self.lists if each.issued_at_ms <= at_ms + REVOCATION_SKEW_MS]
        latest = {each.region: each for each in sorted(then, key=lambda one: one.number)}
        return replace(self.trust, revocations=Revocations(latest))

    def _request(self) -> str:
        seen = min(each.cosigned.at_ms for each in self.placed)
        self.request = open_request(self.evidence.request, self._trust_at(seen), seen)
        digest = self.request.payload_sha256.hex()
        for each in self.placed:
            if each.entry.fields.get("request_sha256") != digest:
                raise _bad(f"{each.owner}'s entry is about another request", "evidence-request")
        message, uri = self.request.message, self.request.signer.uri
        # Whether it was fresh when each decided is judged where that time is known.
        self.asked = read_question(self.request, message.freshness.issued_at_ms, BROKER)
        return f"{uri} signed the request for {message.purpose}: {message.sql}"

    def _release(self) -> str:
        own = {each.entry.kind: each for each in self.logged[BROKER]}["query.released"]
        bundle = self.evidence.release
        self.release, digest = open_release(
            bundle,
            self.request.payload_sha256,
            self._trust_at(own.cosigned.at_ms),
            own.cosigned.at_ms,
        )
        _check_receipt_is(own, bundle.receipt)
        stated = {
            "nodes": {node.region: node.status for node in self.release.nodes},
            "partials": tuple(node.body_sha256.hex() for node in self.release.nodes),
        }
        if any(own.entry.fields.get(name) != value for name, value in stated.items()):
            raise _bad("the broker's log tells of another release", "evidence-release")
        waited = own.entry.at_ms - self.release.released_at_ms
        if not -SKEW_MS <= waited <= LONGEST_RECORDING_MS:
            raise _bad("the broker signed another time than it recorded", "evidence-time")
        self._check_trust_of_the_time()
        told = ", ".join(f"{node.region} {node.status}" for node in self.release.nodes)
        return f"the broker signed and recorded release {digest.hex()[:16]}…: {told}"

    def _check_trust_of_the_time(self) -> None:
        # SECURITY: an older list might still believe who was since put out.
        if self.trust.issued_at_ms > self.release.released_at_ms + SKEW_MS:
            raise _bad(
                f"version {self.trust.version} of the trust list came after the release; hand "
                "over the versions up to that time",
                "trust-list-later",
            )
        later = self.pinned.version_after(self.trust.version)
        if later is not None and later.issued_at_ms <= self.release.released_at_ms:
            raise _bad(
                f"version {later.version} of the trust list was in force by then, and the "
                f"evidence stands on version {self.trust.version}",
                "trust-list-rollback",
            )

    def _answers(self) -> str:
        broker_seen = min(each.cosigned.at_ms for each in self.logged[BROKER])
        times = {
            node.region: min((each.cosigned.at_ms for each in self.logged.get(node.region, ())),
                             default=broker_seen)
            for node in self.release.nodes
        }  # fmt: skip
        bundle = self.evidence.release
        self.answers = check_answers(
            bundle, self.release, self.request.payload_sha256, times, self._trust_at,
            query_pb2.Partial if isinstance(self.asked, Asked) else linkage_pb2.OverlapPartial,
        )  # fmt: skip
        if set(self.answers) != set(self.logged) - {BROKER}:
            raise _bad("the logs and the answers are not of the same regions", "evidence-records")
        for checked, answer in zip(self.answers.values(), bundle.answers, strict=True):
            own = self.logged[checked.region][0]
            _check_receipt_is(own, answer.receipt)
            _check_outcome(own, checked)
        said = ", ".join(
            f"{region} {'released cells' if each.released else 'refused'}"
            for region, each in self.answers.items()
        )
        return f"each region's own node signed and recorded its answer to this request: {said}"

    def _contexts(self) -> str:
        self.contexts = []
        for record, logged in zip(self.evidence.records, self.placed, strict=True):
            if is_of_round(logged.entry):
                check_sealed(record)
                continue
            context = open_context(record, logged.entry)
            self.contexts.append(read_context(logged, context, self.request))
        owners = ", ".join(each.owner for each in self.contexts if each.questions)
        return f"what was decided about is what the logs committed to ({owners}), and names " \
            "the request's actor, SQL and project"  # fmt: skip

    def _catalogue(self) -> str:
        self.offers = {}
        for own in self.evidence.catalogues:
            seen = self.logged.get(own.region, self.logged[BROKER])[0].cosigned.at_ms
            then = self._trust_at(seen)
            opened = [open_offer(each, own.region, then, seen) for each in own.offers]
            self.offers[own.region] = {each.offer.product: each for each in opened}
            if len(self.offers[own.region]) != len(opened):
                raise _bad(f"{own.region} offers a product twice", "evidence-catalogue")
            self._check_catalogue_digest(own.region)
        if set(self.offers) - {node.region for node in self.release.nodes}:
            raise _bad("it holds offers of regions that were not asked", "evidence-catalogue")
        named = ", ".join(f"{region} {len(own)}" for region, own in self.offers.items())
        return f"each region's operator signed the products that it offered ({named})"

    def _check_catalogue_digest(self, region: str) -> None:
        offers = self.offers[region]
        digest = catalogue_digest({name: each.envelope.payload for name, each in offers.items()})
        fields = self.logged[region][0].entry.fields if region in self.logged else {}
        recorded = fields.get("catalogue_sha256", digest.hex())
        partial = self.answers[region].released if region in self.answers else None
        signed = partial.catalogue_sha256 if partial is not None else digest
        if recorded != digest.hex() or signed != digest:
            raise _bad(f"{region} decided over another catalogue", "evidence-catalogue")

    def _questions(self) -> str:
        decided = [each for each in self.contexts if each.questions]
        for context in decided:
            check_questions(context, self.request, self.offers)
        if BROKER not in {each.owner for each in decided}:
            raise _bad("the broker's questions to its rules are missing", "evidence-context")
        count = sum(len(each.questions) for each in decided)
        return f"request and products give the {count} questions that the rules were asked"

    def _round(self) -> str:
        if isinstance(self.asked, Asked):
            if self.rounds:
                raise _bad("it tells of a round that nobody asked for", "evidence-round")
            return "each region was asked for itself: there was no round between them"
        answers = {owner: own[-1] for owner, own in self.logged.items() if owner != BROKER}
        answers[BROKER] = {each.entry.kind: each for each in self.logged[BROKER]}["query.released"]
        sides, shares = sides_in(self.asked.query, self.offers), shares_of(self.answers)
        return ShownRound(self.asked, sides, shares, answers, self.rounds).words()

    def _decisions(self) -> str:
        sets: dict[str, PolicySet] = {}
        for files in self.evidence.policy_sets:
            named = load({file.name: file.content for file in files.files})
            sets[set_digest(files)] = named
        used = set()
        self.decisions = {}
        for context in self.contexts:
            again = check_decisions(context, sets) if context.questions else ()
            used |= {each.policy_sha256 for each in again}
            if again:
                self.decisions[context.owner] = again
            if context.owner != BROKER:
                checked = self.answers[context.owner]
                check_answer_follows(context, again, checked.released, checked.refusal)
        if used != set(sets):
            raise _bad("it holds a policy set that decided nothing", "evidence-policy")
        rules = sorted(
            {r.id for own in self.decisions.values() for each in own for r in each.rules}
        )
        return f"the same rules decide the same again: {', '.join(rules)}"

    def _combination(self) -> str:
        asked = self.asked
        if isinstance(asked, AskedOverlap):
            cells = recombine_overlap(asked.query, self.release, shares_of(self.answers))
            return f"the partials combine to the released answer: {len(cells)} cells under " \
                "codes, and what those stand for is sealed to who asked"  # fmt: skip
        first = {name: each.offer for name, each in self.offers[asked.audience[0]].items()}
        query = bound_query(asked, first)
        answer = recombine(query, self.release, self.answers, asked.audience)
        return f"the partials combine to the released answer: {len(answer.rows)} rows, digest " \
            f"{answer.digest().hex()[:16]}…"  # fmt: skip


def _check_receipt_is(logged: Logged, receipt: query_pb2.Receipt) -> None:
    same = (receipt.origin, receipt.index, receipt.entry)
    if same != (logged.origin, logged.index, logged.entry_bytes):
        raise _bad(f"the entry of {logged.owner} is not the one of its receipt", "evidence-records")


def _check_outcome(logged: Logged, checked: CheckedAnswer) -> None:
    """Raise where a log tells of another outcome than its owner signed."""
    fields = logged.entry.fields
    if checked.released is not None:
        signed = ("released", len(checked.released.cells))
        told = (fields.get("outcome"), fields.get("cells"))
        products = (checked.products, fields.get("products"))
        if signed != told or products[0] != products[1]:
            raise _bad(f"{logged.owner}'s log tells of another partial", "evidence-outcome")
    if checked.refusal is not None:
        status = checked.refusal.status
        named = tuple(fields.get(name) for name in ("outcome", "code", "rule"))
        if named != (status.error, status.code, status.rule):
            raise _bad(f"{logged.owner}'s log tells of another refusal", "evidence-outcome")


def _at(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _moment(at_ms: int) -> str:
    return _at(at_ms).isoformat(timespec="seconds")


def _bad(message: str, code: str) -> Unverified:
    return Unverified(message, code=code)
