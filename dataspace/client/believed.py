"""What a session believes: the home's trust list, with revocation lists fetched just now. Rim."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

import grpc

from dataspace.errors import DataspaceError
from dataspace.home import PartyHome
from dataspace.identity.trustlist import TrustList
from dataspace.in_force import InForce
from dataspace.v1.revocation_pb2 import RevocationRequest

LISTS_SECONDS = 2.0  # for which lists that were fetched are taken to be the latest
FETCH_SECONDS = 5.0


class Believed:
    """One session's. `stub` gives the broker's, to ask for the lists. Safe between threads."""

    def __init__(self, home: PartyHome, stub: Callable[[], Any]) -> None:
        self._home = home
        self._stub = stub
        self._fetched_at = -math.inf
        self._lock = threading.Lock()

    @cached_property
    def _in_force(self) -> InForce:
        return InForce(self._home)

    def at_hand(self) -> TrustList:
        """The trust list with the lists that this home holds already."""
        return self._in_force.trust()

    def trust(self) -> TrustList:
        """The trust list with the lists of now. Where they cannot be fetched, those at hand
        count, until they are stale."""
        if not self.at_hand().revocation_signers:
            return self.at_hand()
        with self._lock:
            if time.monotonic() >= self._fetched_at + LISTS_SECONDS:
                with suppress(grpc.RpcError, DataspaceError):
                    asked = RevocationRequest(trust_version=self.at_hand().version)
                    fetched = self._stub().Revocations(asked, timeout=FETCH_SECONDS)
                    self._in_force.receive(fetched)
                self._fetched_at = time.monotonic()
        return self.at_hand()
