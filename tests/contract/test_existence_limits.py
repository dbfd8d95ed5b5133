"""Checks a day, counted durably; and checks that nobody followed up, counted without an end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dataspace.errors import Refused
from dataspace.identity.names import ActorUri
from node.existence.limits import DailyLimits, ExistenceLimits
from node.ledger import Ledger
from tests.contract.conftest import Open

DAY = 86_400_000
NOW = 1_800_000_000_000
ANN = ActorUri.parse("gba://macao/hospital/clinician/ann")
BOB = ActorUri.parse("gba://macao/hospital/clinician/bob")
EVE = ActorUri.parse("gba://macao/clinic/clinician/eve")
FAR = ActorUri.parse("gba://hongkong/hospital/clinician/ann")


def refused(limits: ExistenceLimits, actor: ActorUri, at_ms: int = NOW) -> str:
    try:
        limits.take(actor, at_ms)
    except Refused as error:
        return error.rule
    return ""


def test_an_actor_a_member_and_the_space_have_limits_of_their_own(ledger: Ledger) -> None:
    limits = ExistenceLimits(ledger, DailyLimits(actor=2, member=3, space=5))
    came = [refused(limits, each) for each in (ANN, ANN, ANN, BOB, BOB, EVE, FAR, FAR)]
    assert came == [
        "", "", "existence-limit-actor", "", "existence-limit-member", "", "",
        "existence-limit-space",
    ]  # fmt: skip


def test_what_is_refused_counts_for_nobody(ledger: Ledger) -> None:
    limits = ExistenceLimits(ledger, DailyLimits(actor=1, member=10, space=2))
    assert not refused(limits, ANN)
    for _ in range(5):
        assert refused(limits, ANN) == "existence-limit-actor"
    assert not refused(limits, EVE)
    assert limits.resolved(ANN) == 0


def test_the_next_day_in_the_area_begins_anew(ledger: Ledger) -> None:
    limits = ExistenceLimits(ledger, DailyLimits(actor=1))
    midnight = NOW - (NOW + DAY // 3) % DAY  # at UTC+8
    assert not refused(limits, ANN, midnight)
    assert refused(limits, ANN, midnight + DAY - 1)
    assert not refused(limits, ANN, midnight + DAY)


def test_a_limit_of_nothing_refuses_everything(ledger: Ledger) -> None:
    assert refused(ExistenceLimits(ledger, DailyLimits(actor=0)), ANN)


def test_counts_outlive_the_process(open_durable: Open) -> None:
    assert not refused(ExistenceLimits(open_durable(), DailyLimits(actor=1)), ANN)
    again = ExistenceLimits(open_durable(), DailyLimits(actor=1))
    assert refused(again, ANN)


def test_two_checks_at_once_cannot_both_be_the_last(open_durable: Open) -> None:
    limits = [ExistenceLimits(open_durable(), DailyLimits(actor=10)) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda n: refused(limits[n % 4], ANN), range(40)))
    assert came.count("") == 10


def test_unresolved_checks_are_of_the_member_and_never_run_out(ledger: Ledger) -> None:
    limits = ExistenceLimits(ledger, DailyLimits())
    assert [limits.take(each, NOW + at * DAY) for at, each in enumerate((ANN, BOB, ANN))] == [
        1,
        2,
        3,
    ]
    assert limits.take(EVE, NOW) == 1


def test_a_record_that_is_asked_for_resolves_one_check(ledger: Ledger) -> None:
    limits = ExistenceLimits(ledger, DailyLimits())
    for _ in range(3):
        limits.take(ANN, NOW)
    assert limits.resolved(BOB) == 2
    assert [limits.resolved(EVE), limits.resolved(EVE)] == [0, 0]
    assert limits.take(ANN, NOW) == 3


def test_what_was_looked_into_counts_from_nothing(ledger: Ledger) -> None:
    limits = ExistenceLimits(ledger, DailyLimits())
    for each in (ANN, BOB, EVE):
        limits.take(each, NOW)
    assert [limits.settle("macao/hospital"), limits.settle("macao/nobody")] == [2, 0]
    assert [limits.take(ANN, NOW), limits.take(EVE, NOW)] == [1, 2]
