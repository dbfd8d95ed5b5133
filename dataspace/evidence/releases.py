"""Checking a release whole: broker, partials, and the combination made again. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dataspace.errors import KINDS, DataspaceError, Unverified
from dataspace.evidence.answers import CheckedAnswer, check_answer, check_receipt
from dataspace.identity.envelopes import open_envelope
from dataspace.identity.trustlist import TrustList
from dataspace.query.combine import Answer, combine
from dataspace.query.partials import read_share
from dataspace.query.tree import Query
from dataspace.v1 import linkage_pb2, query_pb2

RELEASED = "released"
UNSIGNED = frozenset({"unreachable", "timeout", "unverified"})  # what a broker says of a region
GIVEN_UP = "the round was given up"  # because of another region
PER_BROKER = "(per broker)"  # and how its word is marked as its own


@dataclass(frozen=True)
class CheckedRelease:
    """A verified release: the answer as re-combined here, and each node's outcome."""

    release: query_pb2.Release
    release_sha256: bytes
    answer: Answer
    answers: Mapping[str, CheckedAnswer]


def check_release(
    bundle: query_pb2.ReleaseBundle,
    query: Query,
    request_sha256: bytes,
    audience: Sequence[str],
    trust: TrustList,
    now_ms: int,
) -> CheckedRelease:
    """Verify everything in a release. Raises `Unverified` naming what does not hold."""
    release, digest = open_release(bundle, request_sha256, trust, now_ms)
    times = dict.fromkeys(audience, now_ms)
    answers = check_answers(bundle, release, request_sha256, times, lambda _: trust)
    return CheckedRelease(release, digest, recombine(query, release, answers, audience), answers)


def recombine(
    query: Query,
    release: query_pb2.Release,
    answers: Mapping[str, CheckedAnswer],
    audience: Sequence[str],
) -> Answer:
    """The partials combined again. Raises `Unverified` where the broker's answer is another."""
    shares = [read_share(each.partial) for each in answers.values() if each.partial]
    answer = combine(query, shares, audience)
    if not hmac.compare_digest(answer.digest(), release.answer_sha256):
        raise Unverified(
            "the broker's answer is not what the partials combine to; do not use it",
            code="release-answer",
        )
    return answer


def open_release(
    bundle: query_pb2.ReleaseBundle, request_sha256: bytes, trust: TrustList, now_ms: int
) -> tuple[query_pb2.Release, bytes]:
    """What a broker of the space signed and recorded for a request, and its digest."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    try:
        opened = open_envelope(bundle.release, query_pb2.Release, trust, at)
    except DataspaceError as error:
        raise Unverified(f"the release does not verify: {error.args[0]}", code=error.code) from None
    uri = opened.signer.uri
    if uri.role != "broker" or uri not in {broker.uri for broker in trust.brokers}:
        raise Unverified(
            "the release is not signed by a broker of the space", code="release-signer"
        )
    if opened.message.request_sha256 != request_sha256:
        raise Unverified("the release is for another request", code="release-request")
    check_receipt(bundle.receipt, "broker", opened.payload_sha256, trust)
    return opened.message, opened.payload_sha256


def check_answers(
    bundle: query_pb2.ReleaseBundle,
    release: query_pb2.Release,
    request_sha256: bytes,
    times: Mapping[str, int],
    trust_at: Callable[[int], TrustList],
    wanted: type[query_pb2.Partial | linkage_pb2.OverlapPartial] = query_pb2.Partial,
) -> dict[str, CheckedAnswer]:
    """Each region's verified answer: a `wanted` one, or a refusal. `times` has the regions
    asked, and for each the moment (milliseconds) as of which its signature is judged; `trust_at`
    gives what was in force then."""
    # INVARIANT: every region that was asked has an outcome, and every outcome but those of
    # `UNSIGNED`, which are shown as the broker's word, stands on bytes that the region signed.
    if sorted(node.region for node in release.nodes) != sorted(times):
        raise Unverified(
            "the release does not account for every region asked", code="release-nodes"
        )
    by_digest: dict[bytes, CheckedAnswer] = {}
    spoken = {node.body_sha256: node.region for node in release.nodes if node.body_sha256}
    for answer, region in zip(bundle.answers, spoken.values(), strict=False):
        at_ms = times[region]
        checked = check_answer(answer, region, request_sha256, trust_at(at_ms), at_ms)
        if not isinstance(checked.body, (wanted, query_pb2.Refusal)):
            raise Unverified(f"{region} answers with another kind than asked", code="partial-kind")
        by_digest[checked.body_sha256] = checked
    if set(by_digest) != set(spoken) or len(bundle.answers) != len(spoken):
        raise Unverified("the release and its partials do not fit together", code="release-nodes")
    for node in release.nodes:
        if not _is_as_signed(node, by_digest.get(node.body_sha256)):
            raise Unverified(
                f"the release misstates what {node.region} answered", code="release-nodes"
            )
    return {checked.region: checked for checked in by_digest.values()}


def _is_as_signed(node: query_pb2.NodeOutcome, checked: CheckedAnswer | None) -> bool:
    """Whether the broker tells of a region what the region itself said, and invents nothing."""
    # SECURITY: a broker that could word a refusal could turn a requester away unseen.
    if checked is None:
        return node.status in UNSIGNED and node.reason.endswith(PER_BROKER)
    if checked.region != node.region:
        return False
    if checked.refusal is None:
        return node.status == RELEASED and not node.reason
    said = checked.refusal.status
    return said.error in KINDS and (node.status, node.reason) == (said.error, said.message)
