"""One release with evidence that holds, and ways to alter it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import strategies as st

from dataspace.evidence.bundle import parse_evidence, serialise_evidence
from dataspace.v1 import evidence_pb2
from tests.unit.evidence.world import Case, make_world, release, verify

Alter = Callable[[evidence_pb2.Evidence], None]


@cache
def case() -> Case:
    return release(make_world(Path(mkdtemp(prefix="gba-evidence-"))))


@cache
def other() -> Case:
    """Another release of the same space, to the same question."""
    return release(case().world)


@cache
def whole() -> bytes:
    """The evidence that holds, and from which every attack departs."""
    verify(case().file(), case().world).require()
    return case().file()


def fails_at(data: bytes, step: str, world_of: Case | None = None) -> str:
    """The words of the step that fails; it must be this one."""
    failed = verify(data, (world_of or case()).world).failed
    assert failed is not None, "it holds"
    assert failed.name == step, f"{failed.name}: {failed.words}"
    return failed.words


def altered(alter: Alter, start: bytes | None = None) -> bytes:
    """Evidence that departs from the whole one in what `alter` does."""
    evidence = parse_evidence(start or whole())
    alter(evidence)
    return serialise_evidence(evidence)


def record(evidence: evidence_pb2.Evidence, owner: str, place: int = 0) -> evidence_pb2.Recorded:
    return [each for each in evidence.records if each.owner == owner][place]


def rewrapped(body: bytes) -> bytes:
    """A file around any body, whose first line fits it."""
    digest = hashlib.sha256(body).hexdigest().encode()
    return b"gba-evidence/v1 %d %b\n%b" % (len(body), digest, body)


def one_byte_changed(content: bytes, data: st.DataObject) -> tuple[int, bytes]:
    """A file with one other byte in its body, and where; its digest is made anew."""
    body = bytearray(content.split(b"\n", 1)[1])
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    return place, rewrapped(bytes(body))


def each_byte_changed(content: bytes, begin: int = 0) -> Iterator[tuple[int, bytes]]:
    """The same for each place from one on."""
    body = content.split(b"\n", 1)[1]
    for place in range(begin, len(body)):
        yield place, rewrapped(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
