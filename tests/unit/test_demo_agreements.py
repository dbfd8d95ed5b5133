"""The agreements that a space is made with, looked at while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataspace.agreement_files import FOLDER, FileShelf
from dataspace.cli.demo_agreements import make_demo_agreements
from dataspace.cli.founding import found_space
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.in_force import InForce
from dataspace.policy.agreements import read_agreement
from dataspace.processes import now_ms
from tests.revocations import fresh_lists

MINUTE_MS = 60_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("agreed") / "space"
    found_space(home)
    make_demo_agreements(home)
    return home


def test_an_agreement_is_still_read_when_later_revocation_lists_are_in_force(home: Path) -> None:
    in_force = InForce(PartyHome(home / "hongkong/operator"))
    assert in_force.take(fresh_lists(home, now_ms())) == []
    for held in FileShelf(home / "broker" / FOLDER).all():
        steps = [parse_envelope(step.envelope) for step in held.agreement.steps]
        then = [received - 3 * MINUTE_MS for received in held.received_ms]
        assert read_agreement(steps, in_force.trust(), then).id == held.id
