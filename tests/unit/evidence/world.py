"""One release made by hand in one process: real keys, real logs, real rules; no network."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dataspace.audit.bodies import BodyStore
from dataspace.audit.notes import verifier_key
from dataspace.audit.store import LogStore
from dataspace.evidence.answers import status_of
from dataspace.evidence.bundle import assemble, serialise_evidence
from dataspace.evidence.logged import write_proof
from dataspace.evidence.offers import RegionOffer, open_offer
from dataspace.evidence.pinned import Pinned
from dataspace.evidence.recording import Recorder
from dataspace.evidence.report import Report
from dataspace.evidence.requests import Asked, access_requests, open_request, read_request
from dataspace.evidence.verification import verify_evidence
from dataspace.identity.envelopes import SigningIdentity, seal
from dataspace.identity.names import REGIONS
from dataspace.identity.revocation import accept_list, seal_revocation_list
from dataspace.identity.trustlist import TrustList, accept_chain
from dataspace.policy.decisions import Decision, decide
from dataspace.policy.rules import PolicySet, load
from dataspace.query.bind import bind_query
from dataspace.query.combine import combine, key_names, state_names
from dataspace.query.partials import Cell, Share, State, read_share, write_share
from dataspace.query.product import catalogue_digest
from dataspace.v1 import catalogue_pb2, evidence_pb2, query_pb2
from dataspace.v1.envelope_pb2 import Envelope, Freshness
from tests.unit.evidence.witnesses import cosign, quorum
from tests.unit.identity.world import NOW_MS, Space, make_signing, make_space, spki
from tests.unit.query.samples import offer

OWNERS = ("broker", *REGIONS)
SQL = "SELECT sex, count(*) AS n FROM trial GROUP BY sex"
SEEN_MS = NOW_MS + 5_000  # when witnesses cosigned

SCHEMA = (Path(__file__).parents[3] / "policies" / "schema.cedarschema").read_bytes()
_NOTES = '@basis("b") @message_en("m") @message_zh_hans("m") @message_zh_hant("m") @message_pt("m")'
RULES = f"""@id("statistics") {_NOTES}
permit (principal, action == Action::"aggregate", resource)
when {{ context.purpose == Purpose::"HRESCH" }};
"""
POLICIES = {"schema.cedarschema": SCHEMA, "space.cedar": RULES.encode()}
STRICT_POLICIES = {**POLICIES, "space.cedar": RULES.replace("HRESCH", "PUBHLTH").encode()}
OTHER_POLICIES = {**POLICIES, "space.cedar": RULES.replace("statistics", "figures").encode()}


@dataclass
class Party:
    """A log's owner: its signing identity, log, and bodies."""

    identity: SigningIdentity
    recorder: Recorder
    log_key: Ed25519PrivateKey


@dataclass
class World:
    """A space with its parties' logs in a folder."""

    space: Space
    parties: dict[str, Party]
    trust_lists: list[Envelope]
    trust: TrustList
    requester: SigningIdentity
    offers: dict[str, Envelope]
    policies: PolicySet = field(default_factory=lambda: load(POLICIES))
    policy_files: Mapping[str, bytes] = field(default_factory=lambda: POLICIES)
    twist: Callable[[str, query_pb2.Partial], None] = lambda _region, _partial: None
    defiant: str = ""  # a region that releases whatever its rules say
    signers: dict[str, SigningIdentity] = field(default_factory=dict)
    lists: list[Envelope] = field(default_factory=list)  # that every owner kept

    @property
    def pinned(self) -> Pinned:
        return Pinned(hashlib.sha256(self.trust_lists[0].payload).digest())


def make_world(folder: Path, *, revoking: bool = False, **changes: Any) -> World:
    """A fresh space; `changes` are fields of its trust list. With `revoking` it names
    revocation signers, and there are lists of theirs that revoke nobody."""
    space = make_space()
    signers = {}
    parties = {}
    wire = space.list(**changes)
    del wire.logs[:]
    for region in REGIONS if revoking else ():
        uri = f"gba://{region}/h1/revocation/r-1"
        signers[region] = make_signing(space.members[region], uri)
        wire.revocation_signers.add(uri=uri, public_key=spki(signers[region].private_key))
    for owner in OWNERS:
        region = "hongkong" if owner == "broker" else owner
        uri = f"gba://{region}/h1/{'broker/main' if owner == 'broker' else 'node/node-1'}"
        key = Ed25519PrivateKey.generate()
        origin = f"test.space/{owner}"
        log = LogStore.create(folder / owner / "log", origin, key)
        recorder = Recorder(origin, log, BodyStore(folder / owner / "bodies"))
        parties[owner] = Party(make_signing(space.members[region], uri), recorder, key)
        wire.logs.add(origin=origin, vkey=verifier_key(origin, key).to_text(), owner=owner)
        recorder.record("log.begun", NOW_MS - 1000, {})
    trust_list = space.seal(wire, "hongkong-1", "macao-1")
    trust = accept_chain([trust_list], hashlib.sha256(trust_list.payload).digest(), NOW_MS)
    offers = {region: _offer_of(space, region) for region in REGIONS}
    lists = [seal_revocation_list(each, "test", 1, NOW_MS, []) for each in signers.values()]
    for each in lists:
        trust = accept_list(trust, each, NOW_MS)
    made = World(space, parties, [trust_list], trust, space.actor(), offers)
    made.signers, made.lists = signers, lists
    return made


