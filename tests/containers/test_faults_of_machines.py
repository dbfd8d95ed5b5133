"""A host that fails a node: disk, clock, memory, a bad page, an expired certificate.

Callers are told, it heals once the operator did what the message says, and nothing is lost.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import expiring
from .engine import docker, ensure_program, run
from .faults import Scene, inflicted, lacking, stand_in, whole

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

HOME = "/space/macao"
CLOCK_LIBRARY = "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
# A home on a small disk of its own, which is laid back on the volume once the node has ended.
ON_A_SMALL_DISK = f"""
cp -a /kept/. {HOME}/
trap 'kill -TERM "$node"' TERM
python -m node --home {HOME} & node=$!
wait "$node"; wait "$node"
rm -f {HOME}/filling
cp -a {HOME}/. /kept/
"""
READY = """
import http.client
page = http.client.HTTPConnection("127.0.0.1:9464")
page.request("GET", "/readyz")
print(page.getresponse().read())
"""
SPOIL = """
import pathlib
file = pathlib.Path("/space/macao/ledger.db")
data = bytearray(file.read_bytes())
for page in range(4096, len(data), 4096):
    data[page : page + 64] = b"\\xff" * 64
file.write_bytes(data)
"""


def query_of_macao(scene: Scene) -> tuple[int, str, str]:
    """Exit code, error code and message of a question that needs all regions."""
    ran = scene.query()
    return (ran.code, ran.error["code"], ran.error["message"]) if ran.code else (0, "", "")


def test_a_full_disk_stops_one_node_until_there_is_room(scene: Scene) -> None:
    small = (f"--tmpfs={HOME}:size=160m,uid=10001,gid=10001,mode=0700",
             f"--volume={scene.project.name}_macao:/kept")  # fmt: skip
    with (
        stand_in(scene, "macao", *small, command=ON_A_SMALL_DISK) as container,
        inflicted(scene, "macao's disk full", "macao") as fault,
    ):
        docker("exec", container, "dd", "if=/dev/zero", f"of={HOME}/filling", "bs=4k")
        told = scene.await_told(fault.began, lacking("macao"))
        assert "could not be written" in told["reasons"]["macao"] or "ledger" in str(told)
        fault.heard(asked := scene.query())
        assert asked.code == 5, asked.err
        if "log-stopped" in docker("exec", container, "python", "-c", READY).stdout:
            assert "its log takes no more entries" in docker("exec", container, "healthy").stdout
        assert docker("exec", container, "rm", f"{HOME}/filling").returncode == 0
        # A body or the ledger goes on by itself; a log, where it was the first to find no room, is
        # opened anew by nobody but a fresh process, which is what the guide says to start.
        fault.heal()
        assert docker("restart", "--time", "30", container).returncode == 0


@pytest.fixture(scope="module")
def clock_image(scene: Scene) -> Iterator[str]:
    """The node's image with Debian's libfaketime; skips where it cannot be had."""
    if (reason := ensure_program("apt-get")) or (reason := ensure_program("dpkg-deb")):
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="gba-clock-") as folder:
        steps = "apt-get download libfaketime && dpkg-deb -x libfaketime_*.deb ."
        fetched = run("sh", "-c", f"cd {folder} && {steps} && cp {CLOCK_LIBRARY} clock.so")
        if fetched.returncode != 0:
            pytest.skip(f"libfaketime cannot be fetched: {fetched.stderr.strip()[-200:]}")
        (Path(folder) / "Dockerfile").write_text(
            f"FROM {scene.project.images.node}\nCOPY clock.so /usr/local/lib/clock.so\n"
        )
        built = docker("build", "--quiet", folder)
        assert built.returncode == 0, built.stderr
    image = built.stdout.strip()
    yield image
    docker("image", "rm", "--force", image)


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_ten_minutes_off_admits_nothing_and_heals(
    scene: Scene, clock_image: str, minutes: int
) -> None:
    faked = ("--env=LD_PRELOAD=/usr/local/lib/clock.so", "--env=FAKETIME_TIMESTAMP_FILE=/tmp/clock",
             "--env=FAKETIME_CACHE_DURATION=1", "--env=FAKETIME_DONT_FAKE_MONOTONIC=1",
             clock_image)  # fmt: skip
    command = f"echo +0s > /tmp/clock; exec python -m node --home {HOME}"

    def move(seconds: int) -> None:
        shell = f"echo {seconds:+d}s > /tmp/new; mv /tmp/new /tmp/clock"
        assert docker("exec", "--env=LD_PRELOAD=", container, "sh", "-c", shell).returncode == 0

    with (
        stand_in(scene, "macao", *faked, command=command) as container,
        inflicted(scene, f"macao's clock {minutes:+d} min", "macao") as fault,
    ):
        move(60 * minutes)
        scene.await_told(fault.began, lacking("macao"))
        code, name, message = query_of_macao(scene)
        fault.said = f"exit {code} {name}"
        assert code in {4, 5}, message
        move(0)
        fault.heal()


def test_a_node_that_is_killed_for_its_memory_in_a_query_comes_back(scene: Scene) -> None:
    container = scene.container("macao")
    usage = "cd /sys/fs/cgroup; cat memory.current memory/memory.usage_in_bytes 2>/dev/null; true"
    used = int(scene.exec("macao", "sh", "-c", usage).split()[0])
    least = f"{used + (24 << 20)}"
    with inflicted(scene, "macao out of memory in a query", "macao") as fault:
        done = docker("update", "--memory", least, "--memory-swap", least, container)
        assert done.returncode == 0, done.stderr
        # What grows is smaller than the node, so that it is the node whom the kernel ends.
        grow = "x = []\nwhile True: x.append(bytearray(1 << 20))"
        docker("exec", container, "python", "-c", grow)
        docker("update", "--memory", "3g", "--memory-swap", "3g", container)
        fault.heal()
        scene.await_told(fault.began, lacking("macao"))
        fault.heard(scene.query())


def test_a_spoilt_ledger_page_stops_a_node_until_it_is_restored(scene: Scene) -> None:
    container = scene.container("macao")
    volume = f"--volume={scene.project.name}_macao:{HOME}"

    def beside(*command: str) -> None:
        """Run a command on the volume while the node is stopped."""
        done = docker("run", "--rm", "--network=none", volume, scene.project.images.node, *command)
        assert done.returncode == 0, done.stderr

    with inflicted(scene, "a page of macao's ledger spoilt", "macao") as fault:
        assert docker("stop", "--time", "20", container).returncode == 0
        beside("sh", "-c", f"cp -a {HOME}/ledger.db {HOME}/ledger.kept")
        beside("python", "-c", SPOIL)
        assert docker("start", container).returncode == 0
        time.sleep(8)
        code, name, message = query_of_macao(scene)
        fault.said = f"exit {code} {name}"
        assert code == 5 and "macao" in message
        docker("stop", "--time", "20", container)
        beside("sh", "-c", f"rm -f {HOME}/ledger.db-*; mv {HOME}/ledger.kept {HOME}/ledger.db")
        assert docker("start", container).returncode == 0
        fault.heal()


def test_an_expired_certificate_is_named_and_a_new_one_heals(scene: Scene) -> None:
    container = scene.container("macao")
    script = Path(expiring.__file__).read_text()
    with inflicted(scene, "macao's certificates expired", "macao") as fault:
        scene.exec("macao", "cp", "-a", f"{HOME}/certs", f"{HOME}/certs.kept")
        scene.exec("macao", "python", "-c", script, HOME, "12")
        assert docker("restart", "--time", "20", container).returncode == 0
        time.sleep(13)
        scene.await_told(time.time(), lambda told: not whole(told))
        code, name, message = query_of_macao(scene)
        fault.said = f"exit {code} {name}"
        assert code in {4, 5, 6} and "macao" in message
        for _ in range(2):  # restore, whether it runs or restarts at the moment
            restored = docker("exec", container, "sh", "-c",
                              f"cp -a {HOME}/certs.kept/. {HOME}/certs/")  # fmt: skip
            if restored.returncode == 0:
                break
            time.sleep(2)
        assert docker("restart", "--time", "20", container).returncode == 0
        fault.heal()


def test_after_all_of_it_every_log_verifies(scene: Scene) -> None:
    for party in ("broker", "guangzhou", "hongkong", "macao"):
        said = scene.exec(party, "gba", "audit", "verify", "--format", "json")
        assert all(log["verified"] for log in json.loads(said)["logs"]), said
