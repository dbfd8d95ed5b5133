"""What evidence needs later and nobody else keeps: policy sets, catalogues, releases. Rim.

Everything is kept once, under the digest that entries and releases name it by. A release's
request and answers may be erased, as bodies are; no proof breaks by it.

    archive/policies/<digest>  archive/catalogues/<digest>  archive/releases/<id>
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from google.protobuf.message import Message

from dataspace.errors import DataspaceError, Malformed, Unavailable, Unverified
from dataspace.evidence.bundle import set_digest
from dataspace.identity.dsse import parse_strictly
from dataspace.policy.rules import PolicySet
from dataspace.v1 import evidence_pb2
from dataspace.v1.envelope_pb2 import Envelope

M = TypeVar("M", bound=Message)

_MAX_BYTES = 64 * 1024 * 1024
_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Archive:
    """A directory of what decisions stood on. Safe between threads.

    Writes are atomic and not flushed: what a power cut takes is the export of the last
    releases, never an entry or an answer.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: set[tuple[str, str]] = set()
        for kind in ("policies", "catalogues", "releases"):
            (directory / kind).mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep_policies(self, policies: PolicySet) -> None:
        """Keep the files of a set that decides."""
        if ("policies", policies.sha256) in self._known:
            return
        files = evidence_pb2.PolicyFiles()
        for name, content in sorted(policies.files.items()):
            files.files.add(name=name, content=content)
        self._put("policies", policies.sha256, files)

    def keep_catalogue(self, sha256: str, region: str, offers: Iterable[Envelope]) -> None:
        """Keep all that a region offers, as its operator signed it."""
        if ("catalogues", sha256) in self._known:
            return
        catalogue = evidence_pb2.RegionCatalogue(region=region, offers=offers)
        self._put("catalogues", sha256, catalogue)

    def keep_release(self, kept: evidence_pb2.KeptRelease) -> None:
        """Keep a release, under the digest of what the broker signed."""
        self._put("releases", hashlib.sha256(kept.release.release.payload).hexdigest(), kept)

    def policies(self, sha256: str) -> evidence_pb2.PolicyFiles:
        """A set's files. Raises `Unavailable` where they are not kept."""
        files = self._get("policies", sha256, evidence_pb2.PolicyFiles)
        if set_digest(files) != sha256:
            raise Unverified(f"the kept policy set {sha256} was changed", code="archive")
        return files

    def catalogue(self, sha256: str) -> evidence_pb2.RegionCatalogue:
        """A catalogue's offers. Raises `Unavailable` where they are not kept."""
        return self._get("catalogues", sha256, evidence_pb2.RegionCatalogue)

    def release(self, sha256: str) -> evidence_pb2.KeptRelease:
        """A release by its id. Raises `Unavailable` where it is not kept (any more)."""
        return self._get("releases", sha256, evidence_pb2.KeptRelease)

    def erase_releases(self, before_ms: int) -> int:
        """Erase what was kept of releases before a time (milliseconds since 1970); how many."""
        old = [file for file in self._releases() if file.stat().st_mtime * 1000 < before_ms]
        for file in old:
            file.unlink(missing_ok=True)
        return len(old)

    def erase_release_of(self, index: int) -> int:
        """Erase what was kept of the release whose question has this entry; how many."""
        found = 0
        for file in self._releases():
            kept = self._get("releases", file.name, evidence_pb2.KeptRelease)
            if kept.forwarded_index == index:
                file.unlink(missing_ok=True)
                found += 1
        return found

    def _releases(self) -> list[Path]:
        return [file for file in (self._directory / "releases").iterdir() if "." not in file.name]

    def _put(self, kind: str, name: str, message: Message) -> None:
        target = self._path(kind, name)
        draft = target.with_name(f"{name}.{secrets.token_hex(8)}.new")
        try:
            draft.touch(mode=0o600)
            draft.write_bytes(message.SerializeToString(deterministic=True))
            draft.rename(target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise Unavailable(
                f"the archive could not be written ({error.strerror}); see that the disk has room",
                code="archive",
            ) from error
        self._known.add((kind, name))

    def _get(self, kind: str, name: str, message_class: type[M]) -> M:
        file = self._path(kind, name)
        try:
            return parse_strictly(message_class, file.read_bytes(), _MAX_BYTES)
        except FileNotFoundError:
            raise Unavailable(
                f"the archive holds no {kind} {name[:16]}…; it was erased, or is another space's",
                code="archive-missing",
            ) from None
        except DataspaceError as error:
            raise Unverified(f"the archive was changed: {error.message}", code="archive") from None

    def _path(self, kind: str, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Malformed("a release is named by 64 hexadecimal digits", code="release-id")
        return self._directory / kind / name
