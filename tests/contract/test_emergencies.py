"""Breaking the glass: recorded first, reviewed after, and refused while reviews are overdue."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from dataspace.audit.index import Indexed
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable
from dataspace.evidence.alarms import Watcher, read_alarm_rules
from dataspace.evidence.reviewing import BROKEN, Emergencies
from dataspace.identity.envelopes import open_envelope, seal
from dataspace.identity.freshness import make_freshness
from dataspace.identity.names import ActorUri
from dataspace.policy.emergencies import EmergencyUse
from dataspace.v1 import emergency_pb2
from node.emergencies import LedgerEmergencies
from node.ledger import Ledger
from tests.contract.conftest import Open
from tests.unit.identity.world import NOW_MS
from tests.unit.policy.agreed import DAY, operators
from tests.unit.policy.samples import POLICIES

REASON = "unconscious after a road accident, allergies unknown"
DOCTOR = ActorUri.parse("gba://macao/hospital/clinician/doc")
REGULATOR = "hongkong/h1/regulator/reg"


@dataclass
class Node:
    """Hong Kong's list, and what was recorded."""

    ledger: Ledger
    recorded: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        store = LedgerEmergencies(self.ledger)
        self.emergencies = Emergencies("hongkong", store, self.record, review_days=7)

    def record(self, kind: str, at_ms: int, fields: Any, body: Any) -> None:
        if self.broken:
            raise Unavailable("the log cannot be written", code="log")
        self.recorded.append((kind, fields, body))

    def use(self, name: str = "u1", at_ms: int = NOW_MS, actor: ActorUri = DOCTOR) -> None:
        made = EmergencyUse(name, actor, "ETREAT", REASON, ("patients",), at_ms)
        self.emergencies.use(made, bytes(32), ["tag"])

    def may(self, at_ms: int, member: str = "hospital", region: str = "macao") -> bool:
        return self.emergencies.may_break_glass(region, member, at_ms)

    def ask(
        self, request: emergency_pb2.ReviewRequest, by: str = REGULATOR, at_ms: int = NOW_MS
    ) -> list[emergency_pb2.EmergencyUse]:
        request.freshness.CopyFrom(
            make_freshness(now_ms=NOW_MS, nonce=secrets.token_bytes(16), audience=["hongkong"])
        )
        signed = seal(request, operators().space.actor(f"gba://{by}"))
        at = datetime.fromtimestamp(NOW_MS / 1000, UTC)
        opened = open_envelope(signed, emergency_pb2.ReviewRequest, operators().trust, at)
        body = self.emergencies.answer(opened, at_ms).body
        assert isinstance(body, emergency_pb2.ReviewAnswer)
        return list(body.uses)

    def listed(self, *, all_: bool = False) -> list[str]:
        request = emergency_pb2.ReviewRequest(list=emergency_pb2.ReviewList(all=all_))
        return [each.use for each in self.ask(request)]


def review(verdict: str, note: str = "", use: str = "u1") -> emergency_pb2.ReviewRequest:
    act = emergency_pb2.Review(use=use, verdict=verdict, note=note)
    return emergency_pb2.ReviewRequest(review=act)


@pytest.fixture
def node(ledger: Ledger) -> Node:
    return Node(ledger)


def test_every_use_is_recorded_and_raises_an_alarm(node: Node) -> None:
    node.use()
    ((kind, fields, body),) = node.recorded
    assert kind == BROKEN
    assert fields["purpose"] == "ETREAT"
    assert REASON not in str(fields)
    assert body["reason"] == REASON
    watcher = Watcher(read_alarm_rules((POLICIES / "alarms.toml").read_bytes()))
    entry = Indexed(0, NOW_MS, kind, dict(fields), None, dict(body))
    assert [alarm.rule for alarm in watcher.observe(entry)] == ["emergency-access"]


def test_a_use_that_cannot_be_recorded_is_none(node: Node) -> None:
    node.broken = True
    with pytest.raises(Unavailable):
        node.use()
    node.broken = False
    assert node.listed(all_=True) == []


