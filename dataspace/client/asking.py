"""What came back of a request that several logs answer, verified. Pure.

For every kind of signed request but queries: each log's answer is held against its owner's
signature, the request, and its receipt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataspace.errors import Unavailable, Unverified
from dataspace.evidence.answers import CheckedAnswer, check_answer, error_of
from dataspace.evidence.releases import PER_BROKER, UNSIGNED
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import audit_pb2, query_pb2


@dataclass(frozen=True)
class LogAnswer:
    """What one log came to: `answer` is None where only the broker speaks for it.

    `status` is `released`, the kind of a signed refusal, or `unreachable`, `timeout`,
    `unverified` by the broker's word.
    """

    log: str
    status: str
    reason: str
    answer: CheckedAnswer | None
    receipt: query_pb2.Receipt | None

    def require(self) -> None:
        """Raise what the log said, unless it answered."""
        if self.answer is not None and self.answer.refusal is not None:
            status = query_pb2.ErrorStatus()
            status.CopyFrom(self.answer.refusal.status)
            status.message = f"{self.log}: {status.message}"
            raise error_of(status)
        if self.status == "unverified":
            raise Unverified(f"{self.log}: {self.reason}", code="node-unverified")
        if self.answer is None:
            raise Unavailable(f"{self.log}: {self.reason}; ask again", code="node-unavailable")


def check_answers(
    answers: audit_pb2.AuditAnswers,
    logs: Sequence[str],
    request_sha256: bytes,
    trust: TrustList,
    now_ms: int,
) -> tuple[LogAnswer, ...]:
    """One for each log asked, in order. Raises `Unverified`, or the broker's own refusal."""
    named = [node.region for node in answers.nodes]
    spoken = [node for node in answers.nodes if node.body_sha256]
    if len(spoken) != len(answers.answers):
        raise Unverified("answers and their logs do not fit together", code="release-nodes")
    by_log: dict[str, LogAnswer] = {}
    for node, answer in zip(spoken, answers.answers, strict=True):
        checked = check_answer(answer, node.region, request_sha256, trust, now_ms)
        refused = checked.refusal
        by_log[node.region] = LogAnswer(
            node.region,
            refused.status.error if refused is not None else "released",
            refused.status.message if refused is not None else "",
            checked,
            answer.receipt,
        )
    if named == [BROKER] and BROKER in by_log:
        by_log[BROKER].require()  # it refused for the space, and asked nobody
    if sorted(named) != sorted(logs):
        raise Unverified("not every log asked is accounted for", code="release-nodes")
    for node in answers.nodes:
        if node.region in by_log:
            continue
        # INVARIANT: what no owner signed is shown as the broker's word, and says no more than
        # that the log is away.
        if node.status not in UNSIGNED or not node.reason.endswith(PER_BROKER):
            raise Unverified(f"{node.region} did not sign its own word", code="release-nodes")
        by_log[node.region] = LogAnswer(node.region, node.status, node.reason, None, None)
    return tuple(by_log[name] for name in sorted(logs))
