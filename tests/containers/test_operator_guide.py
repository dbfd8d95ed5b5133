"""docs/operator-guide.md, typed as it stands: a space of one party a host, and a new host joins it.

The broker, Guangzhou and Hong Kong run on hosts of their own, from homes that `gba space init`
made. Macao's office has its authority, its revocation signer and its operator; Macao's node is
away, and comes back on a new host, from an empty volume. The image is made by `image`, from the
same Dockerfile.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from dataspace.home import PartyHome
from tests.docs.blocks import ROOT, blocks, commands
from tests.spaces import Ran, Space, run_gba

from .compose import NoCompose, fresh_project
from .confined import Confinement, listening, only
from .engine import docker
from .image import Images
from .machines import OWNER, Host, Machine, free_port, packed
from .prometheus import NoPrometheus, prometheus_image

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

GUIDE = "docs/operator-guide.md"
PATIENTS = 500
TRIAL = ROOT / "tests" / "data" / "actg175"
ELSEWHERE = "The broker's host, and a home that was made elsewhere"
# Where the lines under each heading are typed.
JOINING = {
    "On the new host": "host",
    "At the region's authority": "office",
    "At another region's operator": "operator",
    "On the new host, again": "host",
    "On the new host: data": "host",
    "At a member's": "member",
}
SEEING = {"On the new host: seeing": "host"}
KEEPING = {
    "Where backups are kept": "vault",
    "On the new host: every night": "host",
    "Where backups are kept: that it can be read": "vault",
}


@dataclass
class Land:
    """Every machine of the story."""

    space: Space  # the homes that `init` made
    hosts: dict[str, Host]  # with Compose, by party; `host` is the new one
    machines: dict[str, Machine]
    papers: Path

    def type(self, places: dict[str, str]) -> dict[str, Ran]:
        """The lines under these headings, each on its machine, one after another."""
        ran = {}
        for heading, place in places.items():
            for line in lines(heading):
                machine = self.hosts.get(place) or self.machines[place]
                ran[line] = done = machine.type(line)
                assert done.code == 0, f"{place}: {line}: {done.out}{done.err}"
                if " gba join " in line:  # read out, by telephone
                    self.machines["office"].environment["FINGERPRINT"] = fingerprint(done)
        return ran


def fingerprint(joined: Ran) -> str:
    (line,) = [each for each in joined.out.splitlines() if each.startswith("fingerprint ")]
    return line.partition(" ")[2]


def lines(heading: str) -> list[str]:
    """What is typed under a heading of the guide."""
    return [
        line
        for block in blocks(GUIDE)
        if block.language == "console" and block.heading == heading
        for line in commands(block)
    ]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """Every party's home, as they would be made at its own place."""
    space = Space(tmp_path_factory.mktemp("homes") / "space")
    made = run_gba("space", "init", str(space.home), "--patients", str(PATIENTS))
    assert made.code == 0, made.err
    return space


def offices(homes: Space, folder: Path, papers: Path, broker: str) -> dict[str, Machine]:
    """The machines without containers: each has its own, and papers."""
    contents = {
        "office": ("macao/authority", "macao/revocation", "macao/operator"),
        "operator": ("guangzhou/authority", "guangzhou/operator"),
        "member": ("actors/hongkong-researcher",),
        "vault": (),
    }
    made = {name: Machine(folder / name, {"GBA_BROKER_ADDRESS": broker}) for name in contents}
    for name, machine in made.items():
        machine.carries(papers)
        for part in contents[name]:
            shutil.copytree(homes.home / part, machine.folder / Path(part).name)
    made["member"].environment["GBA_HOME"] = str(made["member"].folder / "hongkong-researcher")
    return made


