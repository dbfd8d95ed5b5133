"""Does the chain of trust lists hold, and are the revocation lists fresh? Reads files."""

from __future__ import annotations

from collections.abc import Iterator

from dataspace.doctor.findings import Finding, failure, ok, warning
from dataspace.doctor.patient import STANDING, Party
from dataspace.identity.revoked import STALE_MS

SOON_DAYS = 30
_DAY_MS = 86_400_000


def check_trust(party: Party) -> Iterator[Finding]:
    """The list in force: reached from the pinned one, not expired."""
    trust = party.trust  # raises `Unverified` where the chain does not hold
    days = (trust.expires_at_ms - party.now_ms) / _DAY_MS
    suspended = sorted(name for name, each in trust.regions.items() if each.suspended)
    if days <= 0:
        yield failure(
            "trust list", "trust-expired",
            f"version {trust.version} of the trust list expired: everything is refused",
            "have two regions sign the next version, and put it into trust/ "
            "(`gba trust sign`, `gba trust show`); check the clock first",
        )  # fmt: skip
    elif days < SOON_DAYS:
        yield warning(
            "trust list", "trust-soon",
            f"version {trust.version} of the trust list expires in {days:.0f} days",
            "have two regions sign the next version before then (`gba trust show`)",
        )  # fmt: skip
    else:
        yield ok(
            "trust list", f"version {trust.version}, reached from the pinned one, {days:.0f} days"
        )
    if suspended:
        yield warning(
            "trust list", "region-suspended", f"{', '.join(suspended)} is suspended in it",
            "expected while its keys are replaced; otherwise ask the regions that signed it",
        )  # fmt: skip


def check_revocations(party: Party) -> Iterator[Finding]:
    """The lists that this party holds. One that does not run gets none, and needs none."""
    if party.kind not in STANDING or party.process is None:
        return
    lists = party.trust.revocations.lists
    regions = sorted({signer.uri.region for signer in party.trust.revocation_signers})
    stale = [
        region
        for region in regions
        if region not in lists or not lists[region].is_current(party.now_ms)
    ]
    if stale:
        yield failure(
            "revocation lists", "revocations-stale",
            f"there is no list of {', '.join(stale)} of the last {STALE_MS // 60_000} minutes: "
            "everybody of that region is refused here",
            f"see that the revocation signer of {', '.join(stale)} runs and is attached "
            "(`gba space status`), that this party is attached, and that both clocks are right",
        )  # fmt: skip
    elif regions:
        oldest = max(party.now_ms - lists[region].issued_at_ms for region in regions)
        yield ok("revocation lists", f"of {len(regions)} regions, at most {oldest // 1000} s old")
