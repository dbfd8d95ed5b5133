"""The policy folder on disk, and the set in force. The only module here that touches files.

A reload swaps a whole valid set in or changes nothing: a bad file keeps the old set in force and
is reported to whoever listens. Under a charter the shared files are the charter's: another copy
in the folder is refused, and a new charter writes its own. Logs nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import DataspaceError, Unavailable
from dataspace.policy.charter import Charter, load_governed, with_shared
from dataspace.policy.faults import PolicyFault
from dataspace.policy.rules import PolicySet, load
from dataspace.policy.tables import DecisionTable, parse_table

_NOT_RULES: Final = frozenset({"README.md", "__init__.py", "__pycache__", "tests", "alarms.toml"})
_MAX_BYTES: Final = 4 * 1024 * 1024
_TRIES: Final = 3
POLL_SECONDS: Final = 0.5  # so that a change acts within a second


@dataclass(frozen=True)
class InForce:
    """The set that decides now; `error` says why the folder's newer files were not taken."""

    policies: PolicySet
    error: DataspaceError | None = None
    charter: Charter | None = None


def read_files(folder: Path) -> dict[str, bytes]:
    """The bytes of a policy folder by name, as `rules.load` takes them and evidence keeps them.

    All files but `README.md`, `tests/` and hidden ones: a misspelt name is refused by `load`, not
    passed over. Raises `Unavailable` (code `policy-folder`), `Malformed` for a huge file.
    """
    try:
        return {name: _content(name, path) for name, path in _named(folder)}
    except OSError as error:
        raise _unreadable(folder) from error


def read_file(path: Path) -> bytes:
    """One policy file; raises what `read_files` raises."""
    try:
        return _content(path.name, path)
    except OSError as error:
        raise _unreadable(path) from error


def read_folder(folder: Path) -> PolicySet:
    """The policy set in a folder; raises what `read_files` and `rules.load` raise."""
    return load(read_files(folder))


def read_tables(folder: Path) -> tuple[DecisionTable, ...]:
    """The decision tables in a policy folder's `tests/`, by name."""
    try:
        return tuple(
            parse_table(path.name, _content(path.name, path))
            for path in sorted((folder / "tests").glob("*.toml"))
        )
    except OSError as error:
        raise _unreadable(folder) from error


Listener: TypeAlias = Callable[[InForce], None]


