"""What a charter would change, for people to read, and what follows the one in force. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding

from dataspace.errors import Malformed
from dataspace.identity.trusted import TrustedRegionValue, TrustList
from dataspace.policy.charter import (
    MAX_REASON,
    Charter,
    Floors,
    columns_of,
    wire_of,
)
from dataspace.v1 import charter_pb2


@dataclass(frozen=True)
class Change:
    """One thing that becomes another: `what` is file, product, floors or trust list.

    `lines` are a unified difference without its head.
    """

    what: str
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Draft:
    """What a proposal changes; what is None stays as it is.

    `trust_list_sha256` is the digest of the payload of a trust list that comes with it.
    """

    files: Mapping[str, bytes] | None = None
    products: Mapping[str, bytes] | None = None
    floors: Floors | None = None
    trust_list_sha256: bytes | None = None
    restores: Charter | None = None


def following(
    current: Charter, draft: Draft, authority_sha256: bytes, reason: str, now_ms: int
) -> charter_pb2.Charter:
    """The charter after `current`, to be signed. Raises `Malformed` where nothing would change."""
    if not reason.strip() or len(reason) > MAX_REASON:
        raise Malformed(
            f"say why, in at most {MAX_REASON} characters: --reason", code="charter-reason"
        )
    based_on = draft.restores or current
    wire = wire_of(based_on)
    _overlay(wire, draft)
    wire.version, wire.previous_sha256 = current.version + 1, current.sha256
    wire.proposed_at_ms, wire.reason = now_ms, reason
    wire.restores = draft.restores.version if draft.restores is not None else 0
    wire.authority_sha256 = authority_sha256
    wire.trust_list_sha256 = draft.trust_list_sha256 or authority_sha256
    before = wire_of(current)
    same = all(
        getattr(wire, name) == getattr(before, name) for name in ("files", "products", "floors")
    )
    if same and draft.trust_list_sha256 is None:
        raise Malformed(
            f"this is what charter {current.version} says already; nothing would change",
            code="charter-same",
        )
    return wire


def changes(
    before: Charter, after: Charter, offered: Mapping[str, bytes] | None = None
) -> tuple[Change, ...]:
    """File by file, column by column, floor by floor.

    `offered` are the schemas that regions offer now, for products that `before` does not name.
    """
    found = [
        _change("file", name, _text(before.files.get(name)), _text(after.files.get(name)))
        for name in sorted({*before.files, *after.files})
    ]
    known = {**(offered or {}), **before.products}
    for name in sorted({*before.products, *after.products}):
        now, then = known.get(name), after.products.get(name)
        found.append(_change("product", name, _columns(now), _columns(then)))
    found.append(_change("floors", "", _floors(before.floors), _floors(after.floors)))
    return tuple(each for each in found if each.lines)


def trust_change(before: TrustList, after: TrustList) -> Change:
    """A trust list, field by field; keys and certificates by their digests."""
    return _change("trust list", f"{after.version}", _trust(before), _trust(after))


def _overlay(wire: charter_pb2.Charter, draft: Draft) -> None:
    for name, content in (draft.files or {}).items():
        for file in wire.files:
            if file.name == name:
                file.content = content
    products = {each.product: each.schema_json for each in wire.products} | dict(
        draft.products or {}
    )
    del wire.products[:]
    for name, schema in sorted(products.items()):
        wire.products.add(product=name, schema_json=schema)
    if draft.floors is not None:
        wire.floors.CopyFrom(charter_pb2.CharterFloors(**vars(draft.floors)))


def _change(what: str, name: str, before: Iterable[str], after: Iterable[str]) -> Change:
    lines = list(unified_diff(list(before), list(after), lineterm="", n=2))
    return Change(what, name, tuple(lines[2:]))


def _text(content: bytes | None) -> list[str]:
    return (content or b"").decode("utf-8", "replace").splitlines()


def _columns(schema: bytes | None) -> list[str]:
    if schema is None:
        return []
    written = []
    for name, column in columns_of(schema)[1].items():
        words = [f"{name}: {column.type.value}, {column.role.value}"]
        if column.levels is not None:
            words.append(f"levels {json.dumps(column.levels, ensure_ascii=False)}")
        if column.bounds is not None:
            words.append(f"bounds {json.dumps(column.bounds)}")
        written.append(", ".join(words))
    return written


def _floors(floors: Floors) -> list[str]:
    return [f"{name}: {value}" for name, value in vars(floors).items()]


def _trust(trust: TrustList) -> list[str]:
    lines = [f"version: {trust.version}", f"expires_at_ms: {trust.expires_at_ms}"]
    for _, region in sorted(trust.regions.items()):
        lines += _region(region)
    lines += sorted(f"log {each.origin} of {each.owner}: {each.vkey}" for each in trust.logs)
    lines += sorted(
        f"witness {each.name} of {each.region}: {_short(vkey.encode())}"
        for each in trust.witnesses
        for vkey in each.vkeys
    )
    lines += sorted(
        f"broker {each.uri} at {each.dns_name}: {_short(key)}"
        for each in trust.brokers
        for key in each.public_keys
    )
    lines += sorted(
        f"revocation signer {each.uri}: {_short(each.public_key_der)}"
        for each in trust.revocation_signers
    )
    return lines


def _region(region: TrustedRegionValue) -> list[str]:
    name = region.region
    return [
        f"{name}: {'suspended' if region.suspended else 'in force'}",
        *sorted(f"{name} root {_short(root.public_bytes(Encoding.DER))}" for root in region.roots),
        *sorted(
            f"{name} trust key {key.keyid}: {_short(key.public_key_der)}"
            for key in region.trust_keys
        ),
        *sorted(
            f"{name} profile {each.profile}: {each.role}, assurance {each.assurance}"
            for each in region.profiles
        ),
    ]


def _short(data: bytes) -> str:
    return sha256(data).hexdigest()[:32]
