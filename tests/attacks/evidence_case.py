"""One release with evidence that holds, and ways to alter it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from dataspace.evidence.bundle import parse_evidence, serialise_evidence
from dataspace.v1 import evidence_pb2
from tests.unit.evidence.world import (
    Case,
    make_world,
    release,
    verify,
)

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


def altered(alter: Alter) -> bytes:
    evidence = parse_evidence(whole())
    alter(evidence)
    return serialise_evidence(evidence)


def record(evidence: evidence_pb2.Evidence, owner: str, place: int = 0) -> evidence_pb2.Recorded:
    return [each for each in evidence.records if each.owner == owner][place]
