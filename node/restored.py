"""A node whose log was put back from a backup: it runs once witnesses have confirmed the log. Rim.

An older copy that grew would be another history under the same name. So before anything else,
the node attaches and has its last checkpoint cosigned anew: a witness cosigns nothing that is
older than what it has seen. The broker carries the answers, and could keep them back, but can
neither make them up nor hand over earlier ones, since each has its time.

    confirmed    the log says that it was restored, and what was lost; the ledger admits nothing
                 that may have been used since the backup; then the node runs
    behind       `log-behind`: the node says how to go on, and ends
    no answer    it waits, and records nothing
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import grpc
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.checkpoints import sign_checkpoint
from dataspace.audit.cosignatures import add_cosignatures
from dataspace.audit.durable import sync_directory
from dataspace.audit.entries import Entry
from dataspace.audit.lost import KIND, declaration
from dataspace.audit.merkle import prove_consistency
from dataspace.audit.notes import verifier_key
from dataspace.audit.quorum import Quorum
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.recovery import Recovered, recover
from dataspace.audit.store import RESTORED, LogStore
from dataspace.audit.witness import AddCheckpoint
from dataspace.backup.restoring import Mark, read_mark
from dataspace.errors import DataspaceError, Malformed, Unavailable
from dataspace.evidence.answers import status_of
from dataspace.evidence.cosigned import quorum_of
from dataspace.home import PartyHome
from dataspace.identity.keystore import load_private_key
from dataspace.in_force import InForce
from dataspace.processes import now_ms, write_state
from dataspace.storage import check_storage
from dataspace.v1 import broker_pb2
from node.dialling import Dialler, Stream
from node.ledger import Ledger, ledger_owner

_LOG = structlog.get_logger("node.restored")

_ANSWER_SECONDS = 10.0
_AGAIN_SECONDS = 1.0
_SKEW_SECONDS = 5  # between this clock and a witness's
_OK, _CONFLICT = 200, 409

_Ask = Callable[[str, AddCheckpoint], Awaitable[broker_pb2.WitnessReply]]


def is_unconfirmed(home: PartyHome) -> bool:
    """Whether a node's log was put back and nobody has confirmed it yet."""
    return (home.path / "log" / RESTORED).exists()


async def confirm(home: PartyHome) -> None:
    """Return once the restored log may grow. Raises `Unavailable` (`log-behind`) where it may not.

    Ends the process's work at a signal, as the node itself does.
    """
    check_storage(home.path)
    key = load_private_key(home.path / "keys/log.key")
    if not isinstance(key, Ed25519PrivateKey):
        raise Malformed("keys/log.key must be an Ed25519 key", code="log-key")
    mark = read_mark(home.path / "log")
    assert mark is not None
    found = recover(home.path / "log", verifier_key(home.config.log_origin, key))
    await _Confirmation(home, found, sign_checkpoint(found.acknowledged, key)).run()
    await asyncio.to_thread(_take_up, home, key, mark)
    _LOG.info("restored.confirmed", entries=found.acknowledged.size)


def _take_up(home: PartyHome, key: Ed25519PrivateKey, mark: Mark) -> None:
    """Say in the log and in the ledger what happened; each once, however often this is begun."""
    folder = home.path / "log"
    if not home.config.ledger:  # one on PostgreSQL was not put back with the rest
        ledger = Ledger.of_home(home.path, "", ledger_owner(home))
        ledger.note_restored(mark.at_ms)
        ledger.close()
    with LogStore.open(folder, home.config.log_origin, key, confirmed=True) as log:
        if not _is_declared(log, mark):
            log.append(Entry(KIND, now_ms(), declaration(mark.size, log.size)))
        log.publish()
    (folder / RESTORED).unlink()
    sync_directory(folder)


def _is_declared(log: LogStore, mark: Mark) -> bool:
    """Whether the log's last entry says so already: then a process ended right after it."""
    last = log.size - 1
    if last < mark.size:
        return False
    try:
        entry = Entry.from_bytes(log.read_entry(last))
    except Unavailable:  # lost itself
        return False
    return entry.kind == KIND and entry.fields.get("lost_from") == mark.size


