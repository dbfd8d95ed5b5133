"""The ledger: a nonce is used once, whatever happens to process, clock or thread."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from dataspace.errors import DataspaceError, Refused, Unavailable
from node.ledger import GRACE_MS, Ledger
from tests.contract.conftest import Open

NOW = 1_800_000_000_000
EXPIRY = NOW + 300_000
KEY = b"k" * 48
STEP_MS = 1_000


def rule(ledger: Ledger, key: bytes, expires_ms: int, now_ms: int) -> str:
    """The rule by which a claim is refused, or nothing."""
    try:
        ledger.claim(key, expires_ms, now_ms)
    except Refused as refused:
        return refused.rule
    return ""


def count(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        return int(connection.scalar(text("select count(*) from nonces")) or 0)


def test_a_replayed_request_is_refused_also_after_restart(open_durable: Open) -> None:
    ledger = open_durable()
    assert rule(ledger, KEY, EXPIRY, NOW) == ""
    assert rule(ledger, KEY, EXPIRY, NOW) == "replay"
    ledger.close()
    again = open_durable()
    assert rule(again, KEY, EXPIRY, NOW + 1) == "replay"
    assert rule(again, KEY, EXPIRY + 1, NOW + 1) == "replay"
    assert rule(again, b"other" * 9, EXPIRY, NOW) == ""
    assert count(again) == 2


def test_the_ledger_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    Ledger.in_file(file).close()
    assert file.stat().st_mode & 0o077 == 0


def test_nonces_are_forgotten_a_minute_and_a_second_after_they_expired_and_not_before(
    ledger: Ledger,
) -> None:
    ledger.claim(KEY, EXPIRY, NOW)
    ledger.claim(b"a" * 48, EXPIRY * 2, EXPIRY + GRACE_MS - 1)
    assert count(ledger) == 2
    ledger.claim(b"b" * 48, EXPIRY * 2, EXPIRY + GRACE_MS + STEP_MS)
    assert count(ledger) == 2  # the first has gone, the third has come
    assert rule(ledger, KEY, EXPIRY, EXPIRY + GRACE_MS) == "clock-set-back"


@pytest.mark.parametrize("reopened", [False, True])
def test_a_clock_set_back_admits_nothing_that_may_have_been_forgotten(
    open_durable: Open, reopened: bool
) -> None:
    ledger = open_durable()
    ledger.claim(KEY, EXPIRY, NOW)
    ledger.claim(b"a" * 48, EXPIRY * 2, EXPIRY + GRACE_MS + 5)
    if reopened:
        ledger.close()
        ledger = open_durable()
    assert rule(ledger, KEY, EXPIRY, NOW) == "clock-set-back"
    assert rule(ledger, b"fresh" * 9, EXPIRY + 5, NOW) == "clock-set-back"
    assert rule(ledger, b"later" * 9, EXPIRY + 6, NOW) == ""
    # The mark does not go back with the clock.
    assert rule(ledger, KEY, EXPIRY, NOW) == "clock-set-back"


def test_a_refused_claim_uses_nothing_up(ledger: Ledger) -> None:
    ledger.claim(b"a" * 48, EXPIRY * 2, EXPIRY + GRACE_MS + 5)
    assert rule(ledger, KEY, EXPIRY, NOW) == "clock-set-back"
    assert rule(ledger, KEY, EXPIRY * 2, NOW) == ""


def test_of_many_threads_that_claim_one_nonce_exactly_one_wins(open_durable: Open) -> None:
    ledgers = [open_durable(), open_durable()]  # two, as two processes would be
    outcomes: Counter[str] = Counter()
    begin = threading.Barrier(16)

    def claim(number: int) -> None:
        begin.wait()
        for key in range(8):
            try:
                ledgers[number % 2].claim(bytes([key]) * 48, EXPIRY, NOW)
                outcomes["won"] += 1
            except DataspaceError as error:
                outcomes[error.code] += 1

    threads = [threading.Thread(target=claim, args=[number]) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {"won": 8, "replay": 8 * 15}


def test_a_ledger_that_cannot_be_read_or_written_answers_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Ledger.in_file(tmp_path / "absent" / "ledger.db")
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 100)
    with pytest.raises(Unavailable):
        Ledger.in_file(broken)
    good = Ledger.in_file(tmp_path / "good.db")
    with sqlite3.connect(tmp_path / "good.db") as other:
        other.execute("drop table nonces")
    with pytest.raises(Unavailable):
        good.claim(KEY, EXPIRY, NOW)
    good.close()
