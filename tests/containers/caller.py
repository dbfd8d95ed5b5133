"""Members who ask all the time, and send what they sent before once more. Runs inside a container.

Promises a line of JSON for each question and each replay, with the receipts that came with an
answer: what was acknowledged. Judges nothing. It is handed over as `python -c`, and so imports
nothing of the tests.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import deque
from typing import Any

from dataspace.client import connect
from dataspace.client.session import Session
from dataspace.errors import DataspaceError
from dataspace.v1 import query_pb2
from dataspace.v1.envelope_pb2 import Envelope

HOME = "/space"
QUESTION = "SELECT region, count(distinct person) AS n FROM patients GROUP BY region"
ACTORS = ("guangzhou/researcher", "hongkong/researcher", "macao/researcher")
PAUSE = 0.5
CALL_SECONDS = 20.0
REPLAY_EVERY = 4
# A request lives for 120 s: an older one would be refused for its age, which proves nothing.
REPLAY_SECONDS = 100.0
TURN = threading.Lock()  # a line is written whole


def tell(**line: Any) -> None:
    """One line on standard output."""
    with TURN:
        print(json.dumps(line), flush=True)


def receipts_of(bundle: bytes) -> list[tuple[str, int, str]]:
    """Where an answer's parts were recorded: origin, index, digest of the entry."""
    read = query_pb2.ReleaseBundle.FromString(bundle)
    return [
        (each.origin, each.index, hashlib.sha256(each.entry).hexdigest())
        for each in (read.receipt, *(answer.receipt for answer in read.answers))
    ]


def ask(session: Session) -> tuple[Envelope, list[str]] | None:
    """One question; the request that was answered and by whom, to be sent again later."""
    began, clock = time.time(), time.perf_counter()
    try:
        release = session.query(QUESTION, purpose="HRESCH", require="any", seconds=CALL_SECONDS)
    except DataspaceError as error:
        tell(
            kind="asked", began=began, seconds=time.perf_counter() - clock, released=[],
            error=error.kind, code=error.code, message=error.message, reasons={}, receipts=[],
        )  # fmt: skip
        return None
    released = [node.region for node in release.nodes if node.status == "released"]
    tell(
        kind="asked", began=began, seconds=time.perf_counter() - clock, released=released,
        error="", code="", message="",
        reasons={node.region: f"{node.status}: {node.reason}"
                 for node in release.nodes if node.status != "released"},
        receipts=receipts_of(release.bundle),
    )  # fmt: skip
    return Envelope.FromString(release.request), released


def replay(session: Session, asked_at: float, envelope: Envelope, answered: list[str]) -> None:
    """Send a request again, byte by byte, and tell what each region says to it."""
    began = time.time()
    try:
        bundle = session.send(envelope, CALL_SECONDS)
        release = query_pb2.Release.FromString(bundle.release.payload)
        heard = {node.region: f"{node.status}: {node.reason}" for node in release.nodes}
    except DataspaceError as error:
        heard = {"broker": f"{error.kind} {error.code}"}
    tell(kind="replayed", began=began, asked_at=asked_at, answered=answered, heard=heard)


def call(actor: str) -> None:
    """One member, until the container ends."""
    sent: deque[tuple[float, Envelope, list[str]]] = deque(maxlen=400)
    turn = 0
    with connect(HOME, actor) as session:
        while True:
            at = time.time()
            answered = ask(session)
            if answered is not None:
                sent.append((at, *answered))
            turn += 1
            recent = [each for each in sent if each[0] > time.time() - REPLAY_SECONDS]
            if recent and turn % REPLAY_EVERY == 0:
                replay(session, *random.choice(recent))
            time.sleep(PAUSE)


def main() -> None:
    """Everybody at once."""
    callers = [threading.Thread(target=call, args=(actor,)) for actor in ACTORS]
    for each in callers:
        each.start()
    for each in callers:
        each.join()


if __name__ == "__main__":
    main()
