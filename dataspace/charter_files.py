"""Charters in a party's directory, one file a version. Rim: reads and writes files.

    charters/<N>.dsse   version 1 pinned by digest in party.toml

Nothing here is believed on its own: the chain is verified again whenever it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.errors import Malformed, Unavailable, Unverified
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.trustlist import TrustList
from dataspace.policy.charter import Charter
from dataspace.policy.charter_chain import accept_all
from dataspace.v1.envelope_pb2 import Envelope

FOLDER = "charters"


def charter_envelopes(home: PartyHome) -> list[Envelope]:
    """Every version that a party keeps, in order; none where the space has no charters."""
    if not home.config.charter_sha256:
        return []
    folder = home.path / FOLDER
    try:
        files = sorted(folder.glob("*.dsse"), key=lambda file: int(file.stem))
        envelopes = [parse_envelope(file.read_bytes()) for file in files]
    except OSError:
        raise Unavailable(f"{folder} is not readable", code="home-access") from None
    except (Malformed, ValueError) as error:
        raise Unverified(
            f"a charter in {folder} cannot be read ({error}); restore it", code="charter-form"
        ) from None
    if not envelopes:
        raise Unavailable(f"no charter in {folder}; restore it", code="charter-missing")
    return envelopes


def read_charters(home: PartyHome, lists: Sequence[TrustList]) -> tuple[Charter, ...]:
    """The charters that a party keeps, verified; the last one is in force."""
    accepted = accept_all(charter_envelopes(home), lists)
    if accepted and accepted[0].id != home.config.charter_sha256:
        raise Unverified(
            f"the first charter in {home.path / FOLDER} is not the one pinned at install",
            code="charter-pin",
        )
    return accepted


def keep_charter(home: PartyHome, envelope: Envelope, version: int) -> None:
    """Keep an accepted charter, durably. Raises `Unavailable`."""
    try:
        write_charter(home.folder(FOLDER), envelope, version)
    except OSError:
        raise Unavailable("the charter cannot be kept; see the disk", code="disk") from None


def write_charter(folder: Path, envelope: Envelope, version: int) -> None:
    """One charter into a directory of charters."""
    draft = folder / f"{version}.new"
    write_synced(draft, envelope.SerializeToString())
    draft.rename(folder / f"{version}.dsse")
    sync_directory(folder)
