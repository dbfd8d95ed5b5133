"""This node's part in a round that its gate permitted: what it brings, and what it releases. Rim.

INVARIANT: the commitment is on record before the join leaves, the answer before it does.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from google.protobuf.message import Message

from dataspace.disclosure.overlaps import release_overlaps
from dataspace.evidence.overlaps import (
    read_counts,
    read_reply_key,
    read_unused,
    seal_labels,
    write_overlap,
)
from dataspace.evidence.round_entries import COMMITTED
from dataspace.evidence.round_messages import RoundReader
from dataspace.identity.envelopes import check_signer, seal
from dataspace.linkage.keyed import Pads, contribution_digest
from dataspace.linkage.padding import people_brought, without_dummies
from dataspace.linkage.rounds import KEYED, BatchShape, RoundPlan, Transcript, join_message
from dataspace.linkage.tuples import Tuples, commit_inputs
from dataspace.query.overlap_cells import OverlapCell, OverlapShape, OverlapShare
from dataspace.query.render_overlap import (
    check_one_row,
    render_linkage,
    render_one_row,
    render_side,
)
from dataspace.v1 import linkage_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope
from node.blinding import BlindingPool
from node.gatekeeper import Cancellation, Facts, Gatekeeper, now_ms
from node.linking.admitted import Admitted
from node.linking.drawn import RoundSecrets, draw_codes
from node.linking.inputs import Cell, Keys, Maker, Points, make_batches
from node.linking.rounds import Report
from node.linking.selecting import Labels, Selected, select
from node.warehouse.tagging import tag_slots


@dataclass
class GatePart:
    """One round's part; see `node.linking.part`."""

    keeper: Gatekeeper
    pool: BlindingPool
    admitted: Admitted
    facts: Facts
    report: Report
    cancellation: Cancellation
    # What runs in a thread goes on when nobody waits for it: how the round ended is put on record
    # after it, and what it finds out then goes nowhere.
    turn: threading.Lock
    drawn: RoundSecrets = field(default_factory=RoundSecrets.draw)
    committed: bool = False
    _batches: list[Tuples] = field(default_factory=list)
    _cells: list[Cell] = field(default_factory=list)
    _labels: dict[bytes, Labels] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """Whose node this is."""
        return self.keeper.region

    @property
    def plan(self) -> RoundPlan:
        """The round, as this node derived it."""
        return self.admitted.planned.plan

    @property
    def reader(self) -> RoundReader:
        """Opens the messages of the others."""
        return RoundReader(self.keeper.trust, now_ms)

    def join(self) -> Envelope:
        """Select, hash, fill up, commit, record: the signed join, which may leave."""
        with self.turn:
            return self._join()

    def _join(self) -> Envelope:
        self.report("hashing", 0.0)
        selected = self._selected()
        codes = draw_codes(len(selected.labels))
        self._labels = dict(zip(codes, selected.labels, strict=True))
        # By code: the order of rows is nobody's to see.
        own = sorted(zip(codes, selected.subjects, strict=True), key=lambda each: each[0])
        self._cells = [Cell(code, subjects) for code, subjects in own]
        seed, unit = self.drawn.filling_seed, self.admitted.linkage.pad_to
        maker = self._maker(selected)
        self._batches = make_batches(selected.known, self._cells, unit, seed, maker)
        self.report("hashing", 1.0)
        inputs = zip((cell.code for cell in self._cells), self._batches, strict=True)
        commitment = commit_inputs(self.drawn.salt, self.plan.round_id, inputs)
        keyed = self.plan.tier == KEYED
        join = self.sign(
            join_message(
                self.plan, self.region, self.drawn.sealing.public, commitment, self._shapes(),
                contribution_digest(self.drawn.contribution) if keyed else b"",
                padded=unit > 1,
            )
        )  # fmt: skip
        self.cancellation.check()
        self._record_commitment(commitment, join)
        return join

    def batches(self) -> list[Tuples]:
        """Blind: the points that were committed to, by the join's batches."""
        return self._batches

    def tags(self, keys: dict[str, bytes]) -> list[Tuples]:
        """Keyed: the tags of the same subjects, under the session's key of each slot."""
        pads = [Pads.of(keys[slot]) for slot in self.plan.slots]
        whole = tag_slots(np.concatenate(self._batches), pads)
        ends = np.cumsum([len(batch) for batch in self._batches])[:-1]
        return list(np.split(whole, ends))

    def sign(self, message: Message) -> Envelope:
        """A message of this node."""
        return seal(message, self.keeper.identity)

    def dummies(self) -> list[int]:
        """How many tuples of each batch are, in the join's order."""
        return [cell.dummies(self.admitted.linkage.pad_to) for cell in self._cells]

    def release(
        self,
        transcript: Transcript,
        counts: linkage_pb2.OverlapCounts,
        dummies: dict[bytes, int],
    ) -> query_pb2.NodeAnswer:
        """The answer: disclosed, signed, recorded."""
        with self.turn:
            return self._release(transcript, counts, dummies)

    def _release(
        self,
        transcript: Transcript,
        counts: linkage_pb2.OverlapCounts,
        dummies: dict[bytes, int],
    ) -> query_pb2.NodeAnswer:
        admitted = self.admitted
        table = read_counts(
            without_dummies(counts, dummies), people_brought(transcript.joins, dummies)
        )
        cells = release_overlaps(table, OverlapShape.of(admitted.query), admitted.settings)
        share = OverlapShare(
            self.region, admitted.asked.digest, transcript.digest, cells,
            admitted.settings.min_subjects, admitted.settings.round_to,
            read_unused(counts, self.plan.slots),
        )  # fmt: skip
        partial = self._partial(share, cells)
        # SECURITY: who was revoked during the round gets nothing of it.
        request = admitted.asked.opened.envelope
        check_signer(request, self.keeper.trust(), datetime.fromtimestamp(now_ms() / 1000, UTC))
        self.cancellation.check()
        self.facts.fields |= {
            "outcome": "released",
            "cells": len(cells),
            "round_id": self.plan.round_id.hex(),
            "transcript": transcript.digest.hex(),
        }
        answer = self.keeper.record(
            "overlap.released", seal(partial, self.keeper.identity), self.facts
        )
        self.report("released", 1.0)
        return answer

    def _selected(self) -> Selected:
        admitted = self.admitted
        side = admitted.side(self.region)
        identities = render_linkage(side, admitted.recognising)
        alone = [render_one_row(side)] if admitted.query.counts_rows else []
        rows, fields, *told = admitted.engine.tables(
            [render_side(side), identities, *alone],
            self.cancellation.register,
            self.cancellation.seconds,
        )
        for each in told:
            check_one_row(side, alone=bool(each.column(0)[0].as_py()))
        self.cancellation.check()
        return select(rows, fields, identities.kinds, admitted.planned.lists)

    def _maker(self, selected: Selected) -> Maker:
        if self.plan.tier == KEYED:
            return Keys()
        made, whole = 0, max(1, selected.known.present.size)

        def tell(points: int) -> None:
            nonlocal made
            made += points
            self.report("hashing", min(1.0, made / whole))

        return Points(self.pool, self.cancellation.check, tell)

    def _shapes(self) -> list[BatchShape]:
        sizes = zip(self._cells, self._batches, strict=True)
        return [BatchShape(cell.code, len(batch)) for cell, batch in sizes]

    def _record_commitment(self, commitment: bytes, join: Envelope) -> None:
        """On record: a salted commitment to what this node brings, and the join that says it."""
        plan, drawn = self.plan, self.drawn
        receipt = self.keeper.recorder.record(
            COMMITTED,
            now_ms(),
            # SECURITY: this entry goes to the requester as evidence. How many people a side has,
            # before any threshold, stands in the body, which goes to nobody.
            {
                "request_sha256": self.facts.request_sha256.hex(),
                "round_id": plan.round_id.hex(),
                "attempt": plan.attempt,
                "tier": plan.tier,
                "regions": list(plan.regions),
                "inputs_commitment": commitment.hex(),
                "join_sha256": hashlib.sha256(join.payload).hexdigest(),
            },
            # With these the owner, and nobody else, can open the commitment later.
            {
                "salt": drawn.salt.hex(),
                "filling_seed": drawn.filling_seed.hex(),
                "codes": [cell.code.hex() for cell in self._cells],
                "pad_to": self.admitted.linkage.pad_to,
                "cells": len(self._batches),
                "tuples": sum(map(len, self._batches)),
            },
        )
        self.facts.fields["committed"] = receipt.index
        self.committed = True

    def _partial(
        self, share: OverlapShare, cells: tuple[OverlapCell, ...]
    ) -> linkage_pb2.OverlapPartial:
        admitted, decision = self.admitted, self.admitted.decision
        reply_key = read_reply_key(admitted.asked.request.reply_key)
        place = self.plan.regions.index(self.region)
        partial = linkage_pb2.OverlapPartial(
            catalogue_sha256=admitted.catalogue_sha256,
            policy_sha256=bytes.fromhex(decision.policy_sha256),
            product=admitted.product.product,
            rules=[rule.id for rule in decision.rules],
            bases=[rule.basis for rule in decision.rules],
            decided_at_ms=admitted.decided_at_ms,
            labels_sealed=seal_labels(self._labels, cells, share, place, reply_key),
        )
        write_overlap(share, partial, admitted.settings)
        return partial
