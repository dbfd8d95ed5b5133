"""Whether a signed request is fresh, and for us. Remembers nothing: see `replay`.

Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterable

from dataspace.errors import Malformed, Refused
from dataspace.v1.envelope_pb2 import Freshness

MAX_LIFE_MS = 300_000
SKEW_MS = 5_000
NONCE_BYTES = 16


def make_freshness(
    *, now_ms: int, nonce: bytes, audience: Iterable[str], life_ms: int = 60_000
) -> Freshness:
    """What a request carries so that it acts once, soon, and only where it was sent."""
    freshness = Freshness(
        issued_at_ms=now_ms,
        expires_at_ms=now_ms + life_ms,
        nonce=nonce,
        audience=sorted(set(audience)),
    )
    _check_form(freshness)
    return freshness


def check_freshness(
    freshness: Freshness,
    *,
    now_ms: int,
    audience: str,
    max_life_ms: int = MAX_LIFE_MS,
    skew_ms: int = SKEW_MS,
) -> None:
    """Return if a request is fresh and meant for `audience`, a region id or "broker".

    Raises `Malformed` (`bad-freshness`), or `Refused` under `freshness-future`,
    `freshness-lifetime`, `freshness-expired` or `freshness-audience`.
    """
    _check_form(freshness)
    if freshness.issued_at_ms > now_ms + skew_ms:
        raise _refused("future", "this request is from the future; check both clocks, sign anew")
    if freshness.expires_at_ms - freshness.issued_at_ms > max_life_ms:
        raise _refused(
            "lifetime", f"a request may live {max_life_ms // 1000} seconds at most; sign anew"
        )
    if freshness.expires_at_ms <= now_ms:
        raise _refused("expired", "this request has expired; check the clock and sign anew")
    if audience not in freshness.audience:
        raise _refused(
            "audience", f"this request is not for {audience}; sign one that names it as audience"
        )


def _check_form(freshness: Freshness) -> None:
    if len(freshness.nonce) != NONCE_BYTES:
        raise _malformed(f"its nonce has {NONCE_BYTES} bytes")
    if freshness.expires_at_ms <= freshness.issued_at_ms or freshness.issued_at_ms <= 0:
        raise _malformed("it expires after it was issued")
    if not freshness.audience or list(freshness.audience) != sorted(set(freshness.audience)):
        raise _malformed("its audience is a sorted list of regions, each once")


def _malformed(what: str) -> Malformed:
    return Malformed(f"the request's freshness is not well formed: {what}", code="bad-freshness")


def _refused(rule: str, message: str) -> Refused:
    return Refused(
        message,
        code=f"freshness-{rule}",
        rule=f"freshness-{rule}",
        basis="space rule: freshness",
    )
