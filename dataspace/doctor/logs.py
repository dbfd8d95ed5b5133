"""Is the party's log whole, as witnesses saw it, and what is left in its journal? Reads files."""

from __future__ import annotations

from collections.abc import Iterator

from dataspace.audit.checkpoints import parse_checkpoint
from dataspace.audit.journal import read_journal
from dataspace.audit.notes import parse_note, parse_vkey
from dataspace.audit.reader import DirectoryReader
from dataspace.audit.verify import Entries, verify_log
from dataspace.doctor.findings import Finding, failure, ok, warning
from dataspace.doctor.patient import Party
from dataspace.errors import Unverified
from dataspace.evidence.cosigned import quorum_of
from dataspace.identity.replicas import own_log

_RESTORE = (
    "stop this party, keep the directory as it is for the regulator, and restore log/ from the "
    "newest backup; never start it on an older log: witnesses would show the fork"
)


def check_log(party: Party) -> Iterator[Finding]:
    """Every hash and signature from the entries up, against the checkpoint and what witnesses
    cosigned; then the journal."""
    if party.kind not in {"node", "broker"}:
        return
    own = own_log(party.trust, party.owner, party.home.config.log_origin)
    if own is None:
        yield failure(
            "log", "log-unlisted", "the trust list names no log of this party",
            "have two regions sign a trust list that does",
        )  # fmt: skip
        return
    folder = party.home.path / "log"
    reader = DirectoryReader(folder)
    try:
        text = reader.cosigned()
        cosigned = quorum_of(party.trust, own.origin).check(text).checkpoint if text else None
        seen = [cosigned] if cosigned else []
        whole = verify_log(reader, parse_vkey(own.vkey), seen=seen, entries=Entries.HASHED)
    except Unverified as error:
        yield failure("log", error.code, f"the log is not whole: {error.message}", _RESTORE,
                      unverified=True)  # fmt: skip
        return
    yield ok("log", f"{whole.size} entries, every hash and the signature hold")
    behind = whole.size - (cosigned.size if cosigned else 0)
    if behind > 0 and party.process is None:
        yield warning(
            "log", "log-uncosigned", f"witnesses have not cosigned the last {behind} entries",
            "they will, once this party and the other regions' witnesses run",
        )  # fmt: skip
    yield from _journal(party)


def _journal(party: Party) -> Iterator[Finding]:
    if party.process is not None:
        return  # it is being written
    folder = party.home.path / "log"
    try:
        records = read_journal(folder)
        published = parse_checkpoint(parse_note(DirectoryReader(folder).checkpoint()).text).size
    except Unverified as error:
        yield failure("journal", error.code, f"the journal cannot be read: {error.message}",
                      _RESTORE, unverified=True)  # fmt: skip
        return
    left = max((record.size for record in records), default=published) - published
    if left > 0:
        yield warning(
            "journal", "journal-left",
            f"{left} acknowledged entries are in the journal alone: the process ended suddenly",
            "nothing is lost; start the party, and it brings them into the log",
        )  # fmt: skip
    else:
        yield ok("journal", "empty: the log was closed in order")
