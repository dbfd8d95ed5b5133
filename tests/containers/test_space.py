"""Four containers answer one query, each with nothing but its own party's directory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataspace.identity.names import REGIONS
from tests.spaces import Ran

from .confined import (
    Confinement,
    confined,
    inner_network,
    listening,
    only,
    read_inside,
    ready_when,
    run_to_end,
    volumes_for,
)

# The first test waits for the engine, the base and the image, where they are not there yet.
pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

PATIENTS = 500
ACTOR = "hongkong-researcher"
PARTIES = ("broker", *REGIONS)
# The broker's region comes first: until its list is there, nobody believes the broker.
SIGNERS = ("hongkong/revocation", "guangzhou/revocation", "macao/revocation")
_MODULES = {"broker": "broker", "revocation": "node.revocation"}
QUESTION = "SELECT region, count(*) AS n FROM patients GROUP BY region ORDER BY region"
BROKER_PORT = 7443
HTTP_PORT = 7480


@dataclass(frozen=True)
class Contained:
    """A running space: its containers by party, and how its researcher asks."""

    containers: dict[str, str]
    ask: Callable[..., Ran]


@pytest.fixture(scope="module")
def space(image: str) -> Iterator[Contained]:
    """Broker and nodes, started; taken down with network and volumes."""
    prefix = f"gba-test-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        volumes = stack.enter_context(volumes_for(prefix, (*PARTIES, "actors", ACTOR)))
        _found(image, volumes)
        network = stack.enter_context(inner_network())
        containers = {}
        for party in ("broker", *SIGNERS, *REGIONS):
            home = f"/space/{party}"
            module = _MODULES.get(Path(party).name, "node")
            volume = party.partition("/")[0]
            command = ["python", "-m", module, "--home", home]
            container = confined(image, command, {volumes[volume]: f"/space/{volume}"})
            container.with_network(network).with_network_aliases(party.replace("/", "-"))
            if party == "broker":
                container.with_env("GBA_LISTEN", f"0.0.0.0:{BROKER_PORT}")
                container.with_env("GBA_HTTP", f"0.0.0.0:{HTTP_PORT}")
            else:
                container.with_env("GBA_BROKER_ADDRESS", f"broker:{BROKER_PORT}")
            ready_when(container, "serving" if party == "broker" else "attached", home)
            started = stack.enter_context(container).get_container_id()
            if party not in SIGNERS:
                containers[party] = started

        def ask(*arguments: str) -> Ran:
            home = "/space/actors"
            asking = confined(
                image, ["gba", *arguments, "--home", home], {volumes[ACTOR]: home}
            ).with_env("GBA_BROKER_ADDRESS", f"broker:{BROKER_PORT}")
            return run_to_end(asking.with_network(network))

        yield Contained(containers, ask)


def _found(image: str, volumes: dict[str, str]) -> None:
    """Make a space, one volume a party; then give the researcher a volume of its own."""
    places = {volumes[name]: f"/space/{name}" for name in (*PARTIES, "actors")}
    command = ["gba", "space", "init", "/space", "--patients", str(PATIENTS)]
    made = run_to_end(confined(image, command, places))
    assert made.code == 0, made.err
    places = {volumes["actors"]: "/from", volumes[ACTOR]: "/space/actors"}
    command = ["cp", "-a", f"/from/{ACTOR}/.", "/space/actors"]
    copied = run_to_end(confined(image, command, places))
    assert copied.code == 0, copied.err


def test_four_containers_answer_one_query(space: Contained) -> None:
    asked = space.ask("query", QUESTION, "--purpose", "HRESCH", "--format", "json")
    assert asked.code == 0, asked.err
    assert asked.json["rows"] == [[region, PATIENTS] for region in REGIONS]
    assert {node["region"]: node["status"] for node in asked.json["nodes"]} == dict.fromkeys(
        REGIONS, "released"
    )
    for party, container in space.containers.items():
        log = Ran(0, _verify(container, party), "").json["logs"][0]
        assert (log["owner"], log["verified"], log["reason"]) == (party, True, "")
        assert log["size"] > 0, f"{party} recorded nothing"


def test_a_node_listens_on_no_port(space: Contained) -> None:
    ports = {party: listening(container) for party, container in space.containers.items()}
    assert ports == {"broker": {BROKER_PORT, HTTP_PORT}} | {region: set() for region in REGIONS}


def test_a_container_holds_its_own_partys_directory_and_no_other(space: Contained) -> None:
    for party, container in space.containers.items():
        assert Confinement.of(container) == only(f"/space/{party}")
        found = read_inside(container, "find", "/space", "-name", "party.toml")
        nodes_and_broker = [f"/space/{party}/party.toml"]
        # Operator, signer and witness are of the region's party, in directories of its own.
        own = ("operator", "revocation", "witness") if party in REGIONS else ()
        operators = [f"/space/{party}/{each}/party.toml" for each in own]
        assert sorted(found.splitlines()) == sorted(nodes_and_broker + operators)


def _verify(container: str, party: str) -> str:
    return read_inside(
        container, "gba", "audit", "verify", "--home", f"/space/{party}", "--format", "json"
    )
