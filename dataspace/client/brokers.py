"""The brokers that a session may ask: one at a time, the next where one is gone. Rim.

What may have been delivered is never sent again: whoever asks again makes and signs a new
request. What changes something is asked again only where it certainly was not delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from dataspace.channels import pinned_channel
from dataspace.client.failures import failure_of
from dataspace.errors import DataspaceError, Refused, Unavailable
from dataspace.home import PartyHome
from dataspace.identity.keystore import TlsIdentity
from dataspace.identity.revoked import REVOKED_RULE
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import broker_pb2_grpc

LOST = "broker-unreachable"
_GONE = frozenset({LOST, "broker-tls"})

T = TypeVar("T")


class Brokers:
    """One session's. `trust` gives the trust list at hand; `only` names the one broker to ask;
    `wrap` is put around every channel."""

    def __init__(
        self,
        home: PartyHome,
        trust: Callable[[], TrustList],
        only: str = "",
        wrap: Callable[[grpc.Channel], grpc.Channel] = lambda channel: channel,
    ) -> None:
        self._home = home
        self._trust = trust
        self._only = only
        self._wrap = wrap
        self._channel: grpc.Channel | None = None
        self._shown: TlsIdentity | None = None  # to the broker, by this channel
        self._at = 0

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every broker's, in the order that they are tried."""
        return (self._only,) if self._only else self._home.broker_addresses

    @property
    def address(self) -> str:
        """The broker that is asked now."""
        return self.addresses[self._at % len(self.addresses)]

    def stub(self) -> Any:
        """The broker's methods, over a channel to the first broker that is there.

        Raises what `pinned_channel` does of the last one tried.
        """
        if self._channel is None or self._home.tls is not self._shown:
            # A renewed certificate is shown by dialling anew; calls under way keep their channel.
            self._channel = self._dial()
        return broker_pb2_grpc.BrokerStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def _dial(self) -> grpc.Channel:
        for left in reversed(range(len(self.addresses))):
            self._shown = self._home.tls
            try:
                parts = pinned_channel(self.address, self._shown, self._trust())
            except DataspaceError as error:
                if not left or not _is_gone(error):
                    raise
                self._at += 1
                continue
            channel = grpc.secure_channel(parts.address, parts.credentials, options=parts.options)
            return self._wrap(channel)
        raise AssertionError("there is always a broker to try")

    def failed(self, error: Any) -> DataspaceError:
        """The error behind a call that failed; where its broker is gone, the next has its turn."""
        known = failure_of(error)
        if known.code == LOST:
            self._pass_on()
        return known

    def asked(self, ask: Callable[[], T], came_to_nothing: Callable[[T], bool]) -> T:
        """What `ask` comes to at the first broker that is not gone; it signs anew each time.

        A broker that came to nothing is passed by where there is another: one that is just up
        may have no node attached yet.
        """
        for left in reversed(range(len(self.addresses))):
            try:
                found = ask()
            except Unavailable as error:
                if not left or error.code != LOST:
                    raise
                continue
            if not left or not came_to_nothing(found):
                return found
            self._pass_on()
        raise AssertionError("there is always a broker to try")

    def _pass_on(self) -> None:
        # Dial anew next time, the pin looked at again: a channel that lost its broker waits
        # long before it tries, and trusts the one certificate that it began with.
        self._channel = None
        self._at += 1

    def close(self) -> None:
        """Close the channel."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def _is_gone(error: DataspaceError) -> bool:
    """Whether the next broker may be asked instead.

    SECURITY: what answers with a key that is not a broker's is told of, and not passed by.
    """
    return error.code in _GONE or (isinstance(error, Refused) and error.rule == REVOKED_RULE)
