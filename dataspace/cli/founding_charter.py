"""A space's first charter: the installed shared files, no products, the design's floors. Rim."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from dataspace.charter_files import FOLDER, write_charter
from dataspace.policy.charter import SHARED_FILES, Floors
from dataspace.policy.charter_chain import seal_charter
from dataspace.policy.store import read_file
from dataspace.v1 import charter_pb2
from dataspace.v1.envelope_pb2 import Envelope


def found_charter(
    space: str,
    policies: Path,
    trust_sha256: str,
    now_ms: int,
    keys: Sequence[tuple[str, PrivateKeyTypes]],
) -> tuple[Envelope, str]:
    """Version 1, signed by all; with its digest, to be pinned."""
    trust = bytes.fromhex(trust_sha256)
    wire = charter_pb2.Charter(
        space=space,
        version=1,
        proposed_at_ms=now_ms,
        reason="the space's founding",
        floors=charter_pb2.CharterFloors(**vars(Floors())),
        authority_sha256=trust,
        trust_list_sha256=trust,
    )
    for name in SHARED_FILES:
        wire.files.add(name=name, content=read_file(policies / name))
    envelope = seal_charter(wire, keys)
    return envelope, hashlib.sha256(envelope.payload).hexdigest()


def settle_charter(directory: Path, charter: Envelope) -> None:
    """Put the first charter into the directory of a party that decides."""
    folder = directory / FOLDER
    folder.mkdir(mode=0o700)
    write_charter(folder, charter, 1)


def copy_policies(installed: Path, target: Path) -> None:
    """The installed policies into the directory of a party that decides."""
    ignored = shutil.ignore_patterns("__pycache__", "__init__.py", ".*")
    shutil.copytree(installed, target, ignore=ignored)