def _offer_of(space: Space, region: str) -> Envelope:
    operator = make_signing(space.members[region], f"gba://{region}/h1/operator/op")
    wire = catalogue_pb2.ProductOffer(
        region=region,
        product="trial",
        definition_json=offer().canonical_json().decode(),
        file_sha256=bytes(32),
        published_at_ms=NOW_MS - 1000,
    )
    return seal(wire, operator)


@dataclass
class Case:
    """A release and the parts of its evidence, each of which a test may alter."""

    world: World
    request: Envelope
    bundle: query_pb2.ReleaseBundle
    parts: dict[str, evidence_pb2.EvidencePart]

    def evidence(self) -> evidence_pb2.Evidence:
        return assemble(self.request, self.bundle, self.world.trust_lists, self.parts.values())

    def file(self) -> bytes:
        return serialise_evidence(self.evidence())


def make_request(
    world: World, sql: str = SQL, signer: SigningIdentity | None = None, purpose: str = "HRESCH",
    regions: Sequence[str] = REGIONS,
) -> Envelope:  # fmt: skip
    message = query_pb2.QueryRequest(
        freshness=Freshness(
            issued_at_ms=NOW_MS - 500,
            expires_at_ms=NOW_MS + 60_000,
            nonce=secrets.token_bytes(16),
            audience=["broker", *regions],
        ),
        sql=sql,
        purpose=purpose,
        project="p1",
        require=query_pb2.REQUIRE_ALL,
    )
    return seal(message, signer or world.requester)


def release(
    world: World, sql: str = SQL, signer: SigningIdentity | None = None, purpose: str = "HRESCH",
    broker_rules: PolicySet | None = None, regions: Sequence[str] = REGIONS,
    released_ms: int = NOW_MS + 20, answer_sha256: bytes = b"",
) -> Case:  # fmt: skip
    """Ask, decide, answer, combine and record, as broker and nodes do."""
    request = make_request(world, sql, signer, purpose, regions)
    opened = open_request(request, world.trust, NOW_MS)
    asked = read_request(opened, NOW_MS, "broker")
    offers = {
        region: {"trial": open_offer(envelope, region, world.trust, NOW_MS)}
        for region, envelope in world.offers.items()
        if region in regions
    }
    query = bind_query(asked.query, offers[regions[0]]["trial"].offer)
    places = {"broker": [_forward(world, asked, offers, broker_rules or world.policies)]}
    answers = []
    for number, region in enumerate(regions):
        answer = _answer(world, asked, query, offers[region], region, 20 + 5 * number)
        answers.append(answer)
        places[region] = [answer.receipt.index]
    outcomes, shares = [], []
    for region, answer in zip(regions, answers, strict=True):
        kind: Any = (
            query_pb2.Partial if "partial" in answer.body.payload_type else query_pb2.Refusal
        )
        body = kind.FromString(answer.body.payload)
        outcome = query_pb2.NodeOutcome(region=region, status="released")
        outcome.body_sha256 = hashlib.sha256(answer.body.payload).digest()
        if isinstance(body, query_pb2.Partial):
            shares.append(read_share(body))
        else:
            outcome.status, outcome.reason = body.status.error, body.status.message
        outcomes.append(outcome)
    body = query_pb2.Release(
        request_sha256=asked.digest,
        nodes=outcomes,
        answer_sha256=answer_sha256 or combine(query, shares, asked.audience).digest(),
        provisional=True,
        released_at_ms=released_ms,
    )
    sealed = seal(body, world.parties["broker"].identity)
    receipt = world.parties["broker"].recorder.record(
        "query.released",
        NOW_MS + 30,
        {
            "request_sha256": asked.digest.hex(),
            "body_sha256": hashlib.sha256(sealed.payload).hexdigest(),
            "nodes": {each.region: each.status for each in outcomes},
            "partials": [each.body_sha256.hex() for each in outcomes],
            "outcome": "released" if shares else "nothing",
        },
    )
    places["broker"].append(receipt.index)
    bundle = query_pb2.ReleaseBundle(release=sealed, receipt=receipt, answers=answers)
    parts = {owner: part(world, owner, indexes) for owner, indexes in places.items()}
    return Case(world, request, bundle, parts)


def part(world: World, owner: str, indexes: list[int]) -> evidence_pb2.EvidencePart:
    """What an owner hands over: its entries under its cosigned checkpoint, and what it keeps."""
    recorder = world.parties[owner].recorder
    made = evidence_pb2.EvidencePart(region=owner, revocation_lists=world.lists)
    others = [each for each in REGIONS if each != owner][:2]
    note = cosign(recorder.log.checkpoint_text, others, SEEN_MS)
    for index in indexes:
        entry = recorder.log.read_entry(index)
        path = recorder.log.prove_inclusion(index, recorder.log.size)
        key = json.loads(entry)["fields"].get("context")
        record = evidence_pb2.Recorded(
            owner=owner, entry=entry, proof=write_proof(index, path, note)
        )
        if key:
            stored = (recorder.bodies._directory / key[:2] / key).read_bytes()
            record.salt, record.context = stored[:32], stored[32:]
        made.records.append(record)
    made.policies.CopyFrom(files(world.policy_files))
    if owner != "broker":
        made.catalogues.add(region=owner, offers=[world.offers[owner]])
    return made


