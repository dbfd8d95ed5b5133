"""Faults in a running space: what callers see meanwhile, how soon it heals, what is still there.

Promises, around each fault: members ask and replay all the time; after it every log still holds
each entry that somebody holds a receipt for, agreements and consents are those of before, and no
request was answered twice. What it took stands in `RECORDS`, a table at the end of the run. Leaves
inflicting and healing to the tests.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dataspace.identity.names import REGIONS
from tests.spaces import Ran

from . import caller, recorded
from .compose import Project
from .confined import read_inside
from .engine import docker

QUESTION: Final = caller.QUESTION
OWNERS: Final = ("broker", *REGIONS)
SMALL: Final = tuple(f"{region}-{own}" for region in REGIONS for own in ("witness", "revocation"))
CONSENT: Final = (
    "consent", "give", "--document", "hkid:A123456(3)", "--recipient", "macao/hospital",
    "--purpose", "TREAT", "--until", "2099-01-01", "--as", "hongkong/clinician",
)  # fmt: skip
HEAL_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Record:
    """One fault's line: what `gba` said, what the load was told, how soon it healed."""

    fault: str
    said: str
    told: str
    seconds: float
    receipts: int
    replays: int

    def line(self) -> str:
        """For people."""
        return (
            f"{self.fault:34} {self.seconds:5.1f} s  {self.receipts:5} receipts "
            f"{self.replays:3} replays  {self.said:44} {self.told}"
        )


RECORDS: list[Record] = []


@dataclass
class Fault:
    """A fault under way: when it began, when whoever caused it took it away, what `gba` said."""

    name: str
    began: float
    healed: float = 0.0
    said: str = "not asked"

    def heal(self) -> None:
        """From here on recovery is timed."""
        self.healed = time.time()

    def heard(self, ran: Ran) -> None:
        """Keep what a member's command said."""
        self.said = f"exit {ran.code}" + (f" {ran.error['code']}" if ran.code else "")


@dataclass
class Scene:
    """A space in containers, and the members who ask in it all the time."""

    project: Project
    load: str
    receipts: dict[str, dict[int, str]] = field(default_factory=dict)
    stand_ins: dict[str, str] = field(default_factory=dict)
    _read: int = 0
    _lines: list[dict[str, Any]] = field(default_factory=list)

    def query(self, *options: str) -> Ran:
        """One question of the command line's."""
        asked = ("query", QUESTION, "--purpose", "HRESCH", "--as", "hongkong/researcher")
        done = docker("exec", self.load, "gba", *asked, "--format", "json", *options)
        return Ran(done.returncode, done.stdout, done.stderr)

    def told(self, since: float, kind: str = "asked") -> list[dict[str, Any]]:
        """What the load was told on what it asked since then, in order of asking."""
        self._take()
        found = [each for each in self._lines if each["kind"] == kind and each["began"] >= since]
        return sorted(found, key=lambda each: float(each["began"]))

    def await_told(
        self, since: float, holds: Callable[[dict[str, Any]], bool], seconds: float = HEAL_SECONDS
    ) -> dict[str, Any]:
        """The first thing that the load was told since then of which something holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for each in self.told(since):
                if holds(each):
                    return each
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds:g} s; last told: {self.told(since)[-3:]}")

    def container(self, service: str) -> str:
        """A service's container, or the one that a test has put in its place."""
        return self.stand_ins.get(service) or self.project.container(service)

    def exec(self, service: str, *command: str) -> str:
        """The output of a command run in a service's container."""
        return read_inside(self.container(service), *command)

    def facts(self, region: str) -> dict[str, Any]:
        """Agreements and consents as a region's own operator sees them."""
        own = ("--home", f"/space/{region}/operator", "--format", "json")
        return {
            kind: json.loads(self.exec(region, "gba", kind, "list", *own))
            for kind in ("agreement", "consent")
        }

    def check_receipts(self) -> int:
        """Each entry that was acknowledged is where its receipt says; how many there are."""
        self._take()
        for owner in OWNERS:
            known = self.receipts.get(owner, {})
            least = str(max(known, default=-1) + 1)
            script = Path(recorded.__file__).read_text()
            said = self.exec(owner, "python", "-c", script, f"/space/{owner}", least)
            entries = json.loads(said)
            for index, digest in known.items():
                assert index < len(entries), f"{owner} lost entry {index}: it has {len(entries)}"
                assert entries[index] == digest, f"{owner} has another entry {index}"
        return sum(map(len, self.receipts.values()))

    def check_replays(self, since: float) -> int:
        """Nothing that was sent again since then was answered again; how often it was tried."""
        replays = self.told(since, "replayed")
        for each in replays:
            # Who was away the first time has not used the request up, and may answer it now.
            twice = [region for region in each["answered"]
                     if each["heard"].get(region, "").startswith("released")]  # fmt: skip
            assert not twice, f"a replay was answered by {twice}: {each}"
        return len(replays)

    def _take(self) -> None:
        """Read on in what the load said."""
        said = docker("logs", self.load)
        assert said.returncode == 0 and "Traceback" not in said.stderr, said.stderr
        lines = said.stdout.splitlines()
        for line in lines[self._read :]:
            told = json.loads(line)
            self._lines.append(told)
            for origin, index, digest in told.get("receipts", ()):
                owner = origin.rpartition("/")[2]
                held = self.receipts.setdefault(owner, {})
                assert held.setdefault(index, digest) == digest, f"two entries {index} of {owner}"
        self._read = len(lines)


