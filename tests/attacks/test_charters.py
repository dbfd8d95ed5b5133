"""Charters that must not be followed, at a region's node as it is opened from its directory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dataspace.audit.entries import Entry
from dataspace.charter_files import charter_envelopes, read_charters
from dataspace.client.local_logs import read_entries
from dataspace.errors import Malformed, Unverified
from dataspace.governed import open_policies
from dataspace.home import PartyHome
from dataspace.identity.algorithms import generate
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.keystore import load_private_key
from dataspace.identity.quorum import cosign
from dataspace.identity.trusted import read_unverified
from dataspace.identity.trustlist import seal_trust_list
from dataspace.policy.charter import read_charter
from dataspace.policy.charter_chain import seal_charter
from dataspace.policy.charter_changes import Draft, following
from dataspace.v1 import broker_pb2, charter_pb2, query_pb2, trust_pb2
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope
from node.service import Node
from tests.attacks.forgery import now_ms
from tests.federation.copies import still_copy
from tests.federation.processes import await_true
from tests.revocations import fresh_lists
from tests.spaces import Space
from tests.unit.policy.samples import forbid


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return still_copy(tmp_path, "--empty", "--no-agreements")


@pytest.fixture
def node(space: Space) -> Iterator[Node]:
    opened = Node.open(PartyHome(space.home / "macao"))
    opened.in_force.take(fresh_lists(space.home, now_ms()))
    yield opened
    opened.close()


def key_of(space: Space, region: str) -> tuple[str, Any]:
    return f"{region}-1", load_private_key(space.home / region / "authority/trust.key")


def second(space: Space, *regions: str, rule: str = "closed") -> Envelope:
    """Version 2 with a rule more, signed by these regions."""
    home = PartyHome(space.home / "hongkong")
    trust = home.trust(now_ms())
    (first,) = read_charters(home, home.trust_lists(now_ms()))
    rules = first.files["space.cedar"] + f"\n{forbid(rule, 'true')}".encode()
    draft = Draft(files={"space.cedar": rules})
    wire = following(first, draft, trust.payload_sha256, "an attack", now_ms())
    return seal_charter(wire, [key_of(space, each) for each in regions])


def apply(
    space: Space, node: Node, charter: Envelope, trust_list: Envelope | None = None
) -> query_pb2.NodeAnswer:
    """What the node answers to an operator of another region who applies a charter."""
    asked = charter_pb2.CharterApplication(
        proposal=Proposal(charter=charter, trust_list=trust_list),
        freshness=make_freshness(
            now_ms=now_ms(), nonce=secrets.token_bytes(16), audience=["macao", "broker"]
        ),
    )
    envelope = seal(asked, PartyHome(space.home / "hongkong/operator").identity)
    return node.room.handlers()[envelope.payload_type](envelope)


def refused(node: Node, answer: query_pb2.NodeAnswer) -> str:
    """The code of the node's signed and recorded refusal."""
    at = datetime.fromtimestamp(now_ms() / 1000, UTC)
    opened = open_envelope(answer.body, query_pb2.Refusal, node.in_force.trust(), at)
    return opened.message.status.code


def version(node: Node) -> int:
    current = node.governance.governor.current
    assert current is not None
    return current.version


def alarms(space: Space) -> list[str]:
    """The codes of the node's alarms about charters, in order."""
    read = map(Entry.from_bytes, read_entries(space.home / "macao", "macao", now_ms()))
    return [str(each.fields["code"]) for each in read if each.kind == "charter.rejected"]


def _by_a_stranger(space: Space) -> Envelope:
    return cosign(second(space, "hongkong"), "guangzhou-1", generate("ed25519"))


def _of_two_unknown(space: Space) -> Envelope:
    stripped = second(space, "hongkong")
    del stripped.signatures[:]
    for name in ("nobody-1", "nobody-2"):
        stripped = cosign(stripped, name, generate("ed25519"))
    return stripped


def _changed_after_signing(space: Space) -> Envelope:
    envelope = second(space, "hongkong", "guangzhou")
    envelope.payload = envelope.payload.replace(b'@id("closed")', b'@id("opened")')
    return envelope


def _the_first_again_signed_anew(space: Space) -> Envelope:
    (first,) = charter_envelopes(PartyHome(space.home / "hongkong"))
    wire = charter_pb2.Charter.FromString(first.payload)
    wire.reason = "another founding"
    return seal_charter(wire, [key_of(space, each) for each in ("hongkong", "guangzhou")])


