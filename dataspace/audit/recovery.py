"""What must hold before a log is taken up again after any end of its process. Rim; reads only.

The public files are whole up to their checkpoint; the journal holds what was acknowledged
after it. Files of a publication that was cut short may stand beyond the checkpoint, but
never beyond the journal. Anything that is missing, changed or left over is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataspace.audit.checkpoints import Checkpoint, verify_checkpoint
from dataspace.audit.growing import GrowingLog
from dataspace.audit.journal import read_journal
from dataspace.audit.merkle import HASH_BYTES
from dataspace.audit.notes import VerifierKey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.records import Record
from dataspace.audit.tiles import FULL_WIDTH, Tile, tiles_of
from dataspace.audit.tree import TILE_HEIGHT
from dataspace.errors import Unverified


@dataclass(frozen=True)
class Recovered:
    """A log as it was last acknowledged; `published` is what its public files hold of it."""

    log: GrowingLog
    acknowledged: Checkpoint
    published: Checkpoint
    cosigned: Checkpoint | None


def recover(directory: Path, key: VerifierKey) -> Recovered:
    """The log with all that was acknowledged, or `Unverified`.

    Reads the right edge and the journal whole, and looks that every other file is there in
    its length; `verify_log` reads everything. Writes nothing.
    """
    reader = DirectoryReader(directory)
    published = verify_checkpoint(reader.checkpoint(), key)
    for tile in tiles_of(published.size):
        _check_length(reader, tile)
    log = GrowingLog(published.size, reader.read_exact)
    if log.root(published.size) != published.root:
        raise Unverified(
            "the tiles do not give the checkpoint's root; restore the log from a backup",
            code="log-root",
        )
    acknowledged = _replay(log, read_journal(directory), published, key)
    _check_begun(directory, log, published.size)
    _check_nothing_beyond(reader, log.size)
    return Recovered(log, acknowledged, published, _cosigned(reader, log, published, key))


def _check_length(reader: DirectoryReader, tile: Tile) -> None:
    length = reader.length(tile)
    if tile.level is not None and length != tile.width * HASH_BYTES:
        raise Unverified(f"{tile.path} has a wrong length of {length} bytes", code="tile-size")


def _replay(
    log: GrowingLog, records: Sequence[Record], published: Checkpoint, key: VerifierKey
) -> Checkpoint:
    """Take the journal's entries into the log; its last checkpoint."""
    acknowledged = published
    expected = records[0].old_size if records else published.size
    for record in records:
        if record.old_size != expected or record.old_size > log.size:
            raise _broken(f"lacks the entries from {min(expected, log.size)}")
        expected = record.size
        if record.old_size < log.size < record.size:
            raise _broken(f"does not fit the public checkpoint of {published.size} entries")
        if record.old_size == log.size:
            for entry in record.entries:
                log.append(entry)
        # INVARIANT: an entry is taken up again only under the checkpoint its owner signed,
        # and what the files hold already is what that checkpoint says.
        checkpoint = verify_checkpoint(record.checkpoint_text, key)
        if checkpoint != Checkpoint(key.name, record.size, log.root(record.size)):
            raise _broken(f"was changed after entry {record.old_size}, or is another log's")
        if record.size > acknowledged.size:
            acknowledged = checkpoint
    return acknowledged


def _check_begun(directory: Path, log: GrowingLog, published: int) -> None:
    """What a publication wrote before it was cut short is what it should be."""
    for path, data in log.files(published, log.size).items():
        file = directory / path
        if file.exists() and file.read_bytes() != data:
            raise Unverified(
                f"{path} does not hold what the journal does; restore the log from a backup",
                code="log-forked",
            )


def _check_nothing_beyond(reader: DirectoryReader, size: int) -> None:
    """SECURITY: an older checkpoint put back over newer tiles must not make the log forget
    acknowledged entries and sign another history over them.
    """
    if _has_beyond(reader, None, size):
        raise _rolled_back(size)
    level, count = 0, size
    while count or level == 0:
        if _has_beyond(reader, level, count):
            raise _rolled_back(size)
        level, count = level + 1, count >> TILE_HEIGHT


def _has_beyond(reader: DirectoryReader, level: int | None, count: int) -> bool:
    """Whether one tree has files beyond its `count` hashes, at its edge or after it."""
    index, width = divmod(count, FULL_WIDTH)
    edge, after = Tile(level, index), Tile(level, index + 1)
    wider = any(each > width for each in reader.widths(edge))
    return wider or reader.has(edge) or reader.has(after) or bool(reader.widths(after))


def _cosigned(
    reader: DirectoryReader, log: GrowingLog, published: Checkpoint, key: VerifierKey
) -> Checkpoint | None:
    """The checkpoint that witnesses cosigned last; the log must still extend it."""
    text = reader.cosigned()
    if text is None:
        return None
    cosigned = verify_checkpoint(text, key)
    # SECURITY: it is published after the checkpoint it is about, so it is never ahead.
    if cosigned.size > published.size:
        raise _rolled_back(published.size)
    if log.root(cosigned.size) != cosigned.root:
        raise Unverified(
            f"the log's first {cosigned.size} entries are not those that witnesses cosigned;"
            " restore the log from a backup",
            code="log-forked",
        )
    return cosigned


def _broken(problem: str) -> Unverified:
    return Unverified(
        f"the journal {problem}; restore the log from a backup", code="journal-changed"
    )


def _rolled_back(size: int) -> Unverified:
    return Unverified(
        f"the log holds more than its checkpoint of {size} entries covers;"
        " restore the newer checkpoint and journal",
        code="log-rolled-back",
    )
