"""`gba identity request | issue | install | rotate`: keys stay, requests and papers travel."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dataspace.authority import DAYS, Authority
from dataspace.cli.files import file_bytes, write_file, write_new_file
from dataspace.cli.founding_trust import profile_of
from dataspace.cli.options import ActorOption, Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json
from dataspace.client.homes import actor_home, space_home
from dataspace.errors import Malformed, Refused
from dataspace.home import CONFIG, PartyHome
from dataspace.identity.algorithms import ALGORITHMS, ED25519
from dataspace.identity.keystore import SIGNING_CHAIN
from dataspace.identity.names import ActorUri
from dataspace.identity.request_files import RequestFile, read_requests
from dataspace.identity.signing_requests import SigningRequest, read_request
from dataspace.installing import Installed, install_all
from dataspace.processes import now_ms
from dataspace.region_home import parties_in
from dataspace.requesting import BROKER_DNS, KeyPlaces, first_request, rotation_request

REQUEST_FILE = "request.json"  # in a party's home, beside its keys

AlgorithmOption = Annotated[
    str, typer.Option("--algorithm", help=f"of the signing key: {', '.join(ALGORITHMS)}")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help=f"the request's file; HOME/{REQUEST_FILE} if not given")
]
_Authority = Annotated[Path, typer.Option("--authority", help="the region's authority directory")]
_AuthorityAtHand = Annotated[
    Path | None, typer.Option("--authority", help="issue and install at once, where it is at hand")
]
_Register = Annotated[
    Path | None, typer.Option("--register", help="the region's register.db, where it is elsewhere")
]
_Profile = Annotated[
    str, typer.Option("--profile", help="the region's word for a person's office (trust list)")
]
_Days = Annotated[int, typer.Option("--days", min=1, help="how long the certificates hold")]


@told
def request(
    uri: Annotated[
        str, typer.Option("--uri", help="who asks, where HOME has no party.toml yet")
    ] = "",
    file: OutOption = None,
    algorithm: AlgorithmOption = ED25519,
    log_origin: Annotated[
        str, typer.Option("--log-origin", help="of a node's or broker's new log")
    ] = "",
    dns_name: Annotated[str, typer.Option("--dns", help="a broker's DNS name")] = BROKER_DNS,
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Make a party's keys, and the request for their certificates.

    The keys stay in HOME; the request is a file for the region's authority, signed by every
    key in it. Read its fingerprint to the authority by telephone. Asked again, it is for the
    same keys, of a node and of those beside it who have no certificates yet.
    """
    asking = _asking(home, uri, log_origin)
    made = b"".join(first_request(each, now_ms(), algorithm, dns_name) for each in asking)
    tell_request(made, file or space_home(home) / REQUEST_FILE, format_)


