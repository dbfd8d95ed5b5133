"""A region's revocation signer that is attached: its lists come over the stream. Rim."""

from __future__ import annotations

import asyncio

from dataspace.v1 import broker_pb2


class AttachedSigner:
    """One signer's stream. For one event loop."""

    def __init__(self, region: str) -> None:
        self.region = region
        self.outgoing: asyncio.Queue[broker_pb2.BrokerFrame] = asyncio.Queue(maxsize=1024)
        self.ended = asyncio.Event()

    def close(self) -> None:
        """The stream is gone or has to go."""
        self.ended.set()
