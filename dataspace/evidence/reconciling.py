"""Holds the brokers', the nodes' and a client's accounts of the same requests together. Pure.

Entries are joined by request digest. Each side's entry names the digest of the signed body
that it sent or got, so that a side cannot agree about a request and differ about its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from dataspace.identity.replicas import is_broker
from dataspace.identity.trusted import BROKER
from dataspace.v1 import audit_pb2

GRACE_MS: Final = 5_000  # entries younger than this are of requests under way

# What a difference or a remark is called, and what it says.
DIFFERENCES: Final = {
    "broker-denies": "{log} answered a request that the broker's log does not know",
    "node-never-logged": "the broker passed on an answer of {log} that its log does not hold",
    "answer-differs": "{log} logged another answer than the broker passed on",
    "broker-withholds": "{log} answered, and the broker said that it was away",
    "broker-omits": "{log} answered, and the broker's outcome does not name it",
    "broker-never-logged": "the client holds a release that the broker's log does not hold",
}
REMARKS: Final = {
    "late": "{log} answered, and the broker said that it was too late",
    "given-up": "{log} answered in a round that the broker gave up",
    "unfinished": "{log} forwarded a request and logged no outcome",
}


@dataclass(frozen=True)
class Line:
    """What one log says in one entry."""

    log: str
    entry: audit_pb2.AuditEntry

    @property
    def is_brokers(self) -> bool:
        """Whether it is a broker's; every replica has a log of its own."""
        return is_broker(self.log)


@dataclass(frozen=True)
class Difference:
    """What one side has and another lacks; `code` is a key of `DIFFERENCES` or `REMARKS`."""

    code: str
    request_sha256: str
    log: str
    at_ms: int

    @property
    def message(self) -> str:
        """The difference in words."""
        return {**DIFFERENCES, **REMARKS}[self.code].format(log=self.log)


@dataclass(frozen=True)
class Reconciliation:
    """All requests held together. Both sides agree where there is no difference."""

    requests: int
    differences: tuple[Difference, ...]
    remarks: tuple[Difference, ...]
    in_flight: tuple[str, ...]  # digests of requests that are too young to be judged


_Differs: TypeAlias = Callable[[str, str], Difference]


def reconcile(
    lines: Iterable[Line],
    logs: Collection[str],
    *,
    now_ms: int,
    from_ms: int = 0,
    releases: Sequence[str] = (),
    grace_ms: int = GRACE_MS,
) -> Reconciliation:
    """Compare the logs named; `releases` are digests of releases that a client holds.

    Requests that began before `from_ms` may be cut off there, and are left out.
    """
    by_request: dict[str, list[Line]] = {}
    held: set[str] = set()
    for line in lines:
        if line.is_brokers:
            held.add(line.entry.body_sha256.hex())
        if line.entry.request_sha256:
            by_request.setdefault(line.entry.request_sha256.hex(), []).append(line)
    found: list[Difference] = []
    in_flight = []
    for request, group in sorted(by_request.items()):
        times = [line.entry.at_ms for line in group]
        if max(times) > now_ms - grace_ms:
            in_flight.append(request)
        elif not from_ms or min(times) > from_ms + grace_ms:
            found += _compare(request, group, logs)
    found += [
        Difference("broker-never-logged", "", "client", now_ms)
        for release in releases
        if release not in held and any(map(is_broker, logs))
    ]
    return Reconciliation(
        len(by_request),
        tuple(each for each in found if each.code in DIFFERENCES),
        tuple(each for each in found if each.code in REMARKS),
        tuple(in_flight),
    )


def _compare(request: str, group: Sequence[Line], logs: Collection[str]) -> list[Difference]:
    if not any(map(is_broker, logs)):
        return []
    own = [line for line in group if line.is_brokers]
    answered: dict[str, list[audit_pb2.AuditEntry]] = {}
    for line in group:
        if not line.is_brokers or line.entry.kind.endswith((".read", ".refused")):
            answered.setdefault(line.log, []).append(line.entry)

    def differs(code: str, log: str) -> Difference:
        return Difference(code, request, log, max(line.entry.at_ms for line in group))

    kinds = {line.entry.kind.rpartition(".")[2] for line in own}
    outcomes = [_named(said, line.log) for line in own for said in line.entry.outcomes]
    asked_nodes = sorted(log for log in answered if not is_broker(log))
    if "forwarded" not in kinds:
        return [differs("broker-denies", log) for log in asked_nodes]
    if not outcomes:
        # A cancelled request has no outcome, an explained one runs nothing.
        explained = any(e.kind.endswith(".explained") for log in asked_nodes for e in answered[log])
        closed = kinds & {"cancelled", "refused"} or explained
        return [] if closed else [differs("unfinished", own[0].log)]
    return _of_outcomes(
        outcomes, answered, logs, differs=differs,
        cancelled="cancelled" in kinds, given_up="given_up" in kinds,
    )  # fmt: skip


def _named(said: audit_pb2.AuditOutcome, log: str) -> audit_pb2.AuditOutcome:
    """An outcome with the log's own name, where a broker tells of its own answer."""
    if said.region != BROKER:
        return said
    own = audit_pb2.AuditOutcome()
    own.CopyFrom(said)
    own.region = log
    return own


def _of_outcomes(
    outcomes: Sequence[audit_pb2.AuditOutcome],
    answered: Mapping[str, Sequence[audit_pb2.AuditEntry]],
    logs: Collection[str],
    *,
    cancelled: bool,
    given_up: bool,
    differs: _Differs,
) -> list[Difference]:
    found = []
    for said in outcomes:
        if said.region not in logs:
            continue
        entries = answered.get(said.region, ())
        if said.body_sha256:
            if not entries:
                found.append(differs("node-never-logged", said.region))
            elif said.body_sha256 not in {entry.body_sha256 for entry in entries}:
                found.append(differs("answer-differs", said.region))
        elif any(entry.outcome == "released" for entry in entries) and not any(
            other.region == said.region and other.body_sha256 for other in outcomes
        ):
            late = said.status == "timeout" or cancelled
            # A node's answer to an attempt that another ended goes nowhere; that is on record.
            held = "given-up" if given_up else "broker-withholds"
            found.append(differs("late" if late else held, said.region))
    named = {said.region for said in outcomes}
    unnamed = sorted(log for log in set(answered) - named if not is_broker(log))
    found += [differs("broker-omits", log) for log in unnamed]
    return found
