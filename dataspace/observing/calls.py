"""The calls that a process works on: how many, how long each stage takes, and their spans.

A call is told its stages by whoever does the work; what comes of that is counted once, at its
end. Nothing here waits, and nothing that is told here is kept.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from dataspace.observing.counts import Counts
from dataspace.observing.tracing import NoTracer, Tracer

DECIDED: Final = "decided"
RUNNING: Final = "running"
_OUTCOMES: Final = frozenset({"released", "refused", "failed", "cancelled", "explained"})


@dataclass
class Call:
    """One call under way. Stages may be told from any thread; the first of each name counts."""

    calls: Calls
    kind: str
    digest: bytes
    began_ns: int
    outcome: str = "failed"
    ended: bool = False
    _stages: dict[str, int] = field(default_factory=dict)

    def stage(self, name: str) -> None:
        """The call has come so far."""
        self._stages.setdefault(name, time.time_ns())
        if name in _OUTCOMES:
            self.outcome = name

    def end(self, outcome: str = "") -> None:
        """It is over; a second end changes nothing."""
        self.calls._end(self, outcome or self.outcome)

    def spans(self, ended_ns: int) -> list[tuple[str, int, int]]:
        """Its parts as name, start and end."""
        decided = self._stages.get(DECIDED)
        running = self._stages.get(RUNNING)
        parts = []
        if decided is not None:
            parts.append(("decide", self.began_ns, decided))
        if running is not None:
            parts.append(("engine", running, ended_ns))
        return parts


class Calls:
    """One process's. `name` is that of its spans, `parent` of the span that they hang from."""

    def __init__(
        self, counts: Counts, name: str = "", parent: str = "", tracer: Tracer | None = None
    ) -> None:
        self._counts = counts
        self._name, self._parent = name, parent
        self._tracer: Tracer = tracer or NoTracer()
        self._open = 0
        self._by_digest: dict[bytes, Call] = {}
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        """How many are under way."""
        return self._open

    def begin(self, kind: str, payload: bytes) -> Call:
        """A call for a signed payload has come."""
        call = Call(self, kind, hashlib.sha256(payload).digest(), time.time_ns())
        with self._lock:
            self._open += 1
            # Copies of one request have one digest; what is recorded of it counts for the first.
            self._by_digest.setdefault(call.digest, call)
        return call

    def recorded(self, kind: str, request_sha256: str) -> None:
        """An entry about a request: one that says it was forwarded is the broker's decision."""
        if kind.endswith(".forwarded"):
            call = self._by_digest.get(bytes.fromhex(request_sha256))
            if call is not None:
                call.stage(DECIDED)

    def _end(self, call: Call, outcome: str) -> None:
        with self._lock:
            if call.ended:
                return
            call.ended = True
            self._open -= 1
            if self._by_digest.get(call.digest) is call:
                del self._by_digest[call.digest]
        ended = time.time_ns()
        self._counts.called(call.kind, outcome, max(0, ended - call.began_ns) / 1e9)
        parts = call.spans(ended)
        for name, start, end in parts:
            if name == "decide":
                self._counts.decided(max(0, end - start) / 1e9)
        if self._name:
            self._trace(call, outcome, ended, parts)

    def _trace(
        self, call: Call, outcome: str, ended: int, parts: list[tuple[str, int, int]]
    ) -> None:
        attributes = {"gba.kind": call.kind, "gba.outcome": outcome}
        self._tracer.span(call.digest, self._name, self._parent, call.began_ns, ended, attributes)
        for name, start, end in parts:
            self._tracer.span(
                call.digest, f"{self._name} {name}", self._name, start, max(start, end), {}
            )

    def close(self) -> None:
        """Hand over the spans that are left."""
        self._tracer.close()


def uncounted() -> Calls:
    """Calls that nobody looks at."""
    return Calls(Counts())
