"""Many callers at once, in processes of their own, and what each of their questions came to.

`python -m tests.callers HOME SECONDS THREADS REQUIRE PAUSE` is one such process: each thread has a
session of its own, asks until the time is up, PAUSE seconds after each answer, and every question
becomes a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from dataspace.client import connect
from dataspace.errors import DataspaceError
from dataspace.evidence.offers import regions_asked
from dataspace.identity.names import REGIONS
from dataspace.query.bind import bind_query
from dataspace.query.combine import combine
from dataspace.query.parse import parse_query
from dataspace.query.partials import read_share
from dataspace.v1 import query_pb2

QUESTIONS = (
    "SELECT region, sex, count(distinct person) AS n FROM patients GROUP BY region, sex",
    "SELECT age_band, count(*) AS n, avg(age) AS age FROM patients GROUP BY age_band",
    "SELECT avg(value) AS mean, stddev_samp(value) AS s FROM observations WHERE loinc = '8480-6'",
)
CALL_SECONDS = 30.0


@dataclass(frozen=True)
class Told:
    """What one question came to: the regions that answered and the answer's digest, or why not."""

    question: int
    began: float  # seconds since the epoch
    seconds: float
    released: tuple[str, ...] = ()
    digest: str = ""
    reasons: tuple[str, ...] = ()  # of the regions that did not answer
    error: str = ""  # kind and code
    message: str = ""


def ask_many(
    home: Path, callers: int, seconds: float, *, processes: int = 2, require: str = "any"
) -> list[Told]:
    """Have so many callers ask for so long. Raises where a process of theirs does not end."""
    with Callers(home, callers, seconds, processes=processes, require=require) as running:
        return running.told()


class Callers:
    """Callers that ask meanwhile."""

    def __init__(
        self,
        home: Path,
        callers: int,
        seconds: float,
        *,
        processes: int = 2,
        require: str = "any",
        pause: float = 0.0,
    ) -> None:
        self._seconds = seconds
        command = [sys.executable, "-m", "tests.callers", str(home), f"{seconds}"]
        shares = [callers // processes + (n < callers % processes) for n in range(processes)]
        self._processes = [
            subprocess.Popen(
                [*command, f"{share}", require, f"{pause}"],
                stdout=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[1],
            )
            for share in shares
            if share
        ]
        for process in self._processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "asking\n"

    def told(self) -> list[Told]:
        """What they were told, once all have ended; a stuck call fails here."""
        texts = [
            process.communicate(timeout=self._seconds + 2 * CALL_SECONDS)[0]
            for process in self._processes
        ]
        assert all(process.returncode == 0 for process in self._processes)
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        return [
            Told(**{**line, "released": tuple(line["released"]), "reasons": tuple(line["reasons"])})
            for line in lines
        ]

    def __enter__(self) -> Callers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


Expected = Mapping[tuple[int, tuple[str, ...]], str]


def expected_answers(home: Path) -> Expected:
    """Digest of the right answer by question and regions that answer.

    Each is combined from what the nodes said while nobody else asked.
    """
    found: dict[tuple[int, tuple[str, ...]], str] = {}
    with connect(home, "hongkong/researcher") as session:
        for number, sql in enumerate(QUESTIONS):
            bundle = query_pb2.ReleaseBundle.FromString(session.query(sql, purpose="HRESCH").bundle)
            unbound = parse_query(sql)
            offers = next(iter(regions_asked(unbound, session.catalogue().offers).values()))
            query = bind_query(unbound, *(each.offer for each in offers.values()))
            shares = [
                read_share(query_pb2.Partial.FromString(answer.body.payload))
                for answer in bundle.answers
            ]
            for size in range(1, len(shares) + 1):
                for chosen in combinations(shares, size):
                    regions = tuple(sorted(share.region for share in chosen))
                    answer = combine(query, list(chosen), sorted(REGIONS))
                    found[number, regions] = answer.digest().hex()
    return found


def wrong_answers(told: Iterable[Told], expected: Expected) -> list[Told]:
    """Answers that are not the combination of the regions that they name."""
    return [
        each
        for each in told
        if not each.error and each.digest != expected.get((each.question, each.released))
    ]


def without_reason(told: Iterable[Told]) -> list[Told]:
    """Questions that were neither answered nor refused with a code and words."""
    return [
        each
        for each in told
        if (each.error and (each.error.split()[1:] in ([], ["internal"]) or not each.message))
        or any(not reason for reason in each.reasons)
    ]


def _ask(session: Any, number: int, require: str) -> Told:
    began, clock = time.time(), time.perf_counter()
    try:
        release = session.query(
            QUESTIONS[number], purpose="HRESCH", require=require, seconds=CALL_SECONDS
        )
    except DataspaceError as error:
        seconds = time.perf_counter() - clock
        told = f"{error.kind} {error.code}"
        return Told(number, began, seconds, error=told, message=error.message)
    released = tuple(node.region for node in release.nodes if node.status == "released")
    reasons = tuple(node.reason for node in release.nodes if node.status != "released")
    digest = release.answer.digest().hex()
    return Told(number, began, time.perf_counter() - clock, released, digest, reasons)


def main(arguments: Sequence[str]) -> None:
    """One process of callers."""
    home, seconds, threads, require, pause = arguments
    told: list[Told] = []
    gate = threading.Barrier(int(threads) + 1)

    def call(place: int) -> None:
        region = REGIONS[place % len(REGIONS)]
        with connect(home, f"{region}/researcher") as session:
            gate.wait()
            until = time.monotonic() + float(seconds)
            turn = place
            while time.monotonic() < until:
                each = _ask(session, turn % len(QUESTIONS), require)
                told.append(each)
                turn += 1
                time.sleep(0.5 if each.error.endswith("busy") else float(pause))

    callers = [threading.Thread(target=call, args=(place,)) for place in range(int(threads))]
    for each in callers:
        each.start()
    gate.wait()
    print("asking", flush=True)
    for each in callers:
        each.join()
    for one in told:
        print(json.dumps(asdict(one)))


if __name__ == "__main__":
    main(sys.argv[1:])
