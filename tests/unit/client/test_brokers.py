"""Which broker is asked next, and what is never asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from dataspace.client import brokers
from dataspace.client.brokers import LOST, Brokers
from dataspace.client.evidence import fetch_from_all
from dataspace.client.repeating import may_be_repeated, reached_nobody, unsure
from dataspace.errors import DataspaceError, Refused, Unavailable, Unverified
from dataspace.home import CONFIG, PartyHome, brokers_of
from dataspace.identity.freshness import make_freshness
from dataspace.identity.replicas import is_broker, replica_name, replica_of
from dataspace.identity.revoked import REVOKED_RULE
from dataspace.v1 import (
    agreement_pb2,
    audit_pb2,
    charter_pb2,
    consent_pb2,
    emergency_pb2,
    existence_pb2,
    query_pb2,
    record_pb2,
)
from dataspace.v1.envelope_pb2 import Envelope

GONE = Unavailable("gone", code=LOST)
REVOKED = Refused("revoked", code=REVOKED_RULE, rule=REVOKED_RULE)
STRANGE = Unverified("not a broker's key", code="broker-key")


def party(tmp_path: Path, brokers: str) -> PartyHome:
    (tmp_path / CONFIG).write_text(
        f'space = "gba"\nkind = "actor"\nuri = "gba://macao/m/researcher/r"\nbroker = {brokers}\n'
        f'trust_sha256 = "{"0" * 64}"\n'
    )
    return PartyHome(tmp_path)


class _Parts:
    def __init__(self, address: str) -> None:
        self.address, self.credentials, self.options = address, None, ()


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, DataspaceError]]:
    """The addresses dialled, and what is wrong with some of them."""
    addresses: list[str] = []
    wrong: dict[str, DataspaceError] = {}

    def dial(address: str, *_: Any) -> _Parts:
        addresses.append(address)
        if address in wrong:
            raise wrong[address]
        return _Parts(address)

    monkeypatch.setattr(brokers, "pinned_channel", dial)
    monkeypatch.setattr(PartyHome, "tls", None)  # nothing is dialled here
    monkeypatch.setattr(
        grpc, "secure_channel", lambda address, *_a, **_k: grpc.insecure_channel(address)
    )
    return addresses, wrong


def opened(tmp_path: Path) -> Brokers:
    home = party(tmp_path, '["a:1", "b:2"]')
    return Brokers(home, lambda: None)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("written", ['["a:1", "b:2"]', '"a:1,b:2"', '"a:1, b:2 ,a:1,"'])
def test_several_brokers_are_a_list_or_have_commas(tmp_path: Path, written: str) -> None:
    home = party(tmp_path, written)
    assert home.broker_addresses == ("a:1", "b:2")
    assert home.broker_address == "a:1"


def test_the_environment_names_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GBA_BROKER_ADDRESS", "c:3,d:4")
    assert party(tmp_path, '"a:1"').broker_addresses == ("c:3", "d:4")


def test_who_names_no_broker_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataspaceError) as caught:
        _ = party(tmp_path, '" , "').broker_addresses
    assert caught.value.code == "home-config"


@pytest.mark.parametrize("error", [GONE, REVOKED], ids=["gone", "revoked"])
def test_the_next_broker_is_dialled(tmp_path: Path, tried: Any, error: DataspaceError) -> None:
    addresses, wrong = tried
    wrong["a:1"] = error
    found = opened(tmp_path)
    found.stub()
    assert addresses == ["a:1", "b:2"]
    found.stub()  # and stays
    assert addresses == ["a:1", "b:2"]


def test_what_has_another_key_than_a_brokers_is_told_of_and_not_passed_by(
    tmp_path: Path, tried: Any
) -> None:
    addresses, wrong = tried
    wrong["a:1"] = STRANGE
    with pytest.raises(Unverified):
        opened(tmp_path).stub()
    assert addresses == ["a:1"]


def test_when_all_are_gone_the_last_says_so(tmp_path: Path, tried: Any) -> None:
    addresses, wrong = tried
    wrong |= {"a:1": GONE, "b:2": GONE}
    with pytest.raises(Unavailable):
        opened(tmp_path).stub()
    assert addresses == ["a:1", "b:2"]


def test_a_question_is_made_anew_for_each_broker(tmp_path: Path) -> None:
    made: list[int] = []

    def ask() -> int:
        made.append(len(made))
        if len(made) == 1:
            raise GONE
        return made[-1]

    assert opened(tmp_path).asked(ask, lambda _: False) == 1


@pytest.mark.parametrize(
    "error", [Unavailable("busy", code="busy"), Refused("no", code="policy"), STRANGE]
)
def test_what_a_broker_says_itself_is_not_asked_elsewhere(
    tmp_path: Path, error: DataspaceError
) -> None:
    made: list[int] = []

    def ask() -> int:
        made.append(1)
        raise error

    with pytest.raises(type(error)):
        opened(tmp_path).asked(ask, lambda _: False)
    assert made == [1]


def test_a_broker_that_reaches_nobody_is_passed_by_once(tmp_path: Path) -> None:
    answers = iter(["nothing", "nothing"])
    assert opened(tmp_path).asked(lambda: next(answers), lambda _: True) == "nothing"
    assert next(answers, "all asked") == "all asked"


# --- what may be asked again -----------------------------------------------------------


@pytest.mark.parametrize(
    "request_",
    [
        agreement_pb2.AgreementStep(),
        charter_pb2.CharterApplication(),
        charter_pb2.GovernanceRequest(submit=charter_pb2.Proposal()),
        consent_pb2.ConsentRequest(),
        emergency_pb2.ReviewRequest(),
        existence_pb2.ExistenceRequest(),
        record_pb2.RecordRequest(),
        audit_pb2.AuditRequest(
            freshness=make_freshness(now_ms=1, nonce=bytes(16), audience=["broker"])
        ),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_changes_or_counts_is_not_asked_again(request_: Any) -> None:
    assert not may_be_repeated(request_)


def test_who_changed_something_is_told_to_look_before_sending_more() -> None:
    told = unsure(GONE, agreement_pb2.AgreementStep())
    assert told.code == LOST
    assert "is not known" in told.message
    assert unsure(GONE, audit_pb2.AuditRequest()) is GONE
    assert unsure(STRANGE, agreement_pb2.AgreementStep()) is STRANGE


def test_looks_may_be_asked_again() -> None:
    for each in (audit_pb2.AuditRequest(), charter_pb2.GovernanceRequest()):
        assert may_be_repeated(each)


def released(*nodes: query_pb2.NodeOutcome) -> query_pb2.QueryEvent:
    release = query_pb2.Release(nodes=nodes).SerializeToString()
    return query_pb2.QueryEvent(release=query_pb2.ReleaseBundle(release=Envelope(payload=release)))


def test_a_broker_reaches_nobody_where_no_region_has_said_a_word() -> None:
    away = query_pb2.NodeOutcome(status="unreachable", reason="not attached (per broker)")
    spoke = query_pb2.NodeOutcome(status="refused", reason="no", body_sha256=b"x")
    assert reached_nobody(released(away, away))
    assert not reached_nobody(released(away, spoke))
    assert not reached_nobody(query_pb2.QueryEvent(refusal=query_pb2.NodeAnswer()))


# --- whose release ---------------------------------------------------------------------


def test_evidence_comes_from_the_broker_that_has_it() -> None:
    missing = Unavailable("not here", code="archive-missing")

    def fetch(ask: Any) -> bytes:
        if isinstance(ask, DataspaceError):
            raise ask
        return bytes(ask)

    found: Any = b"evidence"
    asks: list[Any] = [missing, found]
    assert fetch_from_all(asks, fetch) == b"evidence"
    with pytest.raises(Unavailable) as caught:
        fetch_from_all([GONE, missing], fetch)  # type: ignore[list-item]
    assert caught.value.code == LOST  # it may be the one that has it
    with pytest.raises(Unavailable) as caught:
        fetch_from_all([Unavailable("later", code="not-cosigned"), found], fetch)  # type: ignore[list-item]
    assert caught.value.code == "not-cosigned"


def test_brokers_are_told_apart_by_their_logs(tmp_path: Path) -> None:
    assert [replica_name(number) for number in (1, 2, 9)] == ["broker", "broker-2", "broker-9"]
    assert replica_of("gba.dataspace/broker-2") == "broker-2"
    assert replica_of("elsewhere") == "broker"
    assert not any(map(is_broker, ("broker-1", "broker-10", "broker-", "brokers", "macao")))
    for name in ("broker-3", "broker", "broker-x"):
        (tmp_path / name).mkdir()
        (tmp_path / name / CONFIG).touch()
    assert brokers_of(tmp_path) == ("broker", "broker-3")
