"""A party under examination: its directory, what it believes, and its process if one runs. Rim."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import psutil

from dataspace.home import PartyHome
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import InForce
from dataspace.processes import now_ms, read_state

STANDING = frozenset({"node", "broker", "witness", "revocation"})  # kinds that run as a process
_LIVING = frozenset({"starting", "serving", "attached", "waiting"})


@dataclass(frozen=True)
class Party:
    """One party. What it believes is read once, and raises what is wrong with it each time."""

    home: PartyHome
    now_ms: int

    @classmethod
    def at(cls, home: PartyHome) -> Party:
        """The party of a directory, as of now."""
        return cls(home, now_ms())

    @property
    def kind(self) -> str:
        return self.home.config.kind

    @property
    def owner(self) -> str:
        """Whose log it keeps, as trust lists name owners."""
        return "broker" if self.kind == "broker" else self.home.uri.region

    @cached_property
    def trust(self) -> TrustList:
        """The trust list with the revocation lists that are kept here."""
        return InForce(self.home).trust()

    @cached_property
    def process(self) -> psutil.Process | None:
        """The process that runs from this directory, if it does.

        A number alone may be another program's by now: its command line has to name our module.
        """
        state = read_state(self.home.path / "run")
        try:
            process = psutil.Process(int(str(state.get("pid"))))
            ours = "--home" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (ValueError, psutil.Error):
            return None
        return process if ours and state.get("stage") in _LIVING else None
