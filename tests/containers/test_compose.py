"""deploy/compose.yaml brings a space up, answers, and goes without a trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataspace.identity.names import REGIONS

from .compose import NoCompose, Project, fresh_project, project_up
from .confined import Confinement, listening, only
from .image import Images

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

PATIENTS = 500
WITNESSES = tuple(f"{region}-witness" for region in REGIONS)
SIGNERS = tuple(f"{region}-revocation" for region in REGIONS)
QUESTION = "SELECT region, count(*) AS n FROM patients GROUP BY region ORDER BY region"


@pytest.fixture(scope="module")
def project(images: Images) -> Iterator[Project]:
    """The file, brought up once; skips where there is no Compose."""
    try:
        fresh = fresh_project(images, environment={"PATIENTS": str(PATIENTS)})
        with project_up(fresh) as project:
            project.await_healthy("broker", *REGIONS, *WITNESSES, *SIGNERS)
            yield project
    except NoCompose as reason:
        pytest.skip(str(reason))
    assert not any(project.left_behind().values()), project.left_behind()


def test_a_member_of_the_composed_space_gets_an_answer(project: Project) -> None:
    asking = ("query", QUESTION, "--purpose", "HRESCH", "--as", "hongkong/researcher")
    asked = project.gba(*asking, "--format", "json")
    assert asked.code == 0, asked.err
    assert asked.json["rows"] == [[region, PATIENTS] for region in REGIONS]
    assert asked.json["provisional"] is False  # the three witnesses cosign from their containers


@pytest.mark.parametrize("party", ["broker", *REGIONS])
def test_a_composed_party_is_confined_to_its_own_volume(project: Project, party: str) -> None:
    container = project.container(party)
    assert Confinement.of(container) == only(f"/space/{party}")
    assert listening(container) == ({7443, 7480} if party == "broker" else set())


@pytest.mark.parametrize("party", ["broker", *REGIONS])
def test_a_composed_party_verifies_its_own_log(project: Project, party: str) -> None:
    verified = project.compose("exec", "-T", party, "gba", "audit", "verify", "--format", "json")
    assert verified.code == 0, verified.err
    assert [log["owner"] for log in verified.json["logs"]] == [party]


def test_a_space_taken_down_and_up_again_is_the_same_space(project: Project) -> None:
    home = "/space/hongkong/party.toml"
    before = project.compose("exec", "-T", "hongkong", "cat", home)
    assert project.compose("down", "--timeout", "5").code == 0
    started = project.compose("up", "--detach", "--no-build")
    assert started.code == 0, started.err
    project.await_healthy("broker", *REGIONS)
    assert project.compose("exec", "-T", "hongkong", "cat", home).out == before.out