def files(contents: Mapping[str, bytes]) -> evidence_pb2.PolicyFiles:
    return evidence_pb2.PolicyFiles(
        files=[
            evidence_pb2.PolicyFile(name=name, content=content)
            for name, content in sorted(contents.items())
        ]
    )


def _forward(
    world: World, asked: Asked, offers: Mapping[str, Mapping[str, RegionOffer]], rules: PolicySet
) -> int:
    own = {region: {"trial": each["trial"].offer} for region, each in offers.items()}
    query = bind_query(asked.query, next(iter(own.values()))["trial"])
    questions = [
        question
        for region in sorted(own)
        for question in access_requests(asked, query, own[region], region, NOW_MS)
    ]
    decisions = [decide(rules, question) for question in questions]
    facts: dict[str, Any] = {
        **_who(asked),
        "products": ["trial"],
        "audience": list(asked.audience),
        "purpose": asked.request.purpose,
        "policy_sha256": rules.sha256,
        "rules": sorted({rule.id for each in decisions for rule in each.rules}),
    }
    context = _context(asked, questions, decisions)
    receipt = world.parties["broker"].recorder.record("query.forwarded", NOW_MS + 5, facts, context)
    return int(receipt.index)


def _answer(
    world: World,
    asked: Asked,
    query: Any,
    offers: Mapping[str, RegionOffer],
    region: str,
    count: int,
) -> query_pb2.NodeAnswer:
    own = {name: each.offer for name, each in offers.items()}
    questions = access_requests(asked, query, own, region, NOW_MS)
    decisions = [decide(world.policies, question) for question in questions]
    catalogue = catalogue_digest({name: each.envelope.payload for name, each in offers.items()})
    allowed = all(each.allowed for each in decisions)
    facts: dict[str, Any] = {
        **_who(asked),
        "products": ["trial"],
        "purpose": asked.request.purpose,
        "decision": "permit" if allowed else "deny",
        "rules": sorted({rule.id for each in decisions for rule in each.rules}),
        "policy_sha256": decisions[0].policy_sha256,
        "catalogue_sha256": catalogue.hex(),
    }
    party = world.parties[region]
    if allowed or region == world.defiant:
        cells = tuple(Cell((sex,), (State(count),)) for sex in ("F", "M"))
        share = Share(region, key_names(query), state_names(query), cells, 5)
        partial = query_pb2.Partial(
            request_sha256=asked.digest,
            catalogue_sha256=catalogue,
            policy_sha256=bytes.fromhex(decisions[0].policy_sha256),
            products=["trial"],
            rules=[rule.id for rule in decisions[0].rules],
            bases=[rule.basis for rule in decisions[0].rules],
            decided_at_ms=NOW_MS,
        )
        write_share(share, partial)
        world.twist(region, partial)
        body, kind = seal(partial, party.identity), "query.released"
        facts |= {"outcome": "released", "cells": 2}
    else:
        body, kind, told = _refusal(asked, region, decisions, party.identity)
        facts |= told
    facts["body_sha256"] = hashlib.sha256(body.payload).hexdigest()
    context = _context(asked, list(questions), decisions)
    receipt = party.recorder.record(kind, NOW_MS + 10, facts, context)
    return query_pb2.NodeAnswer(body=body, receipt=receipt)


def _refusal(
    asked: Asked, region: str, decisions: list[Decision], identity: SigningIdentity
) -> tuple[Envelope, str, dict[str, str]]:
    try:
        decisions[0].require()
    except Exception as error:
        status = status_of(error)  # type: ignore[arg-type]  # a refusal
    refusal = query_pb2.Refusal(
        request_sha256=asked.digest, region=region, status=status, decided_at_ms=NOW_MS
    )
    told = {"outcome": status.error, "code": status.code, "rule": status.rule}
    return seal(refusal, identity), "query.refused", told


def _who(asked: Asked) -> dict[str, Any]:
    uri = asked.signer.uri
    return {
        "request_sha256": asked.digest.hex(),
        "actor_region": uri.region,
        "actor_role": uri.role,
    }


def _context(asked: Asked, questions: list[Any], decisions: list[Decision]) -> dict[str, Any]:
    return {
        "actor": str(asked.signer.uri),
        "sql": asked.request.sql,
        "project": asked.request.project,
        "access_requests": [json.loads(each.to_json()) for each in questions],
        "decisions": [json.loads(each.to_json()) for each in decisions],
    }


def verify(data: bytes, world: World) -> Report:
    """Verify a file against the world's pinned list."""
    return verify_evidence(data, world.pinned, quorum)