@told
def issue(
    file: Annotated[Path, typer.Argument(metavar="REQUEST", help="the request's file")],
    authority: _Authority,
    to: Annotated[Path, typer.Option("--out", help="where the certificates go")],
    fingerprint: Annotated[
        str, typer.Option("--fingerprint", help="as the holder reads it out; another is refused")
    ] = "",
    profile: _Profile = "",
    days: _Days = DAYS,
    replace: Annotated[
        bool, typer.Option("--replace", help="the holder has lost the key that had this name")
    ] = False,
    register: _Register = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Certify the keys of requests, as their region's authority. Compare the fingerprint first.

    What is issued is in the region's register before it is in the file. The same request again
    gives the same certificates.
    """
    asked = read_requests(file_bytes(file))
    _compare(asked, fingerprint)
    chosen = Authority.open(authority, register)
    issued = [
        chosen.issue(
            each, _now(), profile=profile or profile_of(each.uri), days=days, replace=replace
        )
        for each in asked.requests
    ]
    write_new_file(to, b"".join(each.pem for each in issued))
    again = all(each.again for each in issued)
    if format_ is Format.JSON:
        print_json(_file_json(asked) | {"file": str(to), "again": again})
        return
    _tell(f"request of {_named(asked)}, fingerprint {asked.fingerprint}")
    before = "as they were issued for this request before" if again else "issued"
    _tell(f"the certificates are in {to}, {before}; next: `gba identity install {to}` there")


@told
def install(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="what `gba identity issue` wrote")],
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Take certificates into a party's home, where they fit its keys and the trust list.

    In a node's home each of the parties there gets its own. All of it is looked at before anything
    is changed. A party that runs uses them within seconds, without a restart.
    """
    party = _party(home, actor)
    done = install_all(parties_in(party.path), file_bytes(file), now_ms())
    (party.path / REQUEST_FILE).unlink(missing_ok=True)  # it was answered
    _tell_installed(done, format_)


@told
def rotate(
    authority: _AuthorityAtHand = None,
    same_keys: Annotated[
        bool, typer.Option("--same-keys", help="renew the certificates, keep the keys")
    ] = False,
    pinned_too: Annotated[
        bool, typer.Option("--pinned-too", help="also the key that the trust list pins")
    ] = False,
    file: OutOption = None,
    profile: _Profile = "",
    days: _Days = DAYS,
    register: _Register = None,
    home: HomeOption = None,
    actor: ActorOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """New keys and certificates for a party: at once with --authority, else a request for them.

    The keys in use go on until `gba identity install` takes the answer in, and sign the request.
    A broker's TLS key and a revocation signer's key stay, since the trust list pins them.
    """
    party = _party(home, actor)
    made = rotation_request(_places_of(party), now_ms(), same_keys=same_keys, pinned_too=pinned_too)
    if authority is None:
        tell_request(made, file or party.path / REQUEST_FILE, format_)
        return
    asked = read_request(made)
    issued = Authority.open(authority, register).issue(
        asked, _now(), profile=profile or profile_of(asked.uri), days=days
    )
    _tell_installed(install_all([party], issued.pem, now_ms()), format_)


def tell_request(made: bytes, to: Path, format_: Format) -> None:
    """Write a file of requests, and say what to do with it."""
    asked = read_requests(made)
    write_file(to, made)
    if format_ is Format.JSON:
        print_json(_file_json(asked) | {"file": str(to)})
        return
    _tell(f"request of {_named(asked)}: {to}")
    _tell(f"fingerprint {asked.fingerprint}")
    _tell("hand the file to your region's authority, and read the fingerprint to it by telephone; "
          "with what it sends back: `gba identity install FILE`")  # fmt: skip


def _asking(home: Path | None, uri: str, log_origin: str) -> list[KeyPlaces]:
    """Who asks: the party of a home; where it is a node, whoever has no certificates yet there."""
    first = _places(home, uri, log_origin)
    if not (first.path / CONFIG).is_file():
        return [first]
    lacking = [each for each in parties_in(first.path) if not (each.path / SIGNING_CHAIN).is_file()]
    return [_places_of(each) for each in lacking] or [first]


def _places(home: Path | None, uri: str, log_origin: str) -> KeyPlaces:
    """Of a home that has its party.toml, or of a directory that has nothing yet."""
    if home is not None and not home.exists():
        home.mkdir(mode=0o700, parents=True)
    root = space_home(home)
    if (root / CONFIG).is_file():
        places = _places_of(PartyHome(root))
        if uri and ActorUri.parse(uri) != places.uri:
            raise Malformed(f"{root} is the home of {places.uri}", code="actor")
        return places
    if not uri:
        raise Malformed(f"{root} does not say whose it is yet; give --uri gba://…", code="actor")
    parsed = ActorUri.parse(uri)
    owner = "broker" if parsed.role == "broker" else parsed.region
    return KeyPlaces(root, parsed, log_origin or f"gba.dataspace/{owner}")


def _places_of(party: PartyHome) -> KeyPlaces:
    config = party.config
    origin = config.log_origin or f"{config.space}.dataspace/{party.uri.region}"
    return KeyPlaces(party.path, party.uri, origin, config.signing_key, config.log_key)


def _party(home: Path | None, actor: str | None) -> PartyHome:
    """Any party's own directory; of a space's, the actor's."""
    root = space_home(home)
    return PartyHome(root) if (root / CONFIG).is_file() else actor_home(home, actor)


def _compare(asked: RequestFile, fingerprint: str) -> None:
    if fingerprint and fingerprint.lower().split() != asked.fingerprint.split():
        raise Refused(
            f"this request has another fingerprint, {asked.fingerprint}: it is not the one that "
            "the holder made; ask for it again, on another way",
            code="request-fingerprint",
            rule="request-fingerprint",
            basis="space rule: issuing",
        )


def _tell_installed(installed: list[tuple[PartyHome, Installed]], format_: Format) -> None:
    if format_ is Format.JSON:
        told = [
            {"uri": str(party.uri), "until": _moment(done), "changed": done.changed}
            for party, done in installed
        ]
        print_json(told[0] | ({"beside": told[1:]} if told[1:] else {}))
        return
    for party, done in installed:
        before = "in force" if done.changed else "in force already"
        _tell(f"the certificates of {party.uri} are {before}, until {_moment(done)}")
        if done.changed and party.uri.role == "operator":
            _tell(f"sign what the region offers anew: `gba node republish {party.uri.region}`")


def _moment(done: Installed) -> str:
    return done.until.isoformat(timespec="seconds")


def _named(asked: RequestFile) -> str:
    return ", ".join(str(each.uri) for each in asked.requests)


def _file_json(asked: RequestFile) -> dict[str, object]:
    first, *more = map(_request_json, asked.requests)
    whole = {"fingerprint": asked.fingerprint, "sha256": asked.sha256.hex()}
    return first | whole | ({"beside": more} if more else {})


def _request_json(asked: SigningRequest) -> dict[str, object]:
    return {
        "uri": str(asked.uri),
        "fingerprint": asked.fingerprint,
        "sha256": asked.sha256.hex(),
        "log": asked.log.to_text() if asked.log else None,
        "witness": [each.to_text() for each in asked.witness],
    }


def _now() -> datetime:
    return datetime.fromtimestamp(now_ms() / 1000, UTC)


def _tell(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)
