"""What a party believes now: its trust list with the latest revocation lists. Rim: keeps files.

    trust/<N>.dsse              read again when a version is put there, or delivered
    revocations/<region>.dsse   the highest list that was accepted of each region

Lists come from the broker, which is trusted with their delivery alone: each is verified here,
and a lower number than the highest that was ever accepted is refused, restarts or not.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import DataspaceError, Refused
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.names import REGIONS
from dataspace.identity.revocation import accept_list, carry_lists
from dataspace.identity.revoked import STALE_RULE
from dataspace.identity.trusted import read_unverified
from dataspace.identity.trustlist import TrustList, accept_next
from dataspace.processes import now_ms
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists

_LOG = structlog.get_logger("in-force")

LOOK_SECONDS = 1.0
FOLDER = "revocations"


class InForce:
    """One party's. Lists are taken on one event loop, or by one thread; any may read."""

    def __init__(self, home: PartyHome) -> None:
        self._home = home
        self._watchers: list[Callable[[], None]] = []
        self._versions = _versions(home.path)
        self._trust = _with_kept_lists(home.trust(now_ms()), home.path / FOLDER)

    def trust(self) -> TrustList:
        """The trust list with the lists in force beside it."""
        return self._trust

    def lists(self) -> RevocationLists:
        """The lists in force, as their signers sealed them."""
        lists = self._trust.revocations.lists
        return RevocationLists(lists=[each.envelope for _, each in sorted(lists.items())])

    def handed_on(self, after_version: int = 1) -> RevocationLists:
        """The same with the trust lists after a version, for whoever may lack them."""
        handed = self.lists()
        if self._trust.version > after_version:
            handed.trust_lists.extend(self._home.trust_envelopes(now_ms())[after_version:])
        return handed

    def receive(self, handed: RevocationLists) -> list[DataspaceError]:
        """Take what somebody handed on: trust lists first, then revocation lists."""
        problems = []
        for envelope in handed.trust_lists:
            try:
                self._take_trust(envelope)
            except DataspaceError as error:
                _LOG.error("trust.not_taken", code=error.code)
                problems.append(error)
                break
        return [*problems, *self.take(handed.lists)]

    def _take_trust(self, envelope: Envelope) -> None:
        """The next version of the trust list; one that was taken already is no change."""
        if read_unverified(envelope).version <= self._trust.version:
            return
        # SECURITY: accepted before it is written. A file that does not follow would stop this
        # party at its next start.
        fresh = accept_next(self._trust, envelope, now_ms())
        # A home on a read-only disk cannot remember; what it holds in memory counts on.
        with suppress(OSError):
            keep_trust_list(self._home, envelope, fresh.version)
        self._versions = _versions(self._home.path)
        self._trust = carry_lists(fresh, self._trust.revocations, now_ms())
        self._tell()

    def take(self, envelopes: Iterable[Envelope]) -> list[DataspaceError]:
        """Accept lists, each for itself; keeps them durably, then tells whoever watches.

        Returns why others were not accepted.
        """
        before, problems = self._trust, []
        for envelope in envelopes:
            try:
                fresh = accept_list(self._trust, envelope, now_ms())
            except DataspaceError as error:
                _LOG.warning("revocations.not_taken", code=error.code)
                problems.append(error)
                continue
            if fresh is not self._trust:
                self._keep(envelope, fresh)
                self._trust = fresh
        if self._trust is not before:
            self._tell()
        return problems

    def look(self) -> None:
        """Take a newer version of the trust list, where one was put into the directory."""
        versions = _versions(self._home.path)
        if versions == self._versions:
            return
        self._versions = versions
        try:
            fresh = self._home.trust(now_ms())
        except DataspaceError as error:
            # The version in force stays so; it expires by itself.
            _LOG.error("trust.not_taken", code=error.code)
            return
        if fresh.version > self._trust.version:
            self._trust = carry_lists(fresh, self._trust.revocations, now_ms())
            _LOG.info("trust.taken", version=fresh.version)
            self._tell()

    async def keep_looking(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            self.look()
            self._home.credentials.look()
            await asyncio.sleep(LOOK_SECONDS)

    @contextmanager
    def watched(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Have `watcher` called after every change, within the block."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Have `watcher` called after every change, for good."""
        self._watchers.append(watcher)

    def _tell(self) -> None:
        for watcher in list(self._watchers):
            watcher()

    def _keep(self, envelope: Envelope, fresh: TrustList) -> None:
        region = next(
            each.region
            for each in fresh.revocations.lists.values()
            if each.envelope.payload == envelope.payload
        )
        # A home on a read-only disk cannot remember; what it holds in memory counts on.
        with suppress(OSError):
            _put(self._home.folder(FOLDER), region, envelope)


def keep_trust_list(home: PartyHome, envelope: Envelope, version: int) -> None:
    """Put an accepted trust list into a party's directory, durably."""
    _put(home.folder("trust"), str(version), envelope)


def _put(folder: Path, name: str, envelope: Envelope) -> None:
    # Several processes may work from one home: each has a draft of its own.
    draft = folder / f"{name}.{os.getpid()}-{threading.get_ident()}.new"
    write_synced(draft, envelope.SerializeToString())
    draft.rename(folder / f"{name}.dsse")
    sync_directory(folder)


def lost_standing(check: Callable[[], object]) -> Refused | None:
    """What `check` refuses whose standing was lost, or None.

    That no list is current ends no stream: then every message over it is refused anyway, and
    a stream that stays is how the next list comes.
    """
    try:
        check()
    except Refused as error:
        return error if error.rule != STALE_RULE else None
    except DataspaceError:
        return None
    return None


def _versions(home: Path) -> frozenset[str]:
    return frozenset(file.name for file in (home / "trust").glob("*.dsse"))


def _with_kept_lists(trust: TrustList, folder: Path) -> TrustList:
    for region in REGIONS:
        file = folder / f"{region}.dsse"
        try:
            trust = accept_list(trust, parse_envelope(file.read_bytes()), now_ms())
        except FileNotFoundError:
            continue
        except (OSError, DataspaceError) as error:
            # SECURITY: without it nobody of the region passes, until a signer's list comes.
            _LOG.error("revocations.unreadable", region=region, kind=type(error).__name__)
    return trust
