"""Finding whose directory to act from. Rim: looks at directories."""

from __future__ import annotations

import os
from pathlib import Path

from dataspace.errors import Malformed, Unavailable
from dataspace.home import CONFIG, PartyHome

HOME_VARIABLE = "GBA_HOME"
ACTOR_VARIABLE = "GBA_AS"


class NoActor(Exception):
    """Nobody was named to act as. A mistake of usage."""


def space_home(home: Path | None) -> Path:
    """The directory given, or that of the environment."""
    named = home or (Path(os.environ[HOME_VARIABLE]) if os.environ.get(HOME_VARIABLE) else None)
    if named is None:
        raise NoActor(f"say which space: --home HOME, or set {HOME_VARIABLE}")
    if not named.is_dir():
        raise Unavailable(
            f"there is no directory {named}; make a space with `gba space init {named}`",
            code="home-missing",
        )
    return named


def actor_home(home: Path | None, actor: str | None) -> PartyHome:
    """The directory of the actor who asks.

    `home` is a space's or one party's own directory. Raises `NoActor` where it is not clear
    who acts, `Malformed` for a name that is no actor's here.
    """
    root = space_home(home)
    named = actor or os.environ.get(ACTOR_VARIABLE) or None
    if (root / CONFIG).is_file():
        own = PartyHome(root)
        if named is not None and not _is_called(own, named):
            raise Malformed(f"{root} is not the home of {named}", code="actor")
        return own
    homes = [PartyHome(each.parent) for each in sorted(root.glob(f"actors/*/{CONFIG}"))]
    if not homes:
        raise Unavailable(f"{root} holds no space and no actor's home", code="home-missing")
    if named is None:
        if len(homes) == 1:
            return homes[0]
        raise NoActor("say who asks: --as REGION/ROLE, such as --as hongkong/researcher")
    found = [each for each in homes if _is_called(each, named)]
    if len(found) != 1:
        known = ", ".join(sorted(f"{each.uri.region}/{each.uri.role}" for each in homes))
        raise Malformed(f"there is no one actor {named}; known are {known}", code="actor")
    return found[0]


def region_home(home: Path | None, region: str) -> PartyHome:
    """The directory of a region's node."""
    root = space_home(home)
    if (root / CONFIG).is_file():
        own = PartyHome(root)
        if own.config.kind == "node" and own.uri.region == region:
            return own
        raise Malformed(f"{root} is not the home of {region}'s node", code="region")
    if not (root / region / CONFIG).is_file():
        raise Malformed(f"there is no node {region} in {root}", code="region")
    return PartyHome(root / region)


def _is_called(home: PartyHome, name: str) -> bool:
    uri = home.uri
    return name in {
        str(uri),
        f"{uri.region}/{uri.role}",
        f"{uri.region}/{uri.member}/{uri.role}/{uri.name}",
    }
