"""Who must cosign which log, and what their cosignatures prove of a release's receipts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dataspace.audit.merkle import leaf_hash
from dataspace.audit.notes import parse_vkey
from dataspace.audit.proofs import parse_proof, verify_proof
from dataspace.audit.quorum import Quorum
from dataspace.errors import Unverified
from dataspace.identity.trustlist import TrustList
from dataspace.v1 import query_pb2


def quorum_of(trust: TrustList, origin: str) -> Quorum:
    """The rule for one log: two witnesses of regions that do not own it and are not suspended.

    Raises `Unverified` for a log that the trust list does not name.
    """
    for log in trust.logs:
        if log.origin == origin:
            return Quorum(
                parse_vkey(log.vkey),
                log.owner,
                {
                    region: tuple(
                        parse_vkey(vkey)
                        for witness in trust.witnesses_of(region)
                        for vkey in witness.vkeys
                    )
                    for region in trust.regions
                    if not trust.is_suspended(region)
                },
            )
    raise Unverified(f"no log {origin} is in the trust list", code="receipt-origin")


def receipts_of(bundle: query_pb2.ReleaseBundle) -> list[query_pb2.Receipt]:
    """The receipts that a release stands on: the broker's own, then the nodes'."""
    return [bundle.receipt, *(answer.receipt for answer in bundle.answers)]


def check_cosigned(
    receipts: Sequence[query_pb2.Receipt], cosigned: query_pb2.Cosigned, trust: TrustList
) -> None:
    """That a quorum of witnesses has cosigned every receipt's entry. Raises `Unverified`."""
    if len(receipts) != len(cosigned.proofs):
        raise Unverified("there is not one proof for each receipt", code="cosigned-proofs")
    for receipt, wire in zip(receipts, cosigned.proofs, strict=True):
        proof = parse_proof(wire.proof)
        if wire.origin != receipt.origin or proof.index != receipt.index:
            raise Unverified("a proof is of another entry", code="cosigned-proofs")
        quorum = quorum_of(trust, receipt.origin)
        quorum.check(proof.note_text)
        verify_proof(proof, leaf_hash(receipt.entry), quorum.log_key)
