"""Who may look into an audit log, and how much of an entry they see. Pure.

A regulator sees whole entries of the own region, and decision metadata of the others: never
who acted, nor SQL, nor a body. The accesses to one person's records are told to clinicians
and regulators on that person's behalf.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dataspace.audit.entries import Entry
from dataspace.audit.index import Column, Columns
from dataspace.errors import Malformed, Refused
from dataspace.identity.names import ActorUri
from dataspace.policy.requests import PURPOSES
from dataspace.v1 import audit_pb2

OWN_REGION: Final = "regulator-own-region"
OWN_REGION_BASIS: Final = (
    "space rule: a regulator sees the own region's log whole, others' as codes"
)
ON_BEHALF: Final = "patient-request"
ON_BEHALF_BASIS: Final = "PIPL arts. 44 and 45; PDPO (Cap. 486) s. 18; Act 8/2005 art. 11"
SUBJECT_TAGS: Final = "subject_tags"  # a body's list of tags of the people whom it is about
ACCESS_KINDS: Final = ("record.break_glass", "record.released")


@dataclass(frozen=True)
class Sight:
    """What an asker sees of one log, and the rule that says so."""

    whole: bool
    rule: str


def sight_of(asker: ActorUri, owner: str, request: audit_pb2.AuditRequest) -> Sight:
    """Raises `Refused` by `regulator-own-region` or `patient-request`, or `Malformed`."""
    if request.purpose not in PURPOSES:
        raise Malformed(f"the purpose is one of {', '.join(PURPOSES)}", code="purpose")
    if owner not in request.logs:
        raise Malformed(f"this question is not for the log of {owner}", code="audience")
    if request.WhichOneof("question") == "subject":
        if asker.role not in {"clinician", "regulator"} or request.purpose != "PATRQT":
            raise _refused(
                ON_BEHALF,
                ON_BEHALF_BASIS,
                "accesses to a person's records are told to clinicians and regulators with "
                "purpose PATRQT",
            )
        return Sight(whole=False, rule=ON_BEHALF)
    if asker.role != "regulator":
        raise _refused(OWN_REGION, OWN_REGION_BASIS, "only a regulator looks into audit logs")
    whole = asker.region == owner
    search = request.search
    # SECURITY: searching by what must not be seen would tell it.
    if not whole and (search.actor or search.member or search.document_number):
        raise _refused(
            OWN_REGION,
            OWN_REGION_BASIS,
            f"actor, member and person are searched in the own region's log alone; ask with --log "
            f"{asker.region}",
        )
    return Sight(whole, OWN_REGION)


def _refused(rule: str, basis: str, message: str) -> Refused:
    return Refused(message, code=rule, rule=rule, basis=basis)


def metadata(index: int, entry: Entry) -> audit_pb2.AuditEntry:
    """The decision metadata of an entry: codes and digests from a closed list of fields."""
    fields = entry.fields
    nodes = fields.get("nodes")
    partials = _texts(fields.get("partials"))
    outcomes = []
    if isinstance(nodes, Mapping):
        digests = partials if len(partials) == len(nodes) else [""] * len(nodes)
        outcomes = [
            audit_pb2.AuditOutcome(region=region, status=str(status), body_sha256=_digest(digest))
            for (region, status), digest in zip(sorted(nodes.items()), digests, strict=True)
        ]
    return audit_pb2.AuditEntry(
        index=index,
        at_ms=entry.at_ms,
        kind=entry.kind,
        outcome=_text(fields.get("outcome")),
        code=_text(fields.get("code")),
        rules=rules_of(fields),
        purpose=_text(fields.get("purpose")),
        products=_texts(fields.get("products")),
        actor_region=_text(fields.get("actor_region")),
        actor_role=_text(fields.get("actor_role")),
        request_sha256=_digest(_text(fields.get("request_sha256"))),
        body_sha256=_digest(_text(fields.get("body_sha256"))),
        outcomes=outcomes,
    )


def rules_of(fields: Mapping[str, Any]) -> list[str]:
    """Every rule that an entry names."""
    return sorted({*_texts(fields.get("rules")), *_texts([fields.get("rule")])} - {""})


def _texts(value: object) -> list[str]:
    return [_text(each) for each in value] if isinstance(value, (list, tuple)) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def _field(name: str, column: str | None = None) -> Column:
    def read(source: Mapping[str, object]) -> Iterable[str]:
        value = source.get(name)
        return _texts(value) if isinstance(value, (list, tuple)) else [_text(value)]

    return Column(column or name, False, read)


def _member(body: Mapping[str, object]) -> Iterable[str]:
    parts = _text(body.get("actor")).removeprefix("gba://").split("/")
    return parts[1:2] if len(parts) == 4 else ()


COLUMNS: Final = Columns(
    (
        _field("outcome"),
        _field("code"),
        Column("rule", False, rules_of),
        _field("purpose"),
        _field("products", "product"),
        _field("actor_region", "region"),
        _field("actor_role", "role"),
        _field("request_sha256"),
        Column("actor", True, lambda body: [_text(body.get("actor"))]),
        Column("member", True, _member),
        Column(SUBJECT_TAGS, True, lambda body: _texts(body.get(SUBJECT_TAGS))),
    )
)
