"""`gba join`: a home and a signing request for whoever joins a space that is there."""

from __future__ import annotations

from typing import Annotated

import typer

from dataspace.cli.certifying import REQUEST_FILE, AlgorithmOption, OutOption, tell_request
from dataspace.cli.files import is_url, paper_bytes
from dataspace.cli.options import Format, FormatOption, HomeOption, told
from dataspace.cli.output import out
from dataspace.client.homes import NoActor
from dataspace.errors import Malformed
from dataspace.home import PartyHome
from dataspace.identity.algorithms import ED25519
from dataspace.identity.names import ActorUri
from dataspace.joining import Invitation, make_home, settle
from dataspace.processes import now_ms
from dataspace.region_home import BESIDE, beside
from dataspace.requesting import BROKER_DNS, first_request


@told
def join(
    broker: Annotated[str, typer.Argument(metavar="BROKER", help="HOST:PORT to dial")],
    uri: Annotated[str, typer.Option("--uri", help="who you are: gba://REGION/MEMBER/ROLE/NAME")],
    trust: Annotated[
        list[str],
        typer.Option(help="the first trust list (a file, or http://… with --trust-sha256); again "
                          "for each version after it"),
    ],
    trust_sha256: Annotated[
        str, typer.Option("--trust-sha256", help="digest of the first trust list")
    ] = "",
    charter: Annotated[
        list[str] | None, typer.Option(help="the first charter, as --trust; a node needs it")
    ] = None,
    home: HomeOption = None,
    with_it: Annotated[
        list[str] | None,
        typer.Option("--beside", help=f"also the node's {', '.join(BESIDE)}, in HOME/ROLE; again"),
    ] = None,
    file: OutOption = None,
    algorithm: AlgorithmOption = ED25519,
    log_origin: Annotated[
        str, typer.Option("--log-origin", help="of a node's or broker's new log")
    ] = "",
    dns_name: Annotated[str, typer.Option("--dns", help="a broker's DNS name")] = BROKER_DNS,
    signing_key: Annotated[
        str, typer.Option("--signing-key", help="a PKCS#11 URI, where it is kept in a token")
    ] = "",
    log_key: Annotated[str, typer.Option("--log-key", help="the same for the log's key")] = "",
    format_: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Make your home, your keys and a signing request, to join a space that is there.

    Compare the trust list's digest with somebody whom you believe: everything else is judged by
    it. Once the authority of your region has issued certificates and `gba identity install` has
    taken them, `gba catalog` works. A node's operator, witness and revocation signer may join with
    it, each with keys of its own, by one file of requests.
    """
    if home is None:
        raise NoActor("say where your home shall be: --home HOME")
    actor = ActorUri.parse(uri)
    sources = [*trust, *(charter or ())]
    if not trust_sha256 and any(map(is_url, sources)):
        # SECURITY: over a network it could be anybody's list, and everything hangs on it.
        raise Malformed(
            "what is fetched is believed by its digest alone; give --trust-sha256, which "
            "somebody in the space reads to you",
            code="trust-list-pin",
        )
    invitation = Invitation.read(
        broker,
        [paper_bytes(each) for each in trust],
        trust_sha256,
        [paper_bytes(each) for each in charter or ()],
    )
    parties = {home: actor} | {home / role: beside(actor, role) for role in with_it or ()}
    made = b""
    for folder, uri_of in parties.items():
        places = make_home(
            folder, uri_of, invitation, now_ms(),
            log_origin=log_origin, signing_key=signing_key, log_key=log_key,
        )  # fmt: skip
        made += first_request(places, now_ms(), algorithm, dns_name)
        settle(PartyHome(folder))
    if format_ is not Format.JSON:
        given = "as given" if trust_sha256 else "compare it with somebody in the space"
        out.print(f"trust list {invitation.trust_sha256}: {given}", markup=False, soft_wrap=True)
    tell_request(made, file or home / REQUEST_FILE, format_)