@pytest.fixture(scope="module")
def land(images: Images, homes: Space, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Land]:
    """Hosts and machines before anything is typed; skips where there is no Compose."""
    folder, port = tmp_path_factory.mktemp("land"), free_port()
    papers = folder / "papers"
    papers.mkdir()
    for kind, name in (("trust", "trust-1.dsse"), ("charters", "charter-1.dsse")):
        shutil.copyfile(homes.home / "hongkong" / kind / "1.dsse", papers / name)
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    inner = docker("network", "inspect", "--format", gateway, "bridge").stdout.strip()
    with ExitStack() as stack:
        hosts = {}
        for party in ("broker", "guangzhou", "hongkong", "host"):
            file = "broker.compose.yaml" if party == "broker" else "node.compose.yaml"
            settings = {"BROKER": f"{inner}:{port}"}
            own = {"PUBLISH": f"0.0.0.0:{port}"} if party == "broker" else settings
            try:
                project = fresh_project(images, file, own)
            except NoCompose as reason:
                pytest.skip(str(reason))
            hosts[party] = Host(folder / party, project=project)
            stack.callback(hosts[party].clear)
            if party != "host":
                packed(homes.home / party, folder / party / "home.tar")
        new, broker = hosts["host"], f"127.0.0.1:{port}"
        new.carries(papers)
        new.environment["DIGEST"] = PartyHome(homes.home / "macao").config.trust_sha256
        machines = offices(homes, folder, papers, broker)
        stack.callback(_stop, _signer(machines["office"], broker))
        yield Land(homes, hosts, machines, papers)


def _signer(office: Machine, broker: str) -> subprocess.Popen[bytes]:
    """Macao's revocation signer, which runs at its authority all along."""
    with (office.folder / "signer.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "node.revocation", "--home", office.folder / "revocation"],
            env=os.environ | {"GBA_BROKER_ADDRESS": broker}, stdout=log, stderr=log,
        )  # fmt: skip


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(timeout=20)


def test_every_line_of_the_guide_is_typed_under_a_heading_that_names_its_machine() -> None:
    known = {ELSEWHERE, *JOINING, *SEEING, *KEEPING}
    assert {each.heading for each in blocks(GUIDE) if each.language == "console"} == known