@dataclass
class _Confirmation:
    """Asking the witnesses, over whatever stream is there, until they have spoken."""

    home: PartyHome
    found: Recovered
    note: str  # the log's last checkpoint, signed by its owner alone
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def _size(self) -> int:
        return self.found.acknowledged.size

    async def run(self) -> None:
        """Return when a quorum has cosigned; raises `log-behind`."""
        run_folder = self.home.folder("run")
        in_force = InForce(self.home)
        self._quorum: Quorum = quorum_of(in_force.trust(), self.home.config.log_origin)
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def on_change(attached: bool, reason: str) -> None:
            said = "restored from a backup: waits for witnesses to confirm the log"
            write_state(run_folder, stage="waiting", reason=f"{said}; {reason}" if reason else said)

        dialler = Dialler(self.home, self.home.identity, in_force, on_change)
        looking = asyncio.create_task(in_force.keep_looking())
        dialling = asyncio.create_task(dialler.run(self._use))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            await self._outcome
        finally:
            for task in (dialling, looking):
                task.cancel()
            await asyncio.gather(dialling, looking, return_exceptions=True)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(
                Unavailable("stopped before witnesses confirmed the log", code="log-restored")
            )

    async def _use(self, stream: Stream, welcome: broker_pb2.Welcome) -> None:
        waiting: dict[int, asyncio.Future[broker_pb2.WitnessReply]] = {}
        asking = asyncio.create_task(self._ask_all(stream, welcome.mirrored_size, waiting))
        try:
            while (frame := await stream.read()) is not grpc.aio.EOF:
                match frame.WhichOneof("body"):
                    case "witness_reply":
                        reply = waiting.pop(frame.call, None)
                        if reply is not None and not reply.done():
                            reply.set_result(frame.witness_reply)
                    case "ping":
                        await stream.write(broker_pb2.NodeFrame(pong=broker_pb2.Pong()))
                    case "ask" | "round":
                        failure = status_of(_not_yet())
                        await stream.write(broker_pb2.NodeFrame(call=frame.call, failure=failure))
        finally:
            asking.cancel()

    async def _ask_all(
        self,
        stream: Stream,
        mirrored: int,
        waiting: dict[int, asyncio.Future[broker_pb2.WitnessReply]],
    ) -> None:
        async def ask(witness: str, request: AddCheckpoint) -> broker_pb2.WitnessReply:
            number = next(self._numbers)
            reply = waiting[number] = asyncio.get_running_loop().create_future()
            body = broker_pb2.WitnessAsk(witness=witness, request=request.to_bytes())
            await stream.write(broker_pb2.NodeFrame(call=number, witness_ask=body))
            return await asyncio.wait_for(reply, _ANSWER_SECONDS)

        try:
            if mirrored > self._size:
                raise _behind(mirrored, self._size, "its public copy at the broker has")
            while not self._outcome.done():
                if await self._round(ask):
                    self._outcome.set_result(None)
                await asyncio.sleep(_AGAIN_SECONDS)
        except DataspaceError as error:
            if not self._outcome.done():
                self._outcome.set_exception(error)

    async def _round(self, ask: _Ask) -> bool:
        """Ask every witness that counts; whether a quorum has cosigned since."""
        begun = now_ms() // 1000
        lines: list[str] = []
        for name in self._quorum.names():
            try:
                lines += await self._cosignature(name, ask)
            except TimeoutError:
                continue
        try:
            cosigned = self._quorum.check(add_cosignatures(self.note, lines))
        except DataspaceError:
            return False
        # SECURITY: a cosignature of before the disk was lost says nothing of what came after.
        times = [each.at_s for keys in cosigned.by_region.values() for each in keys]
        return min(times) >= begun - _SKEW_SECONDS

    async def _cosignature(self, name: str, ask: _Ask) -> tuple[str, ...]:
        """The lines with which one witness cosigns the log as it is; none where it does not."""
        seen = await self._seen(name, ask)
        for _ in range(2):
            if seen is None:
                break
            if seen > self._size:
                raise _behind(seen, self._size, f"the witness {name} has seen")
            proof = prove_consistency(self.found.log.tree, seen, self._size)
            reply = await ask(name, AddCheckpoint(seen, tuple(proof), self.note))
            if reply.status == _OK:
                try:
                    return self._quorum.holding(self.note, name, reply.body.decode())
                except (DataspaceError, UnicodeDecodeError):
                    break
            seen = _size_in(reply)
        _LOG.warning("witness.refused", witness=name)
        return ()

    async def _seen(self, name: str, ask: _Ask) -> int | None:
        """How far a witness has seen the log, as far as it says; None where it does not."""
        # A checkpoint that it cosigned is asked about first: one that it never saw, of a log
        # that went on, would look like a log that takes back its word, and raise an alarm.
        text = DirectoryReader(self.home.path / "log").cosigned()
        if text is None or self.found.cosigned is None or not self.found.cosigned.size:
            return 0
        # Told a size that it has not seen, it answers with the one that it has.
        return _size_in(await ask(name, AddCheckpoint(0, (), text)))


def _size_in(reply: broker_pb2.WitnessReply) -> int | None:
    """The size in a conflict's body: a decimal number and a newline."""
    size = reply.body.decode("ascii", "replace").removesuffix("\n")
    known = reply.status == _CONFLICT and size.isdecimal() and len(size) < 20
    return int(size) if known else None


def _behind(seen: int, size: int, who: str) -> Unavailable:
    return Unavailable(
        f"this node's log has {size} entries, and {who} {seen}: it was restored from an older "
        "backup, and must not grow from there. Fill it up with `gba restore --catch-up --home "
        "HOME --from URL` (the broker's public copy of this log) and start the node again, or "
        "begin a log with another origin in a new trust list; see docs/backup.md",
        code="log-behind",
    )


def _not_yet() -> Unavailable:
    return Unavailable(
        "this node was restored from a backup and is not confirmed yet; ask again",
        code="log-restored",
    )
