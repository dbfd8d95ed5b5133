"""Fetching a release's evidence: each log's owner is asked for its part. Rim.

What comes together is verified as anybody would verify it before it is handed out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from dataspace.client.asking import LogAnswer
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.evidence.bundle import assemble, serialise_evidence
from dataspace.evidence.logged import Quorum
from dataspace.evidence.pinned import Pinned
from dataspace.evidence.verification import verify_evidence
from dataspace.identity.envelopes import parse_envelope
from dataspace.identity.trusted import BROKER, read_unverified
from dataspace.v1 import evidence_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

WAIT_SECONDS = 10.0
NOT_HERE = "archive-missing"
AWAY = frozenset({"broker-unreachable", "broker-tls", "deadline"})
_PAUSES = (0.5, 1.0, 1.5, 2.0)  # each asking is itself recorded: ask seldom

Ask = Callable[[evidence_pb2.EvidenceRequest, Sequence[str]], Sequence[LogAnswer]]


class Clock(Protocol):
    """Time that passes, in seconds."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


def fetch_evidence(
    ask: Ask,
    release_id: str,
    trust_lists: Sequence[Envelope],
    pinned: Pinned,
    quorum: Quorum,
    *,
    wait_seconds: float = WAIT_SECONDS,
    clock: Clock = time,
) -> bytes:
    """The evidence file of a release, verified. Waits while its entries are not cosigned.

    Raises `Unavailable` (`not-cosigned`, or who is away), `Refused` where it is not for this
    actor, `Unverified` where what came does not hold.
    """
    try:
        release_sha256 = bytes.fromhex(release_id)
    except ValueError:
        release_sha256 = b""
    if len(release_sha256) != hashlib.sha256().digest_size:
        raise Malformed(
            "a release is named by the 64 hexadecimal digits that `gba query` gives",
            code="release-id",
        )
    end = clock.monotonic() + wait_seconds
    for turn in range(1_000):
        try:
            return _fetch(ask, release_sha256, trust_lists, pinned, quorum)
        except Unavailable as error:
            pause = _PAUSES[min(turn, len(_PAUSES) - 1)]
            if error.code != "not-cosigned" or clock.monotonic() + pause > end:
                raise
            clock.sleep(pause)
    raise Unavailable("the release is not cosigned yet; export it later", code="not-cosigned")


def fetch_from_all(asks: Sequence[Ask], fetch: Callable[[Ask], bytes]) -> bytes:
    """The evidence from whichever broker made the release: each is asked in turn.

    Raises what the last one said where none has it; one that is away may be the one that has.
    """
    away: Unavailable | None = None
    for number, ask in enumerate(asks, start=1):
        try:
            return fetch(ask)
        except Unavailable as error:
            if error.code not in {NOT_HERE, *AWAY}:
                raise
            away = error if error.code in AWAY else away
            if number == len(asks):
                raise away or error from None
    raise AssertionError("there is always a broker to ask")


def trust_lists_in(folder: Path) -> list[Envelope]:
    """The versions of a trust list in a directory, in order."""
    files = [file for file in folder.glob("*.dsse") if file.stem.isascii() and file.stem.isdigit()]
    return [
        parse_envelope(file.read_bytes()) for file in sorted(files, key=lambda one: int(one.stem))
    ]


def _fetch(
    ask: Ask,
    release_sha256: bytes,
    trust_lists: Sequence[Envelope],
    pinned: Pinned,
    quorum: Quorum,
) -> bytes:
    request = evidence_pb2.EvidenceRequest(release_sha256=release_sha256, logs=[BROKER])
    (broker,) = _parts(ask(request, [BROKER]))
    release = query_pb2.Release.FromString(broker.release.release.payload)
    # Nothing of it is verified yet: what is made of it is, as a whole, below.
    if hashlib.sha256(broker.release.release.payload).digest() != release_sha256:
        raise Unverified("the broker handed over another release", code="evidence-release")
    answered = [node.region for node in release.nodes if node.body_sha256]
    parts = [broker]
    if answered:
        request.logs[:] = answered
        for region, answer in zip(answered, broker.release.answers, strict=False):
            request.places.add(owner=region, index=answer.receipt.index)
        parts += _parts(ask(request, answered))
    wanted = [
        each for each in trust_lists if read_unverified(each).issued_at_ms <= release.released_at_ms
    ]
    data = serialise_evidence(assemble(broker.question, broker.release, wanted, parts))
    verify_evidence(data, pinned, quorum).require()
    return data


def _parts(answers: Sequence[LogAnswer]) -> list[evidence_pb2.EvidencePart]:
    found = []
    for each in answers:
        each.require()
        body = each.answer.body if each.answer is not None else None
        if not isinstance(body, evidence_pb2.EvidencePart):
            raise Unverified(
                f"{each.log} answers with another kind than asked", code="partial-kind"
            )
        found.append(body)
    return found
