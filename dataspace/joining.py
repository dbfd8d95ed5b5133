"""A home for a party that joins a space which is there. Rim: makes a directory.

    people        party.toml, trust/, keys/
    node, broker  the same, with policies/, charters/, and an empty log of its own
    witness       the same as people, with nothing seen yet
    revocation    the same as people, with an empty register

It stands on the first trust list, by its digest; whoever joins has to have that from somebody whom
it believes. Joining again after a mistake or a crash goes on with the keys that are there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dataspace.audit.durable import write_synced
from dataspace.audit.store import LogStore
from dataspace.audit.witness_store import SqliteWitnessStore
from dataspace.charter_files import FOLDER as CHARTERS
from dataspace.charter_files import write_charter
from dataspace.errors import Malformed, Refused, Unavailable, Unverified
from dataspace.home import CONFIG, PartyConfig, PartyHome, write_config
from dataspace.identity.dsse import parse_envelope
from dataspace.identity.names import PEOPLE_ROLES, ActorUri
from dataspace.identity.register import REGISTER, Register
from dataspace.identity.trusted import BROKER, read_unverified
from dataspace.identity.trustlist import TrustList, accept_chain
from dataspace.policy.charter_chain import accept_all
from dataspace.requesting import KeyPlaces
from dataspace.v1.envelope_pb2 import Envelope

DECIDING = frozenset({"node", BROKER})  # roles whose parties have rules and a log


@dataclass(frozen=True)
class Invitation:
    """What a party was given: where the broker is, trust lists 1 to N, and charters 1 to N."""

    broker: str
    trust: tuple[Envelope, ...]
    trust_sha256: str  # of version 1, as somebody believed gave it, or as the file has it
    charters: tuple[Envelope, ...] = ()

    @classmethod
    def read(
        cls, broker: str, trust: Sequence[bytes], sha256: str, charters: Sequence[bytes]
    ) -> Invitation:
        """From files. Raises `Malformed`, or `Unverified` `trust-list-form`."""
        host, _, port = broker.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise Malformed("write the broker's address as HOST:PORT", code="join-broker")
        lists = _in_order(trust, "trust list")
        found = hashlib.sha256(lists[0].payload).hexdigest()
        if sha256 and found != sha256.lower().replace(" ", ""):
            raise Unverified(
                f"this is not the trust list that was meant: its digest is {found}; "
                "ask whoever gave you the digest for the list",
                code="trust-list-pin",
            )
        return cls(broker, lists, found, _in_order(charters, "charter") if charters else ())

    def accepted(self, now_ms: int) -> TrustList:
        """The last of the trust lists, verified from the first, which is taken as given."""
        lists = [read_unverified(each) for each in self.trust]
        accepted = accept_chain(self.trust, bytes.fromhex(self.trust_sha256), now_ms)
        accept_all(self.charters, lists)  # verified as a chain one line above
        return accepted


def make_home(
    folder: Path, uri: ActorUri, invitation: Invitation, now_ms: int,
    *, log_origin: str = "", signing_key: str = "", log_key: str = "",
) -> KeyPlaces:  # fmt: skip
    """Make a party's directory, without keys. One that was made so before stays as it is.

    Raises `Refused` `home-there` where the directory is another party's or holds something else,
    and what is wrong with the invitation.
    """
    trust = invitation.accepted(now_ms)
    kind = "actor" if uri.role in PEOPLE_ROLES else uri.role
    if kind in DECIDING and not invitation.charters:
        raise Malformed(
            f"a {kind} decides by the space's charter; give it: --charter FILE", code="join-charter"
        )
    owner = BROKER if kind == BROKER else uri.region
    origin = log_origin or f"{trust.space}.dataspace/{owner}"
    config = PartyConfig.model_validate(
        {
            "space": trust.space,
            "kind": kind,
            "uri": str(uri),
            "broker": invitation.broker,
            "trust_sha256": invitation.trust_sha256,
            "charter_sha256": hashlib.sha256(invitation.charters[0].payload).hexdigest()
            if invitation.charters else "",
            "log_origin": origin if kind in DECIDING else "",
            "signing_key": signing_key,
            "log_key": log_key,
        }
    )  # fmt: skip
    if not _is_begun(folder, config):
        _write(folder, config, invitation)
    return KeyPlaces(folder, uri, origin, signing_key, log_key)


def settle(home: PartyHome) -> None:
    """What a party's directory holds beside keys and papers, once its keys are there."""
    kind, path = home.config.kind, home.path
    if kind in DECIDING:
        if not (path / "log").exists():
            LogStore.create(path / "log", home.config.log_origin, home.log_key).close()
        if not (path / "policies").exists():
            copy_policies(path / "policies")
    elif kind == "witness":
        SqliteWitnessStore(path / "seen.db").close()
    elif kind == "revocation":
        Register(path / REGISTER).close()


def installed_policies() -> Path:
    """The folder of policies that the installation came with."""
    # `policies` is a folder of data beside the packages, found as a namespace package.
    spec = find_spec("policies")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    if not folders:
        raise Unavailable("the installation lacks its policies folder", code="installation")
    return Path(folders[0])


def copy_policies(target: Path) -> None:
    """Copy the installed policies into a party's directory."""
    ignored = shutil.ignore_patterns("__pycache__", "__init__.py", ".*")
    shutil.copytree(installed_policies(), target, ignore=ignored)


def _is_begun(folder: Path, config: PartyConfig) -> bool:
    """Whether this very home was made before; `Refused` where something else is in the way."""
    if (folder / CONFIG).is_file():
        if PartyHome(folder).config == config:
            return True
        raise _in_the_way(folder, "is another party's home, or joined with other papers")
    if folder.exists() and (not folder.is_dir() or any(_kept(folder))):
        raise _in_the_way(folder, "holds something else")
    return False


def _kept(folder: Path) -> list[Path]:
    """What is in a directory beside keys and papers that were made before party.toml."""
    return [each for each in folder.iterdir() if each.name not in {"keys", "trust", CHARTERS}]


def _write(folder: Path, config: PartyConfig, invitation: Invitation) -> None:
    try:
        (folder / "trust").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for version, envelope in enumerate(invitation.trust, 1):
            write_synced(folder / "trust" / f"{version}.dsse", envelope.SerializeToString())
        if invitation.charters and config.kind in DECIDING:
            (folder / CHARTERS).mkdir(mode=0o700, exist_ok=True)
            for version, envelope in enumerate(invitation.charters, 1):
                write_charter(folder / CHARTERS, envelope, version)
        write_config(folder, config)  # last: what has one is made
    except OSError as error:
        raise Unavailable(
            f"{folder} cannot be made ({error.strerror}); see the disk and its permissions",
            code="disk",
        ) from None


def _in_order(files: Sequence[bytes], what: str) -> tuple[Envelope, ...]:
    try:
        return tuple(parse_envelope(each) for each in files)
    except Malformed:
        raise Unverified(
            f"this is no {what}; ask for the file anew", code="trust-list-form"
        ) from None


def _in_the_way(folder: Path, what: str) -> Refused:
    return Refused(
        f"{folder} {what}; choose another directory", code="home-there", rule="home-there",
        basis="space rule: homes",
    )  # fmt: skip
