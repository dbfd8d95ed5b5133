"""`gba identity revoke` and `gba identity list`."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509

from dataspace.cli.founding_trust import REVOCATION
from dataspace.cli.options import Format, FormatOption, HomeOption, told
from dataspace.cli.output import out, print_json, print_rows
from dataspace.client.homes import region_home
from dataspace.errors import Malformed, Unverified
from dataspace.identity.certificates import region_of
from dataspace.identity.names import REGIONS, ActorUri
from dataspace.identity.profiles import holder_uri
from dataspace.identity.reading import read_pem_certificates
from dataspace.identity.register import REGISTER, Issued, Register
from dataspace.identity.revoked import REASONS, CertificateId, Revoked

app = typer.Typer(help="a region's certificates", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Commands of a region's operator about certificates."""


@app.command()
@told
def revoke(
    holder: Annotated[str, typer.Argument(help="gba://region/member/role/name, or a PEM file")],
    reason: Annotated[str, typer.Option(help=f"why: {', '.join(REASONS)}")],
    home: HomeOption = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Revoke all certificates of a holder, or the first one in a file. Nothing takes it back.

    The region's signer puts them on its next list within a second, and the list reaches every
    party within some more. A new certificate needs a new key.
    """
    if reason not in REASONS:
        raise Malformed(f"the reason is one of {', '.join(REASONS)}", code="reason")
    region, certificates, register = _meant(holder, home)
    moment = time.time_ns() // 1_000_000
    with closing(register):
        certificates = certificates or _certificates_of(register, holder)
        fresh = register.revoke(Revoked(each, moment, reason) for each in certificates)
    if format_ is Format.JSON:
        print_json({"region": region, "certificates": len(certificates), "revoked": fresh})
        return
    before = len(certificates) - fresh
    earlier = f"; {before} more had been revoked before" if before else ""
    out.print(f"{fresh} certificates of {region} revoked{earlier}; its signer signs the next list")


@app.command("list")
@told
def list_(
    home: HomeOption = None,
    region: Annotated[
        str | None, typer.Option(help="one region's; all that are here if not given")
    ] = None,
    format_: FormatOption = Format.TABLE,
) -> None:
    """List the certificates that a region has issued, and which of them hold no more."""
    found = {each: _issued(home, each) for each in ([region] if region else _regions(home))}
    if format_ is Format.JSON:
        print_json({"certificates": [_as_json(one) for issued in found.values() for one in issued]})
        return
    print_rows(
        ["holder", "use", "serial", "until", "state"],
        [
            (each.uri, each.use, f"{each.certificate.serial:x}"[:16], _day(each.until_ms),
             _state(each))
            for issued in found.values()
            for each in issued
        ],
    )  # fmt: skip


def _meant(holder: str, home: Path | None) -> tuple[str, tuple[CertificateId, ...], Register]:
    """The region that is spoken of, the certificate of a file, and the region's register."""
    if holder.startswith("gba://"):
        region = ActorUri.parse(holder).region
        return region, (), _register(home, region)
    try:
        certificate = read_pem_certificates(Path(holder).read_bytes())[0]
    except (OSError, Unverified):
        raise Malformed(
            f"{holder} is neither a holder's URI nor a file of PEM certificates", code="holder"
        ) from None
    region = _region_named(certificate)
    return region, (CertificateId.of(certificate),), _register(home, region)


def _region_named(certificate: x509.Certificate) -> str:
    """The region of a holder's certificate, or of a member authority's."""
    own = region_of(certificate)
    uri = holder_uri(certificate)
    region = uri.region if uri is not None else own
    if region not in REGIONS or region != own:
        raise Malformed("this certificate is of no region of the space", code="holder")
    return region


def _certificates_of(register: Register, uri: str) -> tuple[CertificateId, ...]:
    found = tuple(each.certificate for each in register.issued() if each.uri == uri)
    if not found:
        raise Malformed(
            "the region's register knows no certificate of this holder; see `gba identity list`, "
            "or name the file that holds the certificate",
            code="holder",
        )
    return found


def _register(home: Path | None, region: str) -> Register:
    folder = region_home(home, region).path / REVOCATION
    if not (folder / REGISTER).is_file():
        raise Malformed(
            f"{region} has no revocation signer here; the space was made without", code="register"
        )
    return Register(folder / REGISTER)


def _regions(home: Path | None) -> list[str]:
    """The regions whose register is here."""
    found = []
    for region in REGIONS:
        try:
            _register(home, region).close()
        except Malformed:
            continue
        found.append(region)
    return found


def _issued(home: Path | None, region: str) -> tuple[Issued, ...]:
    with closing(_register(home, region)) as register:
        return register.issued()


def _as_json(each: Issued) -> dict[str, object]:
    return {
        "uri": each.uri,
        "use": each.use,
        "serial": f"{each.certificate.serial:x}",
        "key_sha256": each.certificate.spki_sha256.hex(),
        "until": _day(each.until_ms),
        "revoked_at": _day(each.revoked.revoked_at_ms) if each.revoked else None,
        "reason": each.revoked.reason if each.revoked else None,
    }


def _state(each: Issued) -> str:
    if each.revoked is None:
        return "in force"
    return f"revoked {_day(each.revoked.revoked_at_ms)} ({each.revoked.reason})"


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds")