def test_a_use_stays_on_the_list_until_a_regulator_signs_it_off(node: Node) -> None:
    node.use()
    assert node.listed() == ["u1"]
    (use,) = node.ask(review("signed_off"))
    assert (use.verdict, use.reviewed_by) == ("signed_off", f"gba://{REGULATOR}")
    assert node.listed() == []
    assert node.listed(all_=True) == ["u1"]
    assert [kind for kind, _, _ in node.recorded] == [BROKEN, "emergency.signed_off"]


def test_a_member_with_an_overdue_review_breaks_no_glass_until_it_is_done(node: Node) -> None:
    node.use()
    due = NOW_MS + 7 * DAY
    assert node.may(due - 1)
    assert not node.may(due)
    with pytest.raises(Refused) as caught:
        node.use("u2", at_ms=due)
    assert caught.value.rule == "emergency-review-overdue"
    assert len(node.recorded) == 1
    other = ActorUri.parse("gba://macao/clinic/clinician/doc")
    assert node.may(due, "clinic")
    assert node.may(due, region="guangzhou")
    node.use("u3", at_ms=due, actor=other)
    node.ask(review("signed_off"))
    assert node.may(due)


def test_a_use_that_was_objected_to_stops_its_member_at_once(node: Node) -> None:
    node.use()
    node.ask(review("objected", "no emergency"))
    assert not node.may(NOW_MS + 1)
    assert node.listed() == ["u1"]
    node.ask(review("signed_off", "explained since"))
    assert node.may(NOW_MS + 1)
    with pytest.raises(Refused) as caught:
        node.ask(review("objected", "again"))
    assert caught.value.rule == "emergency-reviewed"


@pytest.mark.parametrize(
    "by", ["macao/h1/regulator/reg", "hongkong/h1/operator/op", "hongkong/h1/clinician/doc"]
)
def test_only_a_regulator_of_the_region_sees_and_reviews(node: Node, by: str) -> None:
    node.use()
    listing = emergency_pb2.ReviewRequest(list=emergency_pb2.ReviewList())
    for request in (listing, review("signed_off")):
        with pytest.raises(Refused) as caught:
            node.ask(request, by=by)
        assert caught.value.rule == "emergency-reviewer"
    assert node.listed() == ["u1"]


@pytest.mark.parametrize(
    "request_",
    [review("approved"), review("open"), review("objected"), review("signed_off", use="u9"),
     review("objected", "x" * 501), emergency_pb2.ReviewRequest()],
)  # fmt: skip
def test_a_review_that_is_not_whole_is_refused(
    node: Node, request_: emergency_pb2.ReviewRequest
) -> None:
    node.use()
    with pytest.raises(Malformed):
        node.ask(request_)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"reason": ""}, "emergency-reason"),
        ({"reason": "short"}, "emergency-reason"),
        ({"reason": "a" * 40}, "emergency-reason"),
        ({"reason": " " * 40}, "emergency-reason"),
        ({"reason": "x y z w" * 200}, "reason"),
        ({"reason": "accident\nallergies unknown"}, "reason"),
        ({"purpose": "TREAT"}, "emergency-purpose"),
        ({"actor": ActorUri.parse("gba://macao/hospital/researcher/r")}, "emergency-clinician"),
    ],
)
def test_nobody_breaks_the_glass_without_a_clinicians_reason(
    changed: dict[str, Any], rule: str
) -> None:
    values: dict[str, Any] = {
        "id": "u1", "actor": DOCTOR, "purpose": "BTG", "reason": REASON, "products": (),
        "at_ms": NOW_MS,
    }  # fmt: skip
    EmergencyUse(**values)
    with pytest.raises(DataspaceError) as caught:
        EmergencyUse(**(values | changed))
    assert caught.value.code == rule


def test_uses_and_reviews_outlive_the_process(open_durable: Open) -> None:
    first = Node(open_durable())
    first.use("u1")
    first.use("u2")
    first.ask(review("signed_off"))
    assert Node(open_durable()).listed() == ["u2"]
