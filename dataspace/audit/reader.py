"""Reads a log's public form from a directory. Rim; writes nothing."""

from __future__ import annotations

from pathlib import Path

from dataspace.audit.tiles import FULL_WIDTH, Tile, clip
from dataspace.errors import Unverified

CHECKPOINT = "checkpoint"
COSIGNED = "checkpoint.cosigned"


class DirectoryReader:
    """A `TileReader` over a directory: the log's own, or a copy of it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def checkpoint(self) -> str:
        """The signed note of the whole log as it stands, unverified."""
        return self._note(CHECKPOINT)

    def cosigned(self) -> str | None:
        """The latest note that witnesses cosigned, unverified; None before the first."""
        return self._note(COSIGNED) if (self._directory / COSIGNED).exists() else None

    def read(self, tile: Tile) -> bytes:
        """A tile's bytes, unverified; cut from the full tile once that replaced a partial one."""
        try:
            return (self._directory / tile.path).read_bytes()
        except OSError:
            if tile.is_full:
                raise _missing(tile.path) from None
        return clip(tile, tile.full, self._full_of(tile))

    def read_exact(self, tile: Tile) -> bytes:
        """A tile's own file."""
        return self._file(tile.path)

    def widths(self, tile: Tile) -> tuple[int, ...]:
        """The widths at which a tile's place has partial files."""
        folder = self._directory / f"{tile.full.path}.p"
        try:
            names = [each.name for each in folder.iterdir()]
        except FileNotFoundError:
            return ()
        widths = {str(width) for width in range(1, FULL_WIDTH)}
        strange = sorted(set(names) - widths)
        if strange:
            raise Unverified(f"{tile.full.path}.p holds a file of no width", code="tile-path")
        return tuple(sorted(map(int, names)))

    def length(self, tile: Tile) -> int:
        """How many bytes a tile's own file has."""
        try:
            return (self._directory / tile.path).stat().st_size
        except OSError:
            raise _missing(tile.path) from None

    def has(self, tile: Tile) -> bool:
        """Whether a tile's own file is there."""
        return (self._directory / tile.path).exists()

    def _note(self, path: str) -> str:
        try:
            return self._file(path).decode()
        except UnicodeDecodeError:
            raise Unverified(f"{path} is not UTF-8 text", code="note") from None

    def _full_of(self, partial: Tile) -> bytes:
        try:
            return self._file(partial.full.path)
        except Unverified:
            raise _missing(partial.path) from None

    def _file(self, path: str) -> bytes:
        try:
            return (self._directory / path).read_bytes()
        except OSError:
            raise _missing(path) from None


def _missing(path: str) -> Unverified:
    return Unverified(f"{path} is missing or cannot be read", code="tile-missing")
