"""The charter: what all regions share, as one value. Verifies no signature: see `charter_chain`.

    files      `schema.cedarschema` and `space.cedar`, byte for byte
    products   the columns' shape of products whose schema the regions have decided on
    floors     what no product's disclosure control may be below

A product that is not in it keeps the schema that regions already offer. What else a policy
folder holds is a region's own, and can only forbid.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from dataspace.errors import Malformed, Unverified
from dataspace.identity.dsse import check_payload, parse_strictly
from dataspace.policy.faults import PolicyFault
from dataspace.policy.rules import PolicySet, load
from dataspace.query.product import Column, ColumnType, Disclosure, Offer, Role
from dataspace.v1 import charter_pb2
from dataspace.v1.envelope_pb2 import Envelope

SHARED_FILES: Final = ("schema.cedarschema", "space.cedar")
MAX_CHARTER_BYTES: Final = 2 * 1024 * 1024
MAX_REASON: Final = 500  # characters
HARD_FLOOR: Final = 5  # of min_subjects: no charter goes below it


@dataclass(frozen=True)
class Floors:
    """What a product's `disclosure` has to reach. Raises `Malformed` (`charter-floors`)."""

    min_subjects: int = HARD_FLOOR
    round_to: int = 1

    def __post_init__(self) -> None:
        if self.min_subjects < HARD_FLOOR or self.round_to < 1:
            raise Malformed(
                f"floors: min_subjects is {HARD_FLOOR} or more, round_to 1 or more",
                code="charter-floors",
            )
        if self.round_to > 2 * self.min_subjects:
            raise Malformed(
                "floors: round_to is at most twice min_subjects, or a shown count would be 0",
                code="charter-floors",
            )

    def misfit(self, disclosure: Disclosure) -> str:
        """Which setting is below its floor, in words; empty where none is."""
        for name, floor in vars(self).items():
            if getattr(disclosure, name) < floor:
                return f"{name} is {getattr(disclosure, name)}, and the floor is {floor}"
        return ""


@dataclass(frozen=True)
class Charter:
    """One version. `sha256` is the digest of its payload, and its name everywhere."""

    space: str
    version: int
    previous_sha256: bytes
    proposed_at_ms: int
    reason: str
    files: Mapping[str, bytes] = field(repr=False)
    products: Mapping[str, bytes] = field(repr=False)  # name -> `Offer.shape_json`
    floors: Floors
    authority_sha256: bytes
    trust_list_sha256: bytes
    restores: int
    sha256: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))
        object.__setattr__(self, "products", MappingProxyType(dict(self.products)))
        _check_consistent(self)

    @property
    def id(self) -> str:
        """The digest in hexadecimal."""
        return self.sha256.hex()

    @property
    def brings_trust_list(self) -> bool:
        """Whether the next trust list comes with it."""
        return self.authority_sha256 != self.trust_list_sha256

    def check_offer(self, offer: Offer) -> None:
        """Refuse, as `Malformed`, an offer of another schema or below a floor."""
        if not self.has_schema_of(offer):
            raise Malformed(
                f"product {offer.product} has another schema than charter {self.version}; "
                "match it, choose another name, or see `gba govern propose --product`",
                code="product-schema",
            )
        misfit = self.floors.misfit(offer.disclosure)
        if misfit:
            raise Malformed(
                f"product {offer.product}: {misfit} by charter {self.version}; raise it",
                code="product-floor",
            )

    def has_schema_of(self, offer: Offer) -> bool:
        """Whether an offer's columns are those that the charter names, if it names any."""
        return self.products.get(offer.product, schema := offer.shape_json()) == schema


def columns_of(schema_json: bytes) -> tuple[str, dict[str, Column]]:
    """The product's name and the columns in `Offer.shape_json`. Raises `Unverified`."""
    try:
        name, shape = json.loads(schema_json)
        columns = {
            column: Column(
                type=ColumnType(kind), role=Role(role), levels=levels or None, bounds=bounds or None
            )
            for column, (kind, role, levels, bounds) in shape.items()
        }
        offer = Offer.model_validate({"product": name, "title": {"en": name}, "columns": columns})
        # INVARIANT: one schema has one spelling, so that bytes can be compared.
        if offer.shape_json() != schema_json:
            raise ValueError
    except (ValueError, TypeError, AttributeError, ValidationError, RecursionError):
        raise _bad("a product's schema in it cannot be read") from None
    return name, columns


