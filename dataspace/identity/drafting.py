"""The next trust list as a draft, and what a party's signing request adds to it. Signs nothing.

node         its log, with the region as owner
broker       its log, and its TLS key beside those that are pinned
witness      its keys under its name; another key of its kind takes the place of the one before
revocation   its key under its URI, likewise
people       nothing: their region's root is in the list already
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.errors import Malformed
from dataspace.identity.names import PEOPLE_ROLES
from dataspace.identity.signing_requests import SigningRequest
from dataspace.identity.trusted import BROKER, trust_list_of
from dataspace.v1 import trust_pb2
from dataspace.v1.envelope_pb2 import Envelope


def draft_next(last: Envelope, now_ms: int) -> trust_pb2.TrustList:
    """The version after `last`, saying what that one says."""
    wire = trust_pb2.TrustList.FromString(last.payload)
    wire.version += 1
    wire.previous_sha256 = hashlib.sha256(last.payload).digest()
    wire.issued_at_ms = now_ms
    return wire


def add_requests(wire: trust_pb2.TrustList, requests: Sequence[SigningRequest]) -> tuple[str, ...]:
    """Add what the requests of one file bring; says what, a line each.

    Raises `Malformed` where one brings nothing (a person's does not, and may stand beside a
    service's), and `Unverified` `bad-trust-list` where the list would contradict itself.
    """
    bringing = [each for each in requests if each.uri.role not in PEOPLE_ROLES]
    return tuple(told for each in bringing or requests for told in _add_request(wire, each))


def _add_request(wire: trust_pb2.TrustList, request: SigningRequest) -> tuple[str, ...]:
    told: list[str] = []
    match request.uri.role:
        case "node":
            told += _add_log(wire, request, request.uri.region)
        case "broker":
            told += [*_add_log(wire, request, BROKER), *_add_broker(wire, request)]
        case "witness":
            told += _set_witness(wire, request)
        case "revocation":
            told += _set_signer(wire, request)
    if not told:
        raise Malformed(
            f"the trust list has nothing to say of this {request.uri.role}: its certificate alone "
            "makes it known, and its keys are named already or not there",
            code="trust-draft",
        )
    trust_list_of(wire, b"")
    return tuple(told)


def _add_log(wire: trust_pb2.TrustList, request: SigningRequest, owner: str) -> list[str]:
    log = request.log
    if log is None or any(each.vkey == log.to_text() for each in wire.logs):
        return []
    # SECURITY: what was signed by a log's earlier key is judged by the list of its own time, and
    # two histories under one name could not be told apart.
    if any(each.origin == log.name for each in wire.logs):
        raise Malformed(
            f"a log {log.name} with another key is in the list; a new log has a name of its own: "
            "`gba join --log-origin`",
            code="trust-draft",
        )
    wire.logs.add(origin=log.name, vkey=log.to_text(), owner=owner)
    return [f"log {log.name} of {owner}"]


def _add_broker(wire: trust_pb2.TrustList, request: SigningRequest) -> list[str]:
    key, uri = _spki(request.tls_key), str(request.uri)
    if any(key in each.public_keys for each in wire.brokers):
        return []
    known = next((each for each in wire.brokers if each.uri == uri), None)
    if known is not None:
        known.public_keys.append(key)
        return [f"one more TLS key of {uri}; take the old one out once the new one is in use"]
    wire.brokers.add(uri=uri, public_keys=[key], dns_name=request.dns_names[0])
    return [f"broker {uri}"]


def _set_witness(wire: trust_pb2.TrustList, request: SigningRequest) -> list[str]:
    if not request.witness:
        return []
    name, vkeys = request.witness[0].name, [each.to_text() for each in request.witness]
    known = next((each for each in wire.witnesses if each.name == name), None)
    if known is None:
        wire.witnesses.add(name=name, region=request.uri.region, vkeys=vkeys)
        return [f"witness {name}"]
    if known.region != request.uri.region:
        raise Malformed(f"the witness {name} is another region's", code="trust-draft")
    if list(known.vkeys) == vkeys:
        return []
    known.vkeys[:] = vkeys
    return [f"other keys of the witness {name}"]


def _set_signer(wire: trust_pb2.TrustList, request: SigningRequest) -> list[str]:
    key, uri = _spki(request.signing_key), str(request.uri)
    known = next((each for each in wire.revocation_signers if each.uri == uri), None)
    if known is None:
        wire.revocation_signers.add(uri=uri, public_key=key)
        return [f"revocation signer {uri}"]
    if known.public_key == key:
        return []
    known.public_key = key
    return [f"another key of the revocation signer {uri}"]


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
