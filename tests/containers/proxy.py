"""A TCP proxy that behaves badly when told to. Runs inside a container: `python -c … HOST PORT`.

Listens on PORT and passes on to HOST:PORT. The file /tmp/mode says how, and may change at any
time: `pass`; `latency SECONDS` each way; `loss SHARE`, where so many of the pieces come a second
late, as a lost segment does once it was sent again, and one in fifty of those breaks its
connection; `stall`, where nothing passes and every connection stays open. It imports nothing of
the tests.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

MODE = Path("/tmp/mode")
PIECE = 64 * 1024
RESENT_SECONDS = 1.0
BROKEN = 0.02


def mode() -> tuple[str, float]:
    """How to behave now."""
    try:
        word, _, figure = MODE.read_text().strip().partition(" ")
    except FileNotFoundError:
        return "pass", 0.0
    return word, float(figure or 0)


async def misbehave(writer: asyncio.StreamWriter) -> None:
    """What happens to one piece before it goes on."""
    while (now := mode())[0] == "stall":
        await asyncio.sleep(0.05)
    word, figure = now
    if word == "latency":
        await asyncio.sleep(figure)
    elif word == "loss" and random.random() < figure:
        if random.random() < BROKEN:
            writer.transport.abort()
            raise ConnectionError
        await asyncio.sleep(RESENT_SECONDS)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction, until it ends."""
    try:
        while piece := await reader.read(PIECE):
            await misbehave(writer)
            writer.write(piece)
            await writer.drain()
    except OSError:
        writer.transport.abort()
    else:
        writer.close()


async def serve(host: str, port: int) -> None:
    """Until the container ends."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(host, port)
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

    server = await asyncio.start_server(meet, "0.0.0.0", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
