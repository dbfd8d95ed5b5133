"""What stands in a region's home beside its node. Rim: looks at directories.

    HOME/                the node
    HOME/operator/       who signs what the node offers
    HOME/witness/        the region's witness
    HOME/revocation/     its revocation signer

Each is a party of its own, in a directory named by its role, with keys of its own. Any of them may
be on another host instead.
"""

from __future__ import annotations

from pathlib import Path

from dataspace.errors import Malformed
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.names import ActorUri

BESIDE = ("operator", "witness", "revocation")


def beside(node: ActorUri, role: str) -> ActorUri:
    """Who stands beside a node in a role: of its member, named as it is (`node-2`, `witness-2`).

    Raises `Malformed` where nobody does.
    """
    if node.role != "node":
        raise Malformed(f"nobody stands beside a {node.role}; leave out --beside", code="beside")
    if role not in BESIDE:
        raise Malformed(f"beside a node stand {', '.join(BESIDE)}", code="beside")
    name = node.name
    own = role + name.removeprefix(node.role) if name.startswith(node.role) else name
    return ActorUri(node.region, node.member, role, own)


def parties_in(home: Path) -> tuple[PartyHome, ...]:
    """The party whose directory this is; where it is a node, those beside it too."""
    first = PartyHome(home)
    if first.config.kind != "node":
        return (first,)
    return (first, *(PartyHome(home / role) for role in BESIDE if (home / role / CONFIG).is_file()))
