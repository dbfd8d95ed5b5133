"""An owner has the witnesses cosign its log, and knows how long it has been without. Rim: waits.

Whenever the log has grown, its latest checkpoint goes to each witness that counts, with the
proof that it extends what that witness saw last (C2SP tlog-witness). Once a quorum has
cosigned, the checkpoint with their lines is kept beside the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from dataspace.audit.checkpoints import Checkpoint, parse_checkpoint
from dataspace.audit.cosignatures import add_cosignatures
from dataspace.audit.entries import Entry
from dataspace.audit.notes import parse_note
from dataspace.audit.quorum import CosignedCheckpoint, Quorum
from dataspace.audit.store import LogStore
from dataspace.audit.waking import changes_of
from dataspace.audit.witness import AddCheckpoint
from dataspace.errors import DataspaceError, Unavailable

OK, CONFLICT = 200, 409
_MORE_SECONDS = 0.3  # for the witnesses beyond a quorum
_PAUSE_SECONDS = 0.05
_AGAIN_SECONDS = 1.0  # before those that did not answer are asked again

# What a witness answers to a request: an HTTP status of C2SP tlog-witness, and a body.
Ask = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
Refusal = Callable[[str, int], None]


@dataclass
class Cosigner:
    """One log's way to its witnesses. `ask` carries a request to the one named.

    `on_refusal(witness, status)` hears of every answer that is no cosignature.
    """

    log: LogStore
    quorum: Quorum
    ask: Ask
    on_refusal: Refusal = lambda _, __: None
    on_cosigned: Callable[[str, int], None] = lambda _, __: None  # a note, and when (ms)
    # When each witness last cosigned, in seconds since 1970 by its own word; 0 before it has.
    cosigned_at: dict[str, int] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)  # sizes, by witness
    _ahead: int = 0  # the largest size that a witness has seen beyond this log's
    _uncosigned: tuple[int, int] = (-1, 0)  # an index, and when its entry was made

    def __post_init__(self) -> None:
        self.cosigned_at = dict.fromkeys(self.quorum.names(), 0)
        with suppress(DataspaceError):  # none is kept yet, or by witnesses who count no more
            self._note(self.quorum.check(self.log.cosigned_text))

    def follow(self, quorum: Quorum) -> None:
        """Go by a newer rule for this log: whom it names is asked from the next round on."""
        self.quorum = quorum
        self.cosigned_at = {name: self.cosigned_at.get(name, 0) for name in quorum.names()}

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self.log.checkpoint.origin

    @property
    def cosigned_text(self) -> str:
        """The latest checkpoint with a quorum's cosignatures; empty before the first."""
        return self.log.cosigned_text

    @property
    def cosigned_size(self) -> int:
        """How many entries a quorum has cosigned."""
        text = self.cosigned_text
        return parse_checkpoint(parse_note(text).text).size if text else 0

    def uncosigned_ms(self, now_ms: int) -> int:
        """For how long the oldest entry that no quorum has cosigned has waited."""
        size = self.cosigned_size
        if size >= self.log.size:
            return 0
        if self._uncosigned[0] != size:
            self._uncosigned = (size, Entry.from_bytes(self.log.read_entry(size)).at_ms)
        return max(0, now_ms - self._uncosigned[1])

    def check_grace(self, grace_seconds: float, now_ms: int) -> None:
        """Raise `Unavailable` where the log has gone uncosigned for longer than its grace, or
        is older than what witnesses have seen.

        Source: the space's rule that an owner's own word is not enough for long.
        """
        if self._ahead > self.log.size:
            raise Unavailable(
                f"witnesses have seen {self._ahead} entries of {self.origin}, and it has"
                f" {self.log.size}: it is an older copy; restore the newer one",
                code="log-behind",
            )
        waited = self.uncosigned_ms(now_ms) / 1000
        if waited > grace_seconds:
            raise Unavailable(
                f"too few witnesses have cosigned the log of {self.origin} for {waited:.0f} s; "
                "nothing is released until they do: see `gba space status`",
                code="witnesses-absent",
            )

    async def run(self) -> None:
        """Keep the log cosigned, until cancelled."""
        with changes_of(self.log) as changes:
            while True:
                if self.cosigned_size >= self.log.size:
                    await changes.wait()
                    continue
                try:
                    reached = await self._round()
                except Exception as error:
                    # Whatever went wrong, the log stays uncosigned, and its grace runs out.
                    self.on_refusal(type(error).__name__, 0)
                    reached = False
                # Many entries share a round where they come fast.
                await asyncio.sleep(_PAUSE_SECONDS if reached else _AGAIN_SECONDS)

    async def _round(self) -> bool:
        """Have one checkpoint cosigned; whether a quorum did."""
        text = self.log.checkpoint_text
        checkpoint = parse_checkpoint(parse_note(text).text)
        tasks = [
            asyncio.create_task(self._cosignature(name, text, checkpoint))
            for name in self.quorum.names()
        ]
        lines: list[str] = []
        reached = False
        pending = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(
                    pending,
                    timeout=_MORE_SECONDS if reached else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    break
                fresh = [line for task in done for line in task.result()]
                lines += fresh
                if fresh:
                    reached = await asyncio.to_thread(self._keep, text, lines) or reached
        finally:
            for task in pending:
                task.cancel()
        return reached

    async def _cosignature(self, name: str, text: str, checkpoint: Checkpoint) -> tuple[str, ...]:
        """The lines with which one witness cosigns a checkpoint; none where it does not."""
        for _ in range(2):
            old = min(self._seen.get(name, 0), checkpoint.size)
            proof = await asyncio.to_thread(self.log.prove_consistency, old, checkpoint.size)
            request = AddCheckpoint(old, tuple(proof), text).to_bytes()
            status, body = await self.ask(name, request)
            if status == OK:
                self._seen[name] = checkpoint.size
                # SECURITY: one line that does not hold would spoil the note for every reader.
                try:
                    lines = self.quorum.holding(text, name, body.decode())
                except (DataspaceError, UnicodeDecodeError):
                    break
                if lines:
                    return lines
                break
            known = _size(body) if status == CONFLICT else None
            if known is not None and known > checkpoint.size:
                self._ahead = max(self._ahead, known)
            if known is None or known > checkpoint.size or known == old:
                break
            self._seen[name] = known
        self.on_refusal(name, status)
        return ()

    def _keep(self, text: str, lines: list[str]) -> bool:
        """Keep a checkpoint with cosignatures, if a quorum's are among them."""
        try:
            cosigned = add_cosignatures(text, lines)
            found = self.quorum.check(cosigned)
        except DataspaceError:
            return False
        self.log.attach_cosignatures(cosigned)
        self._note(found)
        self.on_cosigned(cosigned, found.at_s * 1000)
        return True

    def _note(self, found: CosignedCheckpoint) -> None:
        for each in (one for several in found.by_region.values() for one in several):
            known = self.cosigned_at.get(each.key.name, 0)
            self.cosigned_at[each.key.name] = max(known, each.at_s)


def _size(body: bytes) -> int | None:
    """The size in a conflict's body: a decimal number and a newline."""
    text = body.decode("ascii", "replace").removesuffix("\n")
    return int(text) if text.isdecimal() and len(text) < 20 else None
