"""What a proposal would do, from where a region stands: differences, tables, replay. Rim.

Reads the region's policy folder and its recorded decisions. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dataspace.client.governing import Governance
from dataspace.client.recorded import Records
from dataspace.client.session import Session
from dataspace.evidence.proposing import Proposed
from dataspace.evidence.redeciding import differences
from dataspace.policy.charter import Charter, load_governed, with_shared
from dataspace.policy.charter_changes import Change, changes, trust_change
from dataspace.policy.faults import PolicyFault
from dataspace.policy.rules import PolicySet
from dataspace.policy.store import read_files, read_tables
from dataspace.policy.tables import TableReport, run_tables


@dataclass(frozen=True)
class Tables:
    """The region's decision tables under the set in force and under the new one.

    `turned` are cases that go as expected now and would not then.
    """

    before: TableReport
    after: TableReport

    @property
    def turned(self) -> tuple[str, ...]:
        """`file: case`, by file."""
        known = {(each.source, each.case) for each in self.before.failures}
        return tuple(
            f"{each.source}: {each.case} (expected {each.expected}, then {each.found})"
            for each in self.after.failures
            if (each.source, each.case) not in known
        )


@dataclass(frozen=True)
class Replayed:
    """Recorded decisions, decided by the new set: how many, how many turn, how many by others.

    `erased` have no body any more and cannot be decided again.
    """

    decisions: int
    turned: int
    by_others: int
    erased: int


@dataclass(frozen=True)
class Review:
    """`fault` says why the new set does not load with the region's own rules; then there are
    neither tables nor a replay. `replayed` is None where no decisions are at hand."""

    proposed: Proposed
    changes: tuple[Change, ...]
    fault: str
    tables: Tables | None
    replayed: Replayed | None


def review(
    known: Governance,
    proposed: Proposed,
    folder: Path,
    records: Records | None,
    last: int,
    offered: Mapping[str, bytes],
) -> Review:
    """Hold a proposal against a region's own policy folder and its last recorded decisions."""
    found = changes(known.current, proposed.charter, offered)
    if proposed.trust_list is not None:
        found = (*found, trust_change(known.lists[-1], proposed.trust_list))
    files = read_files(folder)
    try:
        before = _set(files, known.current)
        after = _set(files, proposed.charter)
    except PolicyFault as fault:
        return Review(proposed, found, fault.message, None, None)
    tables = read_tables(folder)
    return Review(
        proposed,
        found,
        "",
        Tables(run_tables(before, tables), run_tables(after, tables)),
        _replayed(records, after, last) if records is not None else None,
    )


def offered_schemas(session: Session) -> dict[str, bytes]:
    """The schemas that regions offer now, by product."""
    return {each.offer.product: each.offer.shape_json() for each in session.catalogue().offers}


def _set(files: Mapping[str, bytes], charter: Charter) -> PolicySet:
    return load_governed(with_shared(files, charter), charter)


def _replayed(records: Records, policies: PolicySet, last: int) -> Replayed:
    found = records.last(last)
    changed = differences(found.decisions, policies)
    turned = sum(each.outcome_changes for each in changed)
    return Replayed(len(found.decisions), turned, len(changed) - turned, found.erased)