def test_homes_that_were_made_elsewhere_come_up_one_party_a_host(
    land: Land, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A line on every host before the next: a node waits for the lists of the other regions.
    for line in lines(ELSEWHERE):
        for party in ("broker", "guangzhou", "hongkong"):
            service = "broker" if party == "broker" else "node"
            own = line.replace("node.compose.yaml", f"{service}.compose.yaml")
            ran = land.hosts[party].type(own.replace("-T node", f"-T {service}"))
            assert ran.code == 0, f"{party}: {line}: {ran.out}{ran.err}"
    address = land.machines["member"].environment["GBA_BROKER_ADDRESS"]
    monkeypatch.setenv("GBA_BROKER_ADDRESS", address)
    asked = land.space.query("SELECT count(*) AS n FROM hongkong.patients")
    assert asked.code == 0, asked.err
    assert asked.json["rows"] == [[PATIENTS]]


def test_a_new_host_joins_from_an_empty_volume_and_answers(land: Land) -> None:
    data = land.hosts["host"].folder / "data"
    data.mkdir()
    shutil.copyfile(TRIAL / "ACTG175.csv", data / "trial.csv")
    shutil.copyfile(TRIAL / "macao.yaml", data / "trial.yaml")
    began = time.monotonic()
    ran = land.type(JOINING)
    print(f"\nfrom an empty host to an answer: {time.monotonic() - began:.0f} s")
    for place in ("host", "office", "operator", "member"):
        for line, seconds in (land.hosts.get(place) or land.machines[place]).seconds.items():
            print(f"{seconds:6.1f} s  {place}: {line[:90]}")
    (reviewed,) = [each.out for line, each in ran.items() if "govern review" in line]
    assert "gba.dataspace/macao/2" in reviewed
    (member,) = lines("At a member's")
    answer = land.machines["member"].type(f"{member} --format json").json
    with (data / "trial.csv").open() as file:
        people = Counter(int(row["arms"]) for row in csv.DictReader(file))
    assert {arm: abs(n - people[arm]) <= 5 for arm, n in answer["rows"]} == dict.fromkeys(
        people, True
    )


def test_no_private_key_travelled(land: Land) -> None:
    carried = [file.read_bytes() for file in land.papers.iterdir()]
    assert len(carried) >= 7
    assert not any(b"PRIVATE KEY" in each for each in carried)


def test_the_new_log_and_the_new_witness_count_and_nobody_was_restarted(land: Land) -> None:
    # Hong Kong's log needs Macao's witness, which is new; Macao's needs both others', who are not.
    for party in ("host", "hongkong"):
        deadline = time.monotonic() + 60
        log = {"size": 0, "cosigned_size": -1}
        while log["cosigned_size"] < log["size"] and time.monotonic() < deadline:
            verify = "docker compose -f node.compose.yaml exec -T node gba audit verify"
            (log,) = land.hosts[party].type(f"{verify} --format json").json["logs"]
        assert log["verified"], log
        assert log["cosigned_size"] == log["size"] > 0, log
    for party in ("broker", "guangzhou", "hongkong"):
        services = ("broker",) if party == "broker" else ("node", "witness", "revocation")
        for service in services:
            container = land.hosts[party].project.container(service)
            restarts = docker("inspect", "--format", "{{.RestartCount}}", container).stdout
            assert restarts.strip() == "0", f"{party} {service}"


def test_each_host_publishes_the_brokers_one_port_and_no_other(land: Land) -> None:
    for party, host in land.hosts.items():
        services = ("broker",) if party == "broker" else ("node", "witness", "revocation")
        for service in services:
            container = host.project.container(service)
            if (party, service) == ("host", "revocation"):
                assert container == ""  # it is at the authority
                continue
            confined = Confinement.of(container)
            expected = only("/space/home").published
            assert confined.published == (("7443/tcp",) if party == "broker" else expected)
            assert confined.read_only and confined.user == f"{OWNER}:{OWNER}"
            assert listening(container) == ({7443, 7480} if party == "broker" else set())


def test_a_container_has_limits_of_memory_processors_and_log(land: Land) -> None:
    said = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} "
    said += '{{index .HostConfig.LogConfig.Config "max-size"}}'
    limits = {
        service: docker(
            "inspect", "--format", said, land.hosts[party].project.container(service)
        ).stdout
        for party, service in (("broker", "broker"), ("host", "node"), ("host", "witness"))
    }
    assert limits["broker"].split() == [f"{2 << 30}", "2000000000", "512", "10m"]
    assert limits["node"].split() == [f"{3 << 30}", "2000000000", "512", "10m"]
    assert limits["witness"].split() == [f"{256 << 20}", "1000000000", "512", "10m"]


def test_the_new_node_is_backed_up_and_the_backup_can_be_read(land: Land) -> None:
    ran = land.type(KEEPING)
    (restored,) = [each.out for line, each in ran.items() if line.startswith("gba restore")]
    assert "gba://macao/health-authority/node/node-2" in restored
    (verified,) = [each.out for line, each in ran.items() if line.startswith("gba audit verify")]
    assert "macao" in verified
    assert not (land.papers / "recovery.key").exists()
    assert not (land.machines["vault"].folder / "rehearsal").exists()


def test_the_new_node_is_seen(land: Land, images: Images) -> None:
    host = land.hosts["host"]
    try:
        with prometheus_image(images.node) as image:
            host.environment["PROMETHEUS_IMAGE"] = image
            ran = list(land.type(SEEING).values())
            host.type("docker compose rm --stop --force prometheus")
    except NoPrometheus as reason:
        pytest.skip(str(reason))
    health, ready, metrics, doctor = (each.out for each in ran[:4])
    assert json.loads(health) == {"status": "ok"}
    assert json.loads(ready) == {"ready": True, "reasons": []}
    assert "\ngba_attached 1.0\n" in metrics
    assert "\ngba_products 1.0\n" in metrics
    assert doctor
    assert zipfile.is_zipfile(host.folder / "report.zip")
    assert "gba_ready" in ran[-1].out


def test_the_brokers_image_has_no_engine_and_says_so_where_one_is_needed(images: Images) -> None:
    done = docker("run", "--rm", "--network=none", "--tmpfs=/tmp", "--tmpfs=/space/home",
                  images.broker, "gba", "space", "init", "/space/actors/new", "--patients", "100",
                  "--no-agreements")  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "this installation is a broker's" in done.stderr