def load_governed(files: Mapping[str, bytes], charter: Charter) -> PolicySet:
    """The set of a region's own files under a charter, whose shared files have to be those there.

    Raises `PolicyFault` for a shared file that differs, a rule of the region's own that permits,
    and whatever `rules.load` refuses.
    """
    for name, content in charter.files.items():
        if files.get(name) != content:
            raise PolicyFault(
                name,
                f"shared file {'differs from' if name in files else 'is missing, unlike in'} "
                f"charter {charter.version}; put it back, or see `gba govern propose`",
            )
    policies = load(files)
    for rule in policies.rules.values():
        if rule.effect == "permit" and rule.source not in charter.files:
            raise PolicyFault(
                rule.source,
                "a region's own rules forbid; what permits stands in space.cedar, and changes by "
                "`gba govern propose`",
                rule.line,
                rule.id,
            )
    return policies


def with_shared(files: Mapping[str, bytes], charter: Charter) -> dict[str, bytes]:
    """A folder's files with the shared ones as the charter has them."""
    return {**files, **charter.files}


def read_charter(envelope: Envelope) -> Charter:
    """The charter in an envelope. Its signatures are NOT verified: `charter_chain` does that.

    Raises `Malformed` as `dsse` does, and `Unverified` (`bad-charter`).
    """
    check_payload(envelope, charter_pb2.Charter, MAX_CHARTER_BYTES)
    wire = parse_strictly(charter_pb2.Charter, envelope.payload, MAX_CHARTER_BYTES)
    return charter_of(wire, hashlib.sha256(envelope.payload).digest())


def charter_of(wire: charter_pb2.Charter, sha256: bytes) -> Charter:
    """A checked value from its protobuf form."""
    names = [each.name for each in wire.files] + [each.product for each in wire.products]
    if len(set(names)) != len(names):
        raise _bad("a file or product stands in it twice")
    try:
        floors = Floors(wire.floors.min_subjects, wire.floors.round_to)
    except Malformed as error:
        raise _bad(str(error)) from error
    return Charter(
        space=wire.space,
        version=wire.version,
        previous_sha256=wire.previous_sha256,
        proposed_at_ms=wire.proposed_at_ms,
        reason=wire.reason,
        files={each.name: each.content for each in wire.files},
        products={each.product: each.schema_json for each in wire.products},
        floors=floors,
        authority_sha256=wire.authority_sha256,
        trust_list_sha256=wire.trust_list_sha256,
        restores=wire.restores,
        sha256=sha256,
    )


def wire_of(charter: Charter) -> charter_pb2.Charter:
    """The protobuf form, to change and to sign."""
    return charter_pb2.Charter(
        space=charter.space,
        version=charter.version,
        previous_sha256=charter.previous_sha256,
        proposed_at_ms=charter.proposed_at_ms,
        reason=charter.reason,
        files=[
            charter_pb2.CharterFile(name=name, content=content)
            for name, content in sorted(charter.files.items())
        ],
        products=[
            charter_pb2.CharterProduct(product=name, schema_json=schema)
            for name, schema in sorted(charter.products.items())
        ],
        floors=charter_pb2.CharterFloors(**vars(charter.floors)),
        authority_sha256=charter.authority_sha256,
        trust_list_sha256=charter.trust_list_sha256,
        restores=charter.restores,
    )


def floors_of(values: Mapping[str, object]) -> Floors:
    """Floors from a table whose keys are closed. Raises `Malformed` (`charter-floors`)."""
    known = Floors.__dataclass_fields__.keys()
    if values.keys() - known or not all(type(each) is int for each in values.values()):
        raise Malformed(
            f"floors: whole numbers named {', '.join(known)}, and nothing else",
            code="charter-floors",
        )
    return Floors(**{name: value for name, value in values.items() if isinstance(value, int)})


def _check_consistent(charter: Charter) -> None:
    if not charter.space or charter.version < 1:
        raise _bad("its space or version is not set")
    if len(charter.previous_sha256) != (0 if charter.version == 1 else 32):
        raise _bad("it does not say which version came before")
    if len(charter.authority_sha256) != 32 or len(charter.trust_list_sha256) != 32:
        raise _bad("it does not say which trust list it stands on")
    if charter.restores >= charter.version or len(charter.reason) > MAX_REASON:
        raise _bad("it restores a version that comes later, or gives too long a reason")
    if tuple(sorted(charter.files)) != SHARED_FILES:
        raise _bad(f"it holds other files than {' and '.join(SHARED_FILES)}")
    for name, schema in charter.products.items():
        if columns_of(schema)[0] != name:
            raise _bad(f"the schema of {name} is another product's")


def _bad(what: str) -> Unverified:
    return Unverified(
        f"this charter cannot be used: {what}; ask the regions for a sound one", code="bad-charter"
    )
