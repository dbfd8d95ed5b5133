"""Charters and proposals from an operator's side: verified here again, signed with trust keys. Rim.

What the broker shows is held against this party's own trust lists and pinned first charter.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dataspace.client.agreeing import Asks
from dataspace.client.asking import LogAnswer
from dataspace.client.homes import actor_home, space_home
from dataspace.client.session import Session
from dataspace.errors import DataspaceError, Malformed, Unverified
from dataspace.evidence.governing import MAX_REQUEST_BYTES
from dataspace.evidence.proposing import Proposed, merged, proposal_id, read_proposal
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.dsse import parse_strictly
from dataspace.identity.keystore import load_private_key
from dataspace.identity.quorum import cosign
from dataspace.identity.trusted import BROKER
from dataspace.identity.trustlist import TrustList
from dataspace.policy.charter import Charter, read_charter
from dataspace.policy.charter_chain import accept_all, signers_of
from dataspace.processes import now_ms
from dataspace.v1 import charter_pb2
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope

AUTHORITY = "authority/trust.key"  # in a region's directory, where `gba space init` puts it
_LEAST = 4  # letters of an id


@dataclass(frozen=True)
class Governance:
    """Every charter that was applied, what may follow the last, and the trust lists."""

    charters: tuple[Charter, ...]
    envelopes: tuple[Envelope, ...]  # parallel to `charters`
    proposals: tuple[Proposed, ...]
    lists: tuple[TrustList, ...]

    @property
    def current(self) -> Charter:
        """The charter in force."""
        return self.charters[-1]

    def version(self, number: int) -> Charter:
        """An earlier version, or the one in force."""
        if not 1 <= number <= len(self.charters):
            raise Malformed(f"there is no charter {number}; see `gba govern list`",
                            code="charter-unknown")  # fmt: skip
        return self.charters[number - 1]

    def signed_by(self, charter: Charter) -> tuple[str, ...]:
        """The regions that signed a version."""
        envelope = self.envelopes[charter.version - 1]
        return tuple(sorted(signers_of(envelope, charter, self.lists)))

    def find(self, name: str) -> Proposed:
        """A proposal in a file, or by its id or the letters that it begins with."""
        if Path(name).is_file():
            return self.read(Path(name).read_bytes())
        found = [each for each in self.proposals if each.id.startswith(name)]
        if len(found) == 1 and len(name) >= _LEAST:
            return found[0]
        applied = [each for each in self.charters if each.id.startswith(name)]
        if len(name) >= _LEAST and applied and applied[-1] is not self.current:
            raise Unverified(
                f"charter {applied[-1].version} was overtaken by {self.current.version}; go back "
                f"to it with `gba govern propose --rollback-to {applied[-1].version}`",
                code="charter-rollback",
            )
        raise Malformed(
            "name a proposal by its file, its id or the first letters of it (four at least); see "
            "`gba govern list`",
            code="proposal-unknown",
        )

    def read(self, data: bytes) -> Proposed:
        """A proposal as a file holds it. Raises as `read_proposal` does."""
        wire = parse_strictly(Proposal, data, MAX_REQUEST_BYTES)
        return read_proposal(wire, self.charters, self.lists)

    def is_in_force(self, name: str) -> bool:
        """Whether a file holds, or a name means, the charter in force."""
        if Path(name).is_file():
            with suppress(DataspaceError):
                wire = parse_strictly(Proposal, Path(name).read_bytes(), MAX_REQUEST_BYTES)
                return read_charter(wire.charter).id == self.current.id
        return len(name) >= _LEAST and self.current.id.startswith(name)


def operator_home(home: Path | None, actor: str | None) -> PartyHome:
    """Who acts: the actor named, or in a node's own directory that region's operator."""
    root = space_home(home)
    if (root / CONFIG).is_file() and PartyHome(root).config.kind == "node":
        return PartyHome(root / "operator")
    return actor_home(home, actor)


def node_home(actor: PartyHome) -> PartyHome | None:
    """The node's directory that an operator's own lies in, if it does."""
    folder = actor.path.resolve().parent
    if (folder / CONFIG).is_file() and PartyHome(folder).config.kind == "node":
        return PartyHome(folder)
    return None


def governance(session: Session, home: PartyHome, submit: Proposal | None = None) -> Governance:
    """What the brokers keep, verified; after they have kept `submit`, where that is given.

    Every broker that is there is asked: one that was away lacks what the others were given.
    """
    bodies: list[charter_pb2.GovernanceAnswer] = []
    problems: list[DataspaceError] = []
    for address in session.brokers:
        try:
            bodies.append(_kept_at(session.only(address), submit))
        except Unverified:
            raise
        except DataspaceError as error:
            problems.append(error)
    if not bodies:
        raise problems[0]
    latest = max(bodies, key=lambda each: len(each.charters))
    if not latest.charters:
        raise Malformed(
            "this space was made before there were charters; make it anew to have one",
            code="charter-missing",
        )
    lists = home.trust_lists(now_ms())
    charters = accept_all(latest.charters, lists)
    if home.config.charter_sha256 not in {"", charters[0].id}:
        raise Unverified(
            "the broker shows other charters than the one pinned at install", code="charter-pin"
        )
    together: dict[str, Proposal] = {}
    for body in bodies:
        if len(body.charters) == len(charters):  # what follows an earlier one is overtaken
            for each in body.proposals:
                known = together.get(proposal_id(each))
                together[proposal_id(each)] = merged(known, each) if known is not None else each
    proposals = tuple(read_proposal(each, charters, lists) for _, each in sorted(together.items()))
    return Governance(charters, tuple(latest.charters), proposals, lists)


def _kept_at(session: Session, submit: Proposal | None) -> charter_pb2.GovernanceAnswer:
    request = charter_pb2.GovernanceRequest(logs=[BROKER], submit=submit)
    (answer,) = session.audit(request, [BROKER])
    answer.require()
    body = answer.answer.body if answer.answer is not None else None
    if not isinstance(body, charter_pb2.GovernanceAnswer):
        raise Unverified("the broker answers with another kind", code="governance-answer")
    return body


def applied(session: Asks, proposal: Proposal, regions: Sequence[str]) -> tuple[LogAnswer, ...]:
    """Hand a proposal to the broker and through it to nodes; what each came to.

    Raises the broker's own refusal: then no node has got it.
    """
    return session.audit(charter_pb2.CharterApplication(proposal=proposal), regions)


def trust_key(
    operator: PartyHome, trust: TrustList, key_file: Path | None
) -> tuple[str, PrivateKeyTypes]:
    """The region's trust key, and its id in the trust list.

    Raises `Malformed` (`trust-key`) where there is none at hand, or the list names another.
    """
    file = key_file or operator.path.resolve().parent / AUTHORITY
    if not file.is_file():
        raise Malformed(
            "the region's trust key is not here; name its file with --key, or take the proposal "
            "to where it is (--out, then `gba govern sign FILE --out`)",
            code="trust-key",
        )
    private_key = load_private_key(file)
    public = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    region = operator.uri.region
    listed = trust.regions[region].trust_keys if region in trust.regions else ()
    for key in listed:
        if key.public_key_der == public:
            return key.keyid, private_key
    raise Malformed(
        f"{file} holds no trust key of {region}; see `gba trust show`", code="trust-key"
    )


def cosigned(proposal: Proposal, keyid: str, private_key: PrivateKeyTypes) -> Proposal:
    """The proposal with a region's signature on the charter, and on the trust list beside it.

    Raises `Malformed` (`proposal-signed`) where the key has signed it before.
    """
    if any(each.keyid == keyid for each in proposal.charter.signatures):
        raise Malformed(
            f"{keyid} has signed this proposal already; another region's signature is wanted",
            code="proposal-signed",
        )
    signed = Proposal(charter=cosign(proposal.charter, keyid, private_key))
    if proposal.HasField("trust_list"):
        beside = proposal.trust_list
        known = {each.keyid for each in beside.signatures}
        signed.trust_list.CopyFrom(beside if keyid in known else cosign(beside, keyid, private_key))
    return signed
