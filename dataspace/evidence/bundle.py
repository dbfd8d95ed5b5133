"""The evidence file: one release and all that proves it, in one spelling. Pure.

    file = "gba-evidence/v1 " length " " SHA-256-in-hex LF body
    body = Evidence, as protobuf's deterministic encoding spells it

Nothing read here is verified: see `verification`. That a file is whole, is what it says of
itself, and could not be spelt otherwise is all that `parse_evidence` promises.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from typing import Any

from dataspace.errors import Malformed, Unverified
from dataspace.evidence.logged import place_of
from dataspace.identity.dsse import parse_strictly
from dataspace.policy.rules import digest
from dataspace.v1 import evidence_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope

MAX_BYTES = 64 * 1024 * 1024
_HEADER = re.compile(rb"gba-evidence/v1 (0|[1-9][0-9]{0,8}) ([0-9a-f]{64})\n")
_MAX_HEADER = 96


def serialise_evidence(evidence: evidence_pb2.Evidence) -> bytes:
    """The bytes of the file."""
    body = evidence.SerializeToString(deterministic=True)
    return b"gba-evidence/v1 %d %b\n%b" % (len(body), _hex(body), body)


def is_evidence(data: bytes) -> bool:
    """Whether a file begins as an evidence file does; it may still not be a whole one."""
    return _HEADER.match(data[:_MAX_HEADER]) is not None


def parse_evidence(data: bytes) -> evidence_pb2.Evidence:
    """The evidence in a file. Raises `Unverified` unless it is whole and in its one spelling."""
    header = _HEADER.match(data[:_MAX_HEADER])
    if header is None:
        raise _bad("this is no evidence file: its first line is another")
    length, body = int(header[1]), data[header.end() :]
    if len(body) < length:
        raise _bad(f"the file is cut off after {len(body)} of {length} bytes; fetch it again")
    if len(body) > length:
        raise _bad(f"{len(body) - length} bytes follow the end of the evidence; fetch it again")
    if not hmac.compare_digest(_hex(body), header[2]):
        raise _bad("the file was changed: its bytes are not those of its digest; fetch it again")
    try:
        evidence = parse_strictly(evidence_pb2.Evidence, body, MAX_BYTES)
    except Malformed as error:
        raise _bad(f"the evidence cannot be read ({error.message})") from None
    # INVARIANT: one release has one evidence file of the same parts, and no byte is idle.
    if evidence.SerializeToString(deterministic=True) != body or not _is_ordered(evidence):
        raise _bad("the evidence is not written in its one form")
    return evidence


def assemble(
    request: Envelope,
    release: query_pb2.ReleaseBundle,
    trust_lists: Sequence[Envelope],
    parts: Iterable[evidence_pb2.EvidencePart],
) -> evidence_pb2.Evidence:
    """The evidence of a release from what its logs' owners handed over.

    Where the broker and a node speak of the same region's catalogue, the node's is taken.
    """
    records: list[evidence_pb2.Recorded] = []
    policies: dict[str, evidence_pb2.PolicyFiles] = {}
    catalogues: dict[str, evidence_pb2.RegionCatalogue] = {}
    lists: dict[bytes, Envelope] = {}
    for part in parts:
        lists |= {_payload_order(each): each for each in part.revocation_lists}
        records.extend(part.records)
        if part.policies.files:
            policies[set_digest(part.policies)] = part.policies
        for each in part.catalogues:
            if each.region == part.region or each.region not in catalogues:
                catalogues[each.region] = each
    return evidence_pb2.Evidence(
        request=request,
        release=release,
        trust_lists=trust_lists,
        revocation_lists=[each for _, each in sorted(lists.items())],
        records=_sorted_records(records),
        policy_sets=[_sorted_files(each) for _, each in sorted(policies.items())],
        catalogues=[_sorted_offers(each) for _, each in sorted(catalogues.items())],
    )


def set_digest(policies: evidence_pb2.PolicyFiles) -> str:
    """The digest (hex) that names a policy set, as decisions carry it."""
    return digest({file.name: file.content for file in policies.files})


def _is_ordered(evidence: evidence_pb2.Evidence) -> bool:
    """Whether every list is in its order and holds nothing twice."""
    lists: list[list[Any]] = [
        [_record_order(each) for each in evidence.records],
        [set_digest(each) for each in evidence.policy_sets],
        [each.region for each in evidence.catalogues],
        [_payload_order(each) for each in evidence.revocation_lists],
    ]
    lists.extend([file.name for file in each.files] for each in evidence.policy_sets)
    lists.extend([_payload_order(offer) for offer in each.offers] for each in evidence.catalogues)
    return all(keys == sorted(set(keys)) for keys in lists)


def _record_order(record: evidence_pb2.Recorded) -> tuple[str, int]:
    return record.owner, place_of(record.proof)


def _payload_order(envelope: Envelope) -> bytes:
    return hashlib.sha256(envelope.payload).digest()


def _sorted_records(records: list[evidence_pb2.Recorded]) -> list[evidence_pb2.Recorded]:
    placed = {_record_order(each): each for each in records}
    return [each for _, each in sorted(placed.items())]


def _sorted_files(policies: evidence_pb2.PolicyFiles) -> evidence_pb2.PolicyFiles:
    files = {file.name: file for file in policies.files}
    return evidence_pb2.PolicyFiles(files=[file for _, file in sorted(files.items())])


def _sorted_offers(catalogue: evidence_pb2.RegionCatalogue) -> evidence_pb2.RegionCatalogue:
    offers = {_payload_order(offer): offer for offer in catalogue.offers}
    return evidence_pb2.RegionCatalogue(
        region=catalogue.region, offers=[offer for _, offer in sorted(offers.items())]
    )


def _hex(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _bad(message: str) -> Unverified:
    return Unverified(message, code="evidence-file")
