"""How long evidence takes to verify: `python -m tests.bench.evidence_verify`.

A release of three regions made in this process. Prints the median, the share of each step,
and the ratio to verifying alone the signatures that the file holds. Certificate chains are
known by then in both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from dataspace.evidence import verification
from dataspace.evidence.bundle import parse_evidence
from dataspace.evidence.logged import verify_cosigned
from dataspace.identity.algorithms import verify as verify_signature
from dataspace.identity.chains import verify_chain
from dataspace.identity.dsse import pae
from dataspace.v1 import evidence_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.evidence.witnesses import quorum
from tests.unit.evidence.world import SEEN_MS, World, make_world, release, verify

ROUNDS = 60


def main() -> None:
    """Run it."""
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        data = release(world).file()
        verify(data, world).require()
        whole = _median(lambda: verify(data, world))
        evidence = parse_evidence(data)
        bare = _median(lambda: _signatures(evidence, world))
        print(f"file of {len(data)} bytes, {len(_envelopes(evidence))} envelopes, "
              f"{len(evidence.records)} entries")  # fmt: skip
        print(f"verified whole    {whole * 1e3:7.2f} ms")
        print(f"signatures alone  {bare * 1e3:7.2f} ms")
        print(f"ratio             {whole / bare:7.2f}")
        for name, seconds in _by_step(data, world).items():
            print(f"  {name:<14}{seconds * 1e3:7.2f} ms")


def _envelopes(evidence: evidence_pb2.Evidence) -> list[Envelope]:
    answers = [each.body for each in evidence.release.answers]
    offers = [offer for each in evidence.catalogues for offer in each.offers]
    return [evidence.request, evidence.release.release, *answers, *offers]


def _signatures(evidence: evidence_pb2.Evidence, world: World) -> None:
    """Every envelope's signature and every checkpoint's, and nothing else."""
    at = datetime.fromtimestamp(SEEN_MS / 1000, UTC)
    for each in _envelopes(evidence):
        signature = each.signatures[0]
        signer = verify_chain(signature.chain, world.trust.listed_roots(), at)
        verify_signature(signer.public_key, signature.sig, pae(each.payload_type, each.payload))
    for record in evidence.records:
        verify_cosigned(record, world.trust, quorum)


def _by_step(data: bytes, world: World) -> dict[str, float]:
    """The median of each step."""
    taken: dict[str, list[float]] = {}

    def timed(steps: list[tuple[str, Callable[[], str]]]) -> object:
        for name, act in steps:
            began = time.perf_counter()
            act()
            taken.setdefault(name, []).append(time.perf_counter() - began)
        return None

    with patch.object(verification, "take_steps", timed):
        for _ in range(ROUNDS):
            verify(data, world)
    return {name: statistics.median(each) for name, each in taken.items()}


def _median(act: Callable[[], object]) -> float:
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


if __name__ == "__main__":
    main()
