"""Charters for tests: a chain of them over the small space's trust list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dataspace.identity.trustlist import TrustList
from dataspace.policy.charter import Charter, read_charter, wire_of
from dataspace.policy.charter_chain import seal_charter
from dataspace.v1 import charter_pb2
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.identity.world import NOW_MS, Space, make_space

from .samples import POLICIES

TWO = ("guangzhou-1", "hongkong-1")
FILES = {name: (POLICIES / name).read_bytes() for name in ("schema.cedarschema", "space.cedar")}


@dataclass(frozen=True)
class Regions:
    """Three regions that have a trust list and a first charter."""

    space: Space

    @cached_property
    def trust(self) -> TrustList:
        return self.space.trust()

    @cached_property
    def first(self) -> Envelope:
        wire = charter_pb2.Charter(
            space="test", version=1, proposed_at_ms=NOW_MS, reason="founding",
            floors=charter_pb2.CharterFloors(min_subjects=5, round_to=1),
            authority_sha256=self.trust.payload_sha256,
            trust_list_sha256=self.trust.payload_sha256,
        )  # fmt: skip
        for name, content in sorted(FILES.items()):
            wire.files.add(name=name, content=content)
        return self.seal(wire, *TWO)

    def seal(self, wire: charter_pb2.Charter, *keyids: str) -> Envelope:
        return seal_charter(wire, [(each, self.space.trust_keys[each]) for each in keyids])

    def next(self, current: Charter, **changes: Any) -> charter_pb2.Charter:
        """What comes after `current`: another reason, and what is given."""
        wire = wire_of(current)
        wire.version, wire.previous_sha256 = current.version + 1, current.sha256
        wire.reason, wire.restores = f"version {wire.version}", 0
        wire.authority_sha256 = wire.trust_list_sha256 = self.trust.payload_sha256
        for name, value in changes.items():
            if name == "space_rules":
                wire.files[1].content = value
            elif name == "floors":
                wire.floors.CopyFrom(value)
            else:
                setattr(wire, name, value)
        return wire

    def chain(self, length: int) -> list[Envelope]:
        """Versions 1 to `length`."""
        envelopes = [self.first]
        while len(envelopes) < length:
            wire = self.next(read_charter(envelopes[-1]))
            envelopes.append(self.seal(wire, *TWO))
        return envelopes


def make_regions() -> Regions:
    return Regions(make_space())


def proposal(envelope: Envelope, trust_list: Envelope | None = None) -> Proposal:
    return Proposal(charter=envelope, trust_list=trust_list)
