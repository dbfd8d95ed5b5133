"""A party's governor: what it takes, records and keeps, and what it refuses with an alarm."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from broker.proposals import Proposals
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.governing import Governor
from dataspace.evidence.proposing import merged, read_proposal
from dataspace.identity.algorithms import generate
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.quorum import cosign
from dataspace.identity.trustlist import TrustList, accept_next
from dataspace.policy.charter import Charter, read_charter
from dataspace.policy.store import PolicyStore, follow_charters
from dataspace.v1 import charter_pb2
from dataspace.v1.envelope_pb2 import Envelope
from tests.unit.identity.world import NOW, NOW_MS, refusal, sha256
from tests.unit.policy.chartered import FILES, TWO, make_regions, proposal
from tests.unit.policy.samples import POLICIES, forbid

REGIONS = make_regions()
CLOSED = FILES["space.cedar"] + b"\n" + forbid("closed", "true").encode()


@dataclass
class Party:
    """A governor with its folder, what it recorded, and what it kept."""

    folder: Path
    log: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    kept: list[Envelope] = field(default_factory=list)
    lists: list[TrustList] = field(default_factory=lambda: [REGIONS.trust])

    def __post_init__(self) -> None:
        self.kept.append(REGIONS.first)
        first = read_charter(REGIONS.first)
        self.store = PolicyStore(self.folder, poll_seconds=0, charter=first)
        self.governor = Governor(
            "macao", self.store, lambda: self.lists, self.record, self.keep, (first,)
        )

    def record(self, kind: str, _at_ms: int, fields: Mapping[str, Any], _body: object) -> None:
        self.log.append((kind, fields))

    def keep(self, charter: Charter, envelope: Envelope, trust_list: Envelope | None) -> None:
        if trust_list is not None:
            self.lists.append(accept_next(self.lists[-1], trust_list, NOW_MS))
        self.kept.append(envelope)

    @property
    def version(self) -> int:
        assert self.governor.current is not None
        return self.governor.current.version


@pytest.fixture
def party(tmp_path: Path) -> Party:
    return Party(Path(shutil.copytree(POLICIES, tmp_path / "policies")))


def second(*keyids: str, **changes: Any) -> Envelope:
    wire = REGIONS.next(read_charter(REGIONS.first), **{"space_rules": CLOSED, **changes})
    return REGIONS.seal(wire, *(keyids or TWO))


def test_a_charter_is_recorded_kept_and_decides(party: Party) -> None:
    taken = party.governor.take(proposal(second()), NOW_MS)
    assert (party.version, taken.already) == (2, False)
    assert "closed" in party.store.current().rules
    (entry,) = party.log
    assert entry[0] == "charter.applied"
    assert entry[1]["charter_sha256"] == taken.charter.id
    assert entry[1]["signed_by"] == ["guangzhou", "hongkong"]
    assert (party.folder / "space.cedar").read_bytes() == CLOSED
    assert party.store.error is None
    assert party.governor.take(proposal(second()), NOW_MS).already
    assert len(party.log) == 1


def _forged() -> Envelope:
    return cosign(second("macao-1"), "hongkong-1", generate("ed25519"))


def _replayed() -> Envelope:
    """Another version 1, as two regions could have signed one for another space."""
    changes = {"version": 1, "previous_sha256": b"", "reason": "another first"}
    return REGIONS.seal(REGIONS.next(read_charter(REGIONS.first), **changes), *TWO)


def _changed() -> Envelope:
    envelope = second()
    envelope.payload = envelope.payload.replace(b"closed", b"opened")
    return envelope


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: second("macao-1"), "charter-quorum"),
        (lambda: second("macao-1", "macao-2"), "charter-quorum"),
        (_forged, "bad-signature"),
        (_changed, "bad-signature"),
        (_replayed, "charter-rollback"),
        (lambda: second(version=3), "charter-gap"),
        (lambda: second(previous_sha256=bytes(32)), "charter-history"),
    ],
)
def test_what_two_regions_did_not_sign_changes_nothing_and_raises_one_alarm(
    party: Party, make: Callable[[], Envelope], code: str
) -> None:
    before = party.store.current()
    for _ in range(2):
        refusal(Unverified, code, party.governor.take, proposal(make()), NOW_MS)
    assert party.store.current() is before
    assert (party.version, len(party.kept)) == (1, 1)
    ((kind, fields),) = party.log
    assert (kind, fields["code"], fields["in_force"]) == ("charter.rejected", code, 1)


def test_rules_that_do_not_load_with_the_regions_own_name_file_line_and_rule(
    party: Party,
) -> None:
    own = party.folder / "macao.cedar"
    own.write_text(own.read_text("utf-8") + "\n" + forbid("closed", "true"), "utf-8")
    before = party.store.refresh().policies
    refusal(Malformed, "policy-set", party.governor.take, proposal(second()), NOW_MS)
    assert party.store.current() is before
    assert (party.folder / "space.cedar").read_bytes() == FILES["space.cedar"]
    kind, fields = party.log[-1]
    assert (kind, fields["rule"]) == ("charter.rejected", "closed")
    assert fields["file"] == "space.cedar"
    assert fields["line"] > 0


def test_a_charter_that_cannot_be_recorded_does_not_decide(party: Party) -> None:
    def full(*_: object) -> None:
        raise Unavailable("the disk is full", code="disk")

    party.governor.record = full
    with pytest.raises(DataspaceError):
        party.governor.take(proposal(second()), NOW_MS)
    assert party.version == 1
    assert "closed" not in party.store.current().rules
    assert (party.folder / "space.cedar").read_bytes() == FILES["space.cedar"]


def test_whoever_was_away_catches_up_and_records_each_version(party: Party) -> None:
    party.governor.take_chain(REGIONS.chain(4), NOW_MS)
    assert party.version == 4
    assert [fields["charter"] for _, fields in party.log] == [2, 3, 4]
    assert [fields["decides"] for _, fields in party.log] == [False, False, True]
    party.governor.take_chain(REGIONS.chain(4)[:2], NOW_MS)
    assert party.version == 4


def test_another_history_is_refused_at_attach(party: Party) -> None:
    party.governor.take(proposal(second()), NOW_MS)
    refusal(Unverified, "charter-rollback", party.governor.take_chain, REGIONS.chain(2), NOW_MS)
    assert party.log[-1][0] == "charter.rejected"


def _list(*keyids: str, **changes: Any) -> Envelope:
    wire = REGIONS.space.list(
        version=2, previous_sha256=REGIONS.trust.payload_sha256, issued_at_ms=NOW_MS, **changes
    )
    return REGIONS.space.seal(wire, *keyids)


def _naming(trust_list: Envelope) -> Envelope:
    digest = sha256(trust_list.payload)
    return second(trust_list_sha256=digest, space_rules=FILES["space.cedar"])


def test_a_trust_list_comes_with_its_charter_by_its_own_rule(party: Party) -> None:
    alone = _list("guangzhou-1", expires_at_ms=NOW_MS + 1000)
    refusal(
        Unverified, "trust-list-quorum", party.governor.take, proposal(_naming(alone), alone),
        NOW_MS,
    )  # fmt: skip
    refusal(Unverified, "charter-authority", party.governor.take, proposal(_naming(alone)), NOW_MS)
    signed = _list("guangzhou-1", "macao-1", expires_at_ms=NOW_MS + 1000)
    party.governor.take(proposal(_naming(signed), signed), NOW_MS)
    assert (party.version, len(party.lists)) == (2, 2)


def test_a_charter_signed_under_a_trust_list_that_is_over_is_refused(party: Party) -> None:
    party.lists.append(accept_next(REGIONS.trust, _list("hongkong-1", "macao-1"), NOW_MS))
    refusal(Unverified, "charter-authority", party.governor.take, proposal(second()), NOW_MS)


def test_one_that_only_claims_to_go_back_is_refused(party: Party) -> None:
    party.governor.take(proposal(second()), NOW_MS)
    current = party.governor.current
    assert current is not None
    claim = REGIONS.seal(REGIONS.next(current, restores=1), *TWO)
    refusal(Unverified, "charter-restores", party.governor.take, proposal(claim), NOW_MS)
    assert party.version == 2


def test_a_space_without_charters_takes_none(party: Party) -> None:
    party.governor.charters = ()
    refusal(Malformed, "charter-missing", party.governor.take, proposal(second()), NOW_MS)


def test_an_end_between_keeping_and_writing_is_made_good_at_the_start(party: Party) -> None:
    charters = [read_charter(REGIONS.first), read_charter(second())]
    follow_charters(party.folder, charters)
    assert (party.folder / "space.cedar").read_bytes() == CLOSED
    assert "closed" in PolicyStore(party.folder, charter=charters[-1]).current().rules
    (party.folder / "space.cedar").write_bytes(CLOSED + b"// mine\n")
    follow_charters(party.folder, charters)  # an edit is no leftover: it stays, to be refused
    with pytest.raises(Malformed, match="differs from charter 2"):
        PolicyStore(party.folder, charter=charters[-1])


# --- proposals at the broker


@pytest.fixture
def proposals(party: Party, tmp_path: Path) -> Proposals:
    folder = tmp_path / "proposals"
    folder.mkdir()
    return Proposals(folder, party.governor, lambda: party.kept)


def test_signatures_gather_and_outlive_a_restart(proposals: Proposals, party: Party) -> None:
    assert not proposals.keep(proposal(second("macao-1")), NOW_MS).is_ready
    again = Proposals(proposals.folder, party.governor, lambda: party.kept)
    kept = again.keep(proposal(second("hongkong-1")), NOW_MS)
    assert (kept.signed_by, kept.is_ready) == (("hongkong", "macao"), True)
    again.keep(proposal(second("hongkong-1")), NOW_MS)
    assert [kind for kind, _ in party.log] == ["charter.proposed"] * 2
    party.governor.take(again.pending()[0].wire, NOW_MS)
    assert again.pending() == []


def test_what_cannot_follow_or_nobody_signed_is_not_kept(proposals: Proposals) -> None:
    stranger = cosign(second("macao-1"), "nobody-1", generate("ed25519"))
    assert proposals.keep(proposal(stranger), NOW_MS).signed_by == ("macao",)
    unsigned = Envelope(payload_type=stranger.payload_type, payload=stranger.payload)
    unsigned = cosign(unsigned, "nobody-1", generate("ed25519"))
    refusal(Malformed, "proposal-unsigned", proposals.keep, proposal(unsigned), NOW_MS)
    refusal(Unverified, "bad-signature", proposals.keep, proposal(_forged()), NOW_MS)
    refusal(Unverified, "charter-gap", proposals.keep, proposal(second(version=3)), NOW_MS)
    late = _list("macao-1")
    refusal(Malformed, "proposal-trust-list", proposals.keep, proposal(second(), late), NOW_MS)


def test_a_trust_lists_own_signature_is_wanted_before_it_can_be_applied(party: Party) -> None:
    wire = REGIONS.space.list(
        version=2, previous_sha256=REGIONS.trust.payload_sha256, issued_at_ms=NOW_MS
    )
    del wire.regions[1].trust_keys[1]  # hongkong's second key
    following = REGIONS.space.seal(wire, "guangzhou-1", "macao-1")
    made = proposal(_naming(following), following)
    proposed = read_proposal(made, party.governor.charters, party.lists)
    assert "hongkong" in proposed.wanted
    signed = cosign(following, "hongkong-1", REGIONS.space.trust_keys["hongkong-1"])
    both = merged(made, proposal(_naming(following), signed))
    assert read_proposal(both, party.governor.charters, party.lists).is_ready


def test_only_operators_apply(party: Party) -> None:
    asked = charter_pb2.CharterApplication(proposal=proposal(second()))
    for role in ("researcher", "regulator", "clinician"):
        signer = REGIONS.space.actor(f"gba://macao/h1/{role}/ana")
        opened = open_envelope(
            seal(asked, signer), charter_pb2.CharterApplication, REGIONS.trust, NOW
        )
        refusal(Refused, "charter-operator", party.governor.answer, opened, NOW_MS)
    assert party.version == 1
    operator = REGIONS.space.actor("gba://macao/h1/operator/ana")
    opened = open_envelope(
        seal(asked, operator), charter_pb2.CharterApplication, REGIONS.trust, NOW
    )
    made = party.governor.answer(opened, NOW_MS)
    assert isinstance(made.body, charter_pb2.CharterApplied)
    assert made.body.version == party.version == 2
