"""`gba govern propose | review | sign | apply | list | show`."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import json_format

from dataspace.cli.governing_shown import (
    applied_json,
    charter_json,
    print_applied,
    print_charter,
    print_list,
    print_review,
    proposal_json,
    review_json,
)
from dataspace.cli.loading import read_product_file
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.asking import LogAnswer
from dataspace.client.governing import (
    Governance,
    applied,
    cosigned,
    governance,
    node_home,
    operator_home,
    trust_key,
)
from dataspace.client.local_asking import LocalNode
from dataspace.client.proposal_review import Review, offered_schemas, review
from dataspace.client.recorded import LocalRecords, Records, RegionRecords
from dataspace.client.session import Session
from dataspace.errors import DataspaceError, Malformed, Refused, Unavailable, Unverified
from dataspace.evidence.proposing import Proposed, read_proposal
from dataspace.home import PartyHome
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.names import REGIONS
from dataspace.identity.trustlist import cosign_trust_list, seal_trust_list
from dataspace.in_force import InForce
from dataspace.joining import installed_policies
from dataspace.policy.charter import SHARED_FILES, floors_of, read_charter
from dataspace.policy.charter_chain import seal_charter
from dataspace.policy.charter_changes import Draft, following
from dataspace.policy.store import read_file
from dataspace.processes import now_ms
from dataspace.query.product_file import parse_product
from dataspace.v1 import trust_pb2
from dataspace.v1.charter_pb2 import Proposal
from dataspace.v1.envelope_pb2 import Envelope
from dataspace.v1.revocation_pb2 import RevocationLists

app = typer.Typer(help="what all regions share, changed by two of them", no_args_is_help=True)

_LOOKING = "HOPERAT"  # why a regulator's records are read

_Name = Annotated[str, typer.Argument(help="a proposal's id, the first letters of it, or a file")]
_Key = Annotated[Path | None, typer.Option("--key", help="the region's trust key (PEM)")]
_Out = Annotated[Path | None, typer.Option("--out", help="write it here, and send it nowhere")]
_Last = Annotated[int, typer.Option("--last", min=1, help="so many recorded decisions")]


@app.command()
@told
def propose(
    reason: Annotated[str, typer.Option("--reason", help="in a sentence, for all to read")],
    schema: Annotated[Path | None, typer.Option("--schema", help="a new Cedar schema")] = None,
    space_rules: Annotated[
        Path | None, typer.Option("--space-rules", help="a new space.cedar")
    ] = None,
    trust_list: Annotated[
        Path | None, typer.Option("--trust-list", help="the next one, as `gba trust draft` writes")
    ] = None,
    product: Annotated[
        list[Path] | None, typer.Option("--product", help="a product file; again for another")
    ] = None,
    floors: Annotated[Path | None, typer.Option("--floors", help="TOML")] = None,
    rollback_to: Annotated[
        int | None, typer.Option("--rollback-to", min=1, help="what an earlier version says")
    ] = None,
    key: _Key = None, file: _Out = None, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Propose the next charter and sign it for your region; another region has to sign it too.

    What you give takes the place of what is in force; --rollback-to starts from an earlier
    version instead.
    """
    operator = operator_home(home, actor)
    with Session(operator) as session:
        known = governance(session, operator)
        keyid, private_key = trust_key(operator, known.lists[-1], key)
        following_list = _next_trust_list(trust_list, keyid, private_key)
        draft = Draft(
            files=_files(schema, space_rules),
            products=dict(map(_shape, product or [])),
            floors=floors_of(_toml(floors)) if floors else None,
            trust_list_sha256=hashlib.sha256(following_list.payload).digest()
            if following_list is not None else None,
            restores=known.version(rollback_to) if rollback_to else None,
        )  # fmt: skip
        authority = known.lists[-1].payload_sha256
        wire = following(known.current, draft, authority, reason, now_ms())
        proposal = Proposal(
            charter=seal_charter(wire, [(keyid, private_key)]), trust_list=following_list
        )
        proposed = read_proposal(proposal, known.charters, known.lists)
        # Before anybody else sees it: what does not load here would be in force nowhere.
        looked = _review(session, operator, known, proposed, 1)
        if looked.fault:
            raise Malformed(f"the new set does not load: {looked.fault}", code="policy-set")
        _hand_over(session, operator, proposed, file, format_)