def whole(told: dict[str, Any]) -> bool:
    """Whether all regions answered."""
    return set(told["released"]) == set(REGIONS)


def lacking(region: str) -> Callable[[dict[str, Any]], bool]:
    """Whether the others answered, and this region did not, with a reason."""

    def holds(told: dict[str, Any]) -> bool:
        others = set(REGIONS) - {region}
        return set(told["released"]) == others and bool(told["reasons"][region])

    return holds


@contextmanager
def scene_of(project: Project) -> Iterator[Scene]:
    """A project that is up, with a consent in it, under load."""
    project.await_healthy("broker", *REGIONS, *SMALL)
    given = project.gba(*CONSENT)
    assert given.code == 0, given.err
    command = ("run", "--detach", "--no-deps", "--entrypoint", "python", "gba", "-c")
    started = project.compose(*command, Path(caller.__file__).read_text())
    assert started.code == 0, started.err
    load = started.out.strip().splitlines()[-1]
    try:
        scene = Scene(project, load)
        scene.await_told(0.0, whole)
        yield scene
    finally:
        docker("rm", "--force", load)


@contextmanager
def stand_in(scene: Scene, region: str, *changes: str, command: str = "") -> Iterator[str]:
    """Another container in the place of a region's node, on its volume; `changes` are options of
    `docker run`, `command` is for a shell. The node itself is back in the end.
    """
    own = scene.project.container(region)
    assert docker("stop", "--time", "20", own).returncode == 0
    home, image = f"/space/{region}", scene.project.images.node
    options = [
        "--user=10001:10001", "--read-only", "--cap-drop=ALL", "--restart=unless-stopped",
        "--security-opt=no-new-privileges:true", "--tmpfs=/tmp",
        f"--network={scene.project.name}_{region}", f"--env=GBA_HOME={home}",
    ]  # fmt: skip
    if not any(change.startswith("--tmpfs") for change in changes):
        options.append(f"--volume={scene.project.name}_{region}:{home}")
    if not any(change.startswith("--env=GBA_BROKER_ADDRESS") for change in changes):
        options.append("--env=GBA_BROKER_ADDRESS=broker:7443")
    shell = ("sh", "-c", command or f"exec python -m node --home {home}")
    images = [change for change in changes if not change.startswith("-")]
    changed = [change for change in changes if change.startswith("-")]
    done = docker("run", "--detach", *options, *changed, *(images or [image]), *shell)
    assert done.returncode == 0, done.stderr
    scene.stand_ins[region] = done.stdout.strip()
    try:
        scene.await_told(time.time(), whole)
        yield scene.stand_ins[region]
    finally:
        placed = scene.stand_ins.pop(region)
        docker("stop", "--time", "30", placed)
        docker("rm", "--force", placed)
        assert docker("start", own).returncode == 0
        scene.project.await_healthy(region)
        scene.await_told(time.time(), whole)


@contextmanager
def inflicted(scene: Scene, name: str, *regions: str) -> Iterator[Fault]:
    """Around a fault: recovery is timed and everything of before is checked once it is over."""
    facts = {region: scene.facts(region) for region in regions}
    fault = Fault(name, time.time())
    yield fault
    assert fault.healed, "the test did not say when the fault was over"
    first = scene.await_told(fault.healed, whole)
    seconds = max(0.0, first["began"] + first["seconds"] - fault.healed)
    told = Counter(_outcome(each) for each in scene.told(fault.began) if not whole(each))
    assert all(words for words in told), told
    for region in regions:
        scene.await_told(time.time(), whole)
        assert scene.facts(region) == facts[region]
    replays = scene.check_replays(fault.began)
    receipts = scene.check_receipts()
    shown = ", ".join(f"{number}× {each}" for each, number in told.most_common(3)) or "nothing"
    RECORDS.append(Record(name, fault.said, shown, seconds, receipts, replays))


def _outcome(told: dict[str, Any]) -> str:
    if told["error"]:
        assert told["message"], told
        return f"{told['error']} {told['code']}"
    return "; ".join(f"{region} {said[:60]}" for region, said in told["reasons"].items())
