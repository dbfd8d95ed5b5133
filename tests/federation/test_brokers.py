"""A space with two brokers: either may go, nothing is asked twice, and every log is covered."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dataspace.cli.supervising import parties_of, start_party
from dataspace.client import connect
from dataspace.client.evidence import trust_lists_in
from dataspace.errors import DataspaceError
from dataspace.evidence.pinned import pin
from dataspace.evidence.quorum import trusted_quorum
from dataspace.evidence.verification import verify_evidence
from dataspace.home import PartyHome
from tests.attacks.forgery import COUNT, Asker, make_request
from tests.federation.copies import running_copy
from tests.federation.processes import await_ready, await_true, stop
from tests.spaces import Space

BROKERS = ("broker", "broker-2")
REFUSED = dict.fromkeys(("guangzhou", "hongkong", "macao"), "refused replay")
RELEASED = dict.fromkeys(("guangzhou", "hongkong", "macao"), "released")


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder = tmp_path_factory.mktemp("brokers")
    with running_copy(folder, "--patients", "300", "--brokers", "2") as running:
        yield running


@pytest.fixture(autouse=True)
def _whole_again(space: Space) -> Iterator[None]:
    """Every test leaves both brokers serving, and everybody attached to both."""
    yield
    all_ready(space)


def all_ready(space: Space) -> None:
    # Under questions, on a machine that others use too, a process takes its time to start.
    await_ready(space, *parties_of(space.home), seconds=60)


def address(space: Space, broker: str) -> str:
    return PartyHome(space.home / broker).listen_address


def test_a_broker_that_is_killed_under_questions_stops_none_of_them(space: Space) -> None:
    asked, failed = [], []
    over = threading.Event()

    def ask() -> None:
        with connect(space.home, "hongkong/researcher") as session:
            while not over.is_set():
                try:
                    asked.append(session.query(COUNT, purpose="HRESCH").id)
                except DataspaceError as error:
                    failed.append(error)
                over.wait(0.05)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for each in askers:
        each.start()
    try:
        time.sleep(1)
        before = len(asked)
        stop(space, "broker", kill=True)
        await_true(lambda: len(asked) > before + 3, "questions stopped")
        start_party(space.home, "broker")
        all_ready(space)
    finally:
        over.set()
        for each in askers:
            each.join()
    assert not failed
    assert len(asked) == len(set(asked))
    verified = space.gba("audit", "verify", "--format", "json")
    assert verified.code == 0, verified.err
    assert {each["owner"] for each in verified.json["logs"]} >= set(BROKERS)
    time.sleep(5)  # what is younger is said to be under way
    held = space.gba("audit", "reconcile", "--format", "json")
    assert held.code == 0, held.err
    assert held.json["requests"] >= len(asked)
    # Questions that a killed broker had forwarded are remarked on, under that broker's name.
    assert {each["log"] for each in held.json["remarks"]} <= set(BROKERS)


def test_what_one_broker_answered_is_refused_as_a_replay_through_the_other(space: Space) -> None:
    asker = Asker.of(space)
    with asker.session as session:
        envelope = asker.seal(make_request())
        first, second = (
            replace(asker, session=session.only(address(space, broker))) for broker in BROKERS
        )
        assert first.hear(envelope) == RELEASED
        assert second.hear(envelope) == REFUSED
        assert second.hear(asker.seal(make_request())) == RELEASED


def test_evidence_is_fetched_from_the_broker_that_released(space: Space) -> None:
    home = PartyHome(space.home / "actors/hongkong-researcher")
    trust_lists = trust_lists_in(home.path / "trust")
    pinned = pin(trust_lists, bytes.fromhex(home.config.trust_sha256))
    with connect(space.home, "hongkong/researcher") as session:
        for broker in BROKERS:
            release = session.only(address(space, broker)).query(COUNT, purpose="HRESCH")
            report = verify_evidence(session.evidence(release.id), pinned, trusted_quorum)
            report.require()
            assert f"gba.dataspace/{broker} entry" in str(report)


def test_a_broker_that_lost_all_but_its_log_gets_it_again_from_the_nodes(space: Space) -> None:
    home = space.home / "broker-2"
    had = {file.name for file in (home / "agreements").glob("*.chain")}
    assert had
    stop(space, "broker-2")
    for folder in ("agreements", "offers", "mirrors", "proposals", "revocations"):
        shutil.rmtree(home / folder, ignore_errors=True)
    start_party(space.home, "broker-2")
    all_ready(space)
    await_true(lambda: {file.name for file in (home / "agreements").glob("*.chain")} == had, "lost")
    with connect(space.home, "hongkong/researcher") as session:
        release = session.only(address(space, "broker-2")).query(
            COUNT, purpose="HRESCH", cosigned_seconds=10
        )
    assert [node.status for node in release.nodes] == ["released"] * 3
    assert not release.provisional


def test_a_load_is_offered_at_both_brokers(space: Space, tmp_path: Path) -> None:
    data = tmp_path / "visits.csv"
    data.write_text("who,kind\n" + "".join(f"p{number},a\n" for number in range(40)))
    product = tmp_path / "visits.yaml"
    product.write_text(
        "product: visits\ntitle: {en: Visits, zh-Hans: 就诊, zh-Hant: 就診, pt: Visitas}\n"
        "source: select * from visits\nsubject: who\nsubject_space: visits\n"
        "columns:\n  kind: {type: varchar, role: dimension, levels: [a, b]}\n"
    )
    loaded = space.gba("node", "load", "macao", str(product), str(data))
    assert loaded.code == 0, loaded.err
    with connect(space.home, "hongkong/researcher") as session:
        for broker in BROKERS:
            offers = session.only(address(space, broker)).catalogue().offers
            assert ("macao", "visits") in {(each.region, each.offer.product) for each in offers}


def test_a_missing_brokers_log_fails_the_verification_and_stops_reconciling(space: Space) -> None:
    aside = space.home / "aside"
    stop(space, "broker-2")
    (space.home / "broker-2").rename(aside)
    try:
        verified = space.gba("audit", "verify", "--format", "json")
        assert verified.code == 6
        assert "broker-2" in verified.error["message"]
        held = space.gba("audit", "reconcile")
        assert (held.code, held.error["code"]) == (5, "log-missing")
    finally:
        aside.rename(space.home / "broker-2")
        start_party(space.home, "broker-2")