class PolicyStore:
    """The set in force over a folder that may change. Safe to share between threads.

    `current` looks at the folder at most once in `poll_seconds`. Raises on a bad folder when
    made: without a first valid set nothing can be decided. `charter` is the one in force, if the
    space has charters; see `follow_charters` for what is to be done before.
    """

    def __init__(
        self, folder: Path, poll_seconds: float = POLL_SECONDS, charter: Charter | None = None
    ) -> None:
        self._folder = folder
        self._charter = charter
        self._poll_seconds = poll_seconds
        self._looked = time.monotonic()
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._seen, policies = self._read()
        self._in_force = InForce(policies, charter=charter)

    @property
    def error(self) -> DataspaceError | None:
        """Why the last changed folder was not taken; None while files and set agree."""
        return self._in_force.error

    def listen(self, listener: Listener) -> None:
        """Tell `listener` the set in force now, and from then on of each change before it acts.

        A set that the listener raises on is not taken. A folder that is refused is told once.
        """
        with self._lock:
            listener(self._in_force)
            self._listener = listener

    def current(self) -> PolicySet:
        """The set in force, after a look for changes where the last one is long enough ago."""
        if time.monotonic() - self._looked < self._poll_seconds:
            return self._in_force.policies
        return self.refresh().policies

    def refresh(self) -> InForce:
        """Takes a changed folder if all of it is valid; never raises for what is in it."""
        with self._lock:
            self._looked = time.monotonic()
            try:
                seen = _fingerprint(self._folder)
                if seen == self._seen:
                    return self._in_force
                self._seen = seen
                self._seen, policies = self._read()
                self._take(policies)
            except OSError:
                self._fail(_unreadable(self._folder))
            except DataspaceError as error:
                self._fail(error)
            return self._in_force

    def try_charter(self, charter: Charter) -> PolicySet:
        """The set that a charter would make with the region's own files as they are now.

        Raises what `load_governed` and `read_files` raise.
        """
        return load_governed(with_shared(read_files(self._folder), charter), charter)

    def take_charter(self, charter: Charter, keep: Callable[[PolicySet], None]) -> PolicySet:
        """Decide by another charter from now on, all of it or not at all.

        `keep` records and keeps the charter, durably; where it raises, nothing has changed.
        Raises what `try_charter` raises.
        """
        with self._lock:
            policies = self.try_charter(charter)
            keep(policies)
            try:
                write_shared(self._folder, charter)
            except OSError as error:
                raise _unreadable(self._folder) from error
            self._charter = charter
            self._seen = ()  # own files may have changed meanwhile
            self._take(policies)
            return policies

    def _take(self, policies: PolicySet) -> None:
        taken = InForce(policies, charter=self._charter)
        if self._listener is not None and taken != self._in_force:
            # INVARIANT: a set is on record before anything is decided by it.
            self._listener(taken)
        # INVARIANT: one assignment of a whole value; a reader sees the old pair or the new one.
        self._in_force = taken

    def _fail(self, error: DataspaceError) -> None:
        if isinstance(error, Unavailable):
            self._seen = ()  # look again next time
        before = self._in_force
        self._in_force = InForce(before.policies, error, before.charter)
        told = before.error is not None and before.error.message == error.message
        if self._listener is not None and not told:
            with suppress(DataspaceError):  # what cannot record answers nobody either
                self._listener(self._in_force)

    def _read(self) -> tuple[tuple[_Stamp, ...], PolicySet]:
        """A set whose files did not change while they were read, and their stamps."""
        for _ in range(_TRIES):
            try:
                before = _fingerprint(self._folder)
                files = read_files(self._folder)
                if _fingerprint(self._folder) == before:
                    return before, self._loaded(files)
            except OSError as error:
                raise _unreadable(self._folder) from error
        raise Unavailable("the policy folder keeps changing; try again", code="policy-folder")

    def _loaded(self, files: Mapping[str, bytes]) -> PolicySet:
        return load(files) if self._charter is None else load_governed(files, self._charter)


def follow_charters(folder: Path, charters: Sequence[Charter]) -> None:
    """Bring shared files that an earlier charter wrote up to the last one.

    For a start after a sudden end between keeping a charter and writing its files. A copy that no
    charter ever had is left for the store to refuse. Raises `Unavailable`.
    """
    if not charters:
        return
    try:
        files = read_files(folder)
        known = {(name, content) for each in charters for name, content in each.files.items()}
        if all(name not in files or (name, files[name]) in known for name in charters[-1].files):
            write_shared(folder, charters[-1])
    except OSError as error:
        raise _unreadable(folder) from error


def write_shared(folder: Path, charter: Charter) -> None:
    """Put a charter's files into a policy folder, those that differ, each in one step."""
    for name, content in charter.files.items():
        path = folder / name
        if path.is_file() and path.read_bytes() == content:
            continue
        draft = folder / f".{name}.new"
        write_synced(draft, content)
        draft.rename(path)
    sync_directory(folder)


@dataclass(frozen=True)
class _Stamp:
    name: str
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def _fingerprint(folder: Path) -> tuple[_Stamp, ...]:
    stamps = []
    for name, path in _named(folder):
        seen = path.stat()
        stamps.append(_Stamp(name, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))
    return tuple(stamps)


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.name in _NOT_RULES or path.name.startswith("."):
            continue
        if path.is_dir():
            for inner in sorted(path.iterdir()):
                if not inner.name.startswith("."):
                    yield f"{path.name}/{inner.name}", inner
        else:
            yield path.name, path


def _content(name: str, path: Path) -> bytes:
    if not path.is_file():
        raise PolicyFault(name, "is no file")
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise PolicyFault(name, f"is larger than {_MAX_BYTES} bytes")
    return content


def _unreadable(folder: Path) -> Unavailable:
    return Unavailable(
        f"the policies in {folder.name} cannot be read; check that it is there and its modes",
        code="policy-folder",
    )
