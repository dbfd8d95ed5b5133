"""A node's dealings with witnesses, and its log's public copy at the broker. Rim.

What goes out is public: checkpoints, proofs, hash tiles. The broker carries it, and could
keep it back; then nothing is cosigned, and after the grace period nothing is released.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from dataspace.audit.checkpoints import parse_checkpoint
from dataspace.audit.cosignatures import checkpoint_of
from dataspace.audit.notes import parse_note
from dataspace.audit.store import LogStore
from dataspace.audit.tiles import Tile, tiles_between
from dataspace.audit.waking import LogChanges, changes_of
from dataspace.audit.witness import AddCheckpoint
from dataspace.errors import DataspaceError
from dataspace.v1 import broker_pb2

_LOG = structlog.get_logger("node.witnessing")

_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 5.0
_PAUSE_SECONDS = 0.05
_TILES_A_FRAME = 128
ABSENT = 503
_COPIED_SECONDS = 1.0  # that a witness is kept waiting for the public copy

Put = Callable[[broker_pb2.NodeFrame], None]


class Witnessing:
    """One node's side of it towards one broker, over the stream that is there.

    For one event loop.
    """

    def __init__(self, log: LogStore) -> None:
        self._log = log
        self._put: Put | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[broker_pb2.WitnessReply]] = {}
        self._mirrored: asyncio.Queue[broker_pb2.LogMirrored] = asyncio.Queue()
        self._copied = 0  # entries that the public copy covers
        self._grown = asyncio.Event()

    async def use(self, put: Put, mirrored_size: int) -> None:
        """Keep the broker's copy current over a new stream, until cancelled."""
        self._put = put
        try:
            with changes_of(self._log) as changes:
                while True:
                    try:
                        await self._keep_mirror(put, mirrored_size, changes)
                    except (DataspaceError, TimeoutError) as error:
                        # Witnesses are asked over this stream whatever becomes of the copy.
                        _LOG.error("mirror.failed", kind=type(error).__name__)
                        await asyncio.sleep(_AGAIN_SECONDS)
        finally:
            if self._put is put:
                self._put = None
            for waiting in self._asked.values():
                if not waiting.done():
                    waiting.set_result(broker_pb2.WitnessReply(status=ABSENT))

    async def ask(self, witness: str, request: bytes) -> tuple[int, bytes]:
        """Put an add-checkpoint request to a witness; status 503 where nobody carries it."""
        await self._until_copied(request)
        if self._put is None:
            return ABSENT, b""
        number = next(self._numbers)
        waiting = self._asked[number] = asyncio.get_running_loop().create_future()
        ask = broker_pb2.WitnessAsk(witness=witness, request=request)
        self._put(broker_pb2.NodeFrame(call=number, witness_ask=ask))
        try:
            reply = await asyncio.wait_for(waiting, _ANSWER_SECONDS)
            return reply.status, reply.body
        except TimeoutError:
            return ABSENT, b""
        finally:
            del self._asked[number]

    async def _until_copied(self, request: bytes) -> None:
        """Let the public copy have what a witness is about to see, if it does not take long.

        So a node that loses its disk finds in the copy all that witnesses hold it to.
        """
        wanted = checkpoint_of(AddCheckpoint.from_bytes(request).note_text)[1].size
        with suppress(TimeoutError):
            async with asyncio.timeout(_COPIED_SECONDS):
                while self._put is not None and self._copied < wanted:
                    self._grown.clear()
                    await self._grown.wait()

    def _note_copied(self, size: int) -> None:
        self._copied = size
        self._grown.set()

    def receive(self, frame: broker_pb2.BrokerFrame) -> None:
        """A frame of the broker that belongs here."""
        if frame.WhichOneof("body") == "log_mirrored":
            self._mirrored.put_nowait(frame.log_mirrored)
            return
        waiting = self._asked.get(frame.call)
        if waiting is not None and not waiting.done():
            waiting.set_result(frame.witness_reply)

    async def _keep_mirror(self, put: Put, size: int, changes: LogChanges) -> None:
        cosigned = ""
        self._note_copied(size)
        self._mirrored = asyncio.Queue()  # what an update that was given up may still bring
        while True:
            if self._log.size == size and self._log.cosigned_text == cosigned:
                await changes.wait()
                continue
            cosigned = self._log.cosigned_text
            for update in await asyncio.to_thread(self._updates, size, cosigned):
                put(broker_pb2.NodeFrame(log_update=update))
                reply = await asyncio.wait_for(self._mirrored.get(), _ANSWER_SECONDS)
                size = reply.size
                self._note_copied(size)
                if reply.problem:
                    _LOG.error("mirror.refused", problem=reply.problem)
                    await asyncio.sleep(_AGAIN_SECONDS)
                    break
            await asyncio.sleep(_PAUSE_SECONDS)  # many entries share an update

    def _updates(self, size: int, cosigned: str) -> list[broker_pb2.LogUpdate]:
        """The public files that a copy of `size` entries lacks; the checkpoint comes last."""
        text = self._log.checkpoint_text
        new_size = parse_checkpoint(parse_note(text).text).size
        # A log that is shorter than its copy has nothing to add; the broker says so.
        grown = tiles_between(size, new_size) if size <= new_size else ()
        tiles = [tile for tile in grown if tile.level is not None]
        updates = []
        for start in range(0, max(len(tiles), 1), _TILES_A_FRAME):
            piece = tiles[start : start + _TILES_A_FRAME]
            last = start + _TILES_A_FRAME >= len(tiles)
            updates.append(
                broker_pb2.LogUpdate(
                    old_size=size,
                    tiles=self._read(piece),
                    checkpoint=text if last else "",
                    cosigned=cosigned if last else "",
                )
            )
        return updates

    def _read(self, tiles: Sequence[Tile]) -> list[broker_pb2.LogTile]:
        return [
            broker_pb2.LogTile(path=tile.path, data=self._log.tile_bytes(tile)) for tile in tiles
        ]