ATTACKS: list[tuple[Callable[[Space], Envelope], str]] = [
    (lambda space: second(space, "hongkong"), "charter-quorum"),
    (_by_a_stranger, "bad-signature"),
    (_of_two_unknown, "charter-quorum"),
    (_changed_after_signing, "bad-signature"),
    (_the_first_again_signed_anew, "charter-rollback"),
]


@pytest.mark.parametrize(("make", "code"), ATTACKS)
def test_a_node_follows_nothing_that_two_regions_did_not_sign(
    space: Space, node: Node, make: Callable[[Space], Envelope], code: str
) -> None:
    attack = make(space)
    before = node.gatekeeper.policies.current().sha256
    assert refused(node, apply(space, node, attack)) == code
    # Nor where the broker brings it at attach, by itself.
    node.governance.take(broker_pb2.Welcome(charters=[attack]))
    assert (version(node), node.gatekeeper.policies.current().sha256) == (1, before)
    await_true(lambda: alarms(space) == [code], "no alarm, or more than one")


def test_an_earlier_charter_is_not_followed_again(space: Space, node: Node) -> None:
    two = second(space, "hongkong", "guangzhou")
    assert refused(node, apply(space, node, second(space, "macao"))) == "charter-quorum"
    apply(space, node, two)
    assert version(node) == 2
    assert "closed" in node.gatekeeper.policies.current().rules
    (first,) = charter_envelopes(PartyHome(space.home / "hongkong"))
    assert refused(node, apply(space, node, first)) == "charter-rollback"
    other = second(space, "hongkong", "guangzhou", rule="another")
    assert refused(node, apply(space, node, other)) == "charter-rollback"
    assert version(node) == 2


def test_a_suspended_region_does_not_count(space: Space, node: Node) -> None:
    listed = PartyHome(space.home / "hongkong").trust_envelopes(now_ms())[0]
    wire = trust_pb2.TrustList.FromString(listed.payload)
    wire.version, wire.previous_sha256 = 2, read_unverified(listed).payload_sha256
    next(each for each in wire.regions if each.region == "guangzhou").suspended = True
    two = seal_trust_list(wire, [key_of(space, each) for each in ("hongkong", "macao")])
    for region in ("hongkong", "macao"):
        (space.home / region / "trust/2.dsse").write_bytes(two.SerializeToString())
    node.in_force.look()
    assert node.in_force.trust().version == 2
    attack = second(space, "hongkong", "guangzhou")
    assert refused(node, apply(space, node, attack)) == "charter-quorum"
    apply(space, node, second(space, "hongkong", "macao"))
    assert version(node) == 2


def test_a_kept_charter_that_was_changed_or_taken_away_stops_the_node_at_its_start(
    space: Space,
) -> None:
    home = PartyHome(space.home / "macao")
    file = home.path / "charters/1.dsse"
    good = file.read_bytes()
    stranger = Envelope.FromString(good)
    wire = charter_pb2.Charter.FromString(stranger.payload)
    wire.reason = "another founding"
    other = seal_charter(wire, [key_of(space, each) for each in ("hongkong", "macao")])
    for bad, code in (
        (good.replace(b"forbid", b"permit"), "bad-signature"),
        (good[: len(good) // 2], "charter-form"),
        (other.SerializeToString(), "charter-pin"),
    ):
        file.write_bytes(bad)
        with pytest.raises(Unverified) as caught:
            open_policies(home)
        assert caught.value.code == code
    file.write_bytes(good)
    rules = home.path / "policies/space.cedar"
    rules.write_bytes(rules.read_bytes().replace(b"forbid", b"permit"))
    with pytest.raises(Malformed, match=r"space\.cedar: shared file differs from charter 1"):
        open_policies(home)


def test_a_reader_of_another_payload_type_reads_no_charter(space: Space) -> None:
    (first,) = charter_envelopes(PartyHome(space.home / "hongkong"))
    (listed,) = PartyHome(space.home / "hongkong").trust_envelopes(now_ms())
    first.payload_type = listed.payload_type
    with pytest.raises(Malformed) as caught:
        read_charter(first)
    assert caught.value.code == "wrong-payload-type"