@app.command("review")
@told
def review_(
    proposal: _Name, last: _Last = 1000, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Show what a proposal changes, and what it would do to tables and recorded decisions."""
    asker = operator_home(home, actor)
    with Session(asker) as session:
        known = governance(session, asker)
        looked = _review(session, asker, known, known.find(proposal), last)
    if format_ is Format.JSON:
        print_json(review_json(looked))
    else:
        print_review(looked)


@app.command()
@told
def sign(
    proposal: _Name, last: _Last = 1000, key: _Key = None, file: _Out = None,
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Show the review in short, and sign a proposal for your region."""
    operator = operator_home(home, actor)
    with Session(operator) as session:
        known = governance(session, operator)
        proposed = known.find(proposal)
        keyid, private_key = trust_key(operator, known.lists[-1], key)
        looked = _review(session, operator, known, proposed, last)
        if format_ is not Format.JSON:
            print_review(looked, whole=False)
        signed = cosigned(proposed.wire, keyid, private_key)
        fresh = read_proposal(signed, known.charters, known.lists)
        _hand_over(session, operator, fresh, file, format_)


@app.command()
@told
def apply(
    proposal: _Name, home: HomeOption = None, actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Put a proposal that two regions signed in force, at the broker and at every node.

    A node that is away follows when it attaches; one whose own rules do not load with it keeps
    the charter that it has, and says why (exit 4): apply it again once they do. While the broker
    is away, a file is applied at the own node alone.
    """
    operator = operator_home(home, actor)
    try:
        with Session(operator) as session:
            known = governance(session, operator)
            wire, version = _to_apply(known, proposal)
            answers, by_broker = applied(session, wire, REGIONS), True
    except Unavailable:
        wire = _read(proposal)
        version = read_charter(wire.charter).version
        answers, by_broker = applied(LocalNode(operator), wire, REGIONS), False
    if wire.HasField("trust_list"):
        # So that who applied a list knows a broker by it that has changed its key since.
        InForce(operator).receive(RevocationLists(trust_lists=[wire.trust_list]))
    if format_ is Format.JSON:
        print_json({"version": version, "regions": applied_json(answers)})
    else:
        print_applied(version, answers, by_broker=by_broker)
    _require_taken(answers, version)


@app.command("list")
@told
def list_(
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE
) -> None:
    """The charters that were applied, and the proposals that may follow."""
    asker = operator_home(home, actor)
    with Session(asker) as session:
        known = governance(session, asker)
    if format_ is Format.JSON:
        print_json(
            {
                "charters": [charter_json(known, each) for each in known.charters],
                "proposals": [proposal_json(each) for each in known.proposals],
            }
        )
    else:
        print_list(known)


@app.command()
@told
def show(
    name: Annotated[str, typer.Argument(help="a version or a proposal; the one in force")] = "",
    folder: Annotated[
        Path | None, typer.Option("--out", help="write its files into this directory")
    ] = None,
    home: HomeOption = None, actor: ActorOption = None, format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Show the charter in force, an earlier one, or a proposal."""
    asker = operator_home(home, actor)
    with Session(asker) as session:
        known = governance(session, asker)
    if name and not name.isdecimal():
        proposed = known.find(name)
        charter, shown = proposed.charter, proposal_json(proposed)
    else:
        charter = known.version(int(name)) if name else known.current
        shown = charter_json(known, charter)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in charter.files.items():
            (folder / file).write_bytes(content)
    if format_ is Format.JSON:
        print_json(shown)
    else:
        print_charter(shown)


def _to_apply(known: Governance, name: str) -> tuple[Proposal, int]:
    if known.is_in_force(name):
        # Again, for a node that did not take it the first time.
        wire = _read(name) if Path(name).is_file() else Proposal(charter=known.envelopes[-1])
        return wire, known.current.version
    proposed = known.find(name)
    if not proposed.is_ready:
        raise Unverified(
            f"this proposal, signed by {', '.join(proposed.signed_by)}, cannot be applied yet: "
            f"{proposed.wanted}; see `gba govern sign {proposed.id[:16]}`",
            code="charter-quorum",
        )
    return proposed.wire, proposed.charter.version


def _require_taken(answers: tuple[LogAnswer, ...], version: int) -> None:
    """Exit 4 where a node said no: its region decides by the earlier charter."""
    for each in answers:
        if each.answer is not None and each.answer.refusal is not None:
            status = each.answer.refusal.status
            raise Refused(
                f"{each.log} keeps the charter that it has: {status.message}; mend it there and "
                "apply this one again",
                code=status.code,
                rule="charter",
                basis=f"space rule: charter {version}",
            )


def _hand_over(
    session: Session, operator: PartyHome, proposed: Proposed, file: Path | None, format_: Format
) -> None:
    """To the broker, or into a file for another region's operator."""
    if file is not None:
        file.write_bytes(proposed.wire.SerializeToString(deterministic=True))
    else:
        known = governance(session, operator, submit=proposed.wire)
        proposed = next(each for each in known.proposals if each.id == proposed.id)
    if format_ is Format.JSON:
        print_json(proposal_json(proposed))
        return
    signed = ", ".join(proposed.signed_by)
    after = "apply" if proposed.is_ready else "sign"
    out.print(
        f"proposal {proposed.id[:16]}: charter {proposed.charter.version}, signed by {signed}; "
        f"next: `gba govern {after} {file or proposed.id[:16]}`",
        markup=False, soft_wrap=True,
    )  # fmt: skip


def _review(
    session: Session, asker: PartyHome, known: Governance, proposed: Proposed, last: int
) -> Review:
    own = node_home(asker)
    folder = own.path / "policies" if own is not None else installed_policies()
    records: Records | None = None
    if own is not None:
        records = LocalRecords(own, now_ms())
    elif asker.uri.role == "regulator":
        records = RegionRecords(session, asker.uri.region, _LOOKING)
    return review(known, proposed, folder, records, last, offered_schemas(session))


def _files(schema: Path | None, space_rules: Path | None) -> dict[str, bytes]:
    given = zip(SHARED_FILES, (schema, space_rules), strict=True)
    return {name: read_file(path) for name, path in given if path is not None}


def _shape(path: Path) -> tuple[str, bytes]:
    offer = parse_product(read_product_file(path)).offer()
    return offer.product, offer.shape_json()


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_file(path).decode())
    except ValueError:
        raise Malformed(f"{path} is no TOML text", code="charter-floors") from None


def _next_trust_list(path: Path | None, keyid: str, private_key: Any) -> Envelope | None:
    """The list in a file: JSON to be signed, or an envelope that others may have signed."""
    if path is None:
        return None
    data = read_file(path)
    try:
        wire = json_format.Parse(data, trust_pb2.TrustList())
    except (json_format.ParseError, UnicodeDecodeError):
        try:
            envelope = parse_envelope(data)
        except DataspaceError:
            raise Malformed(
                f"{path} holds no trust list; see `gba trust draft`", code="trust-list-form"
            ) from None
        known = {each.keyid for each in envelope.signatures}
        return envelope if keyid in known else cosign_trust_list(envelope, keyid, private_key)
    return seal_trust_list(wire, [(keyid, private_key)])


def _read(name: str) -> Proposal:
    """A proposal in a file, for who has no broker to ask."""
    try:
        return Proposal.FromString(Path(name).read_bytes())
    except (OSError, ValueError):
        raise Unavailable(
            "the broker cannot be reached; apply a proposal from a file at your own node, or wait",
            code="broker-unreachable",
        ) from None
