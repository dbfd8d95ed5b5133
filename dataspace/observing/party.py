"""What every long-running party shows of itself: certificates, trust, lists, clock, disk. Rim."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from prometheus_client import Info, ProcessCollector

from dataspace.home import PartyHome
from dataspace.identity.keystore import SIGNING_CHAIN, TLS_CHAIN, load_chain
from dataspace.identity.trustlist import TrustList
from dataspace.observing.build import VERSION
from dataspace.observing.clock import ClockSample, ClockWatch
from dataspace.observing.counts import Counts
from dataspace.observing.endpoint import Endpoint
from dataspace.observing.readiness import Check, Readiness, trust_is_fresh
from dataspace.observing.readings import Reading, Readings, Values, single
from dataspace.processes import now_ms

_DAY_SECONDS = 86_400.0
_CHAINS = {"signing": SIGNING_CHAIN, "tls": TLS_CHAIN}

Trust = Callable[[], TrustList]


def open_page(
    home: PartyHome, trust: Trust, counts: Counts, clock: ClockWatch | None,
    readings: Iterable[Reading], checks: Iterable[Check],
) -> Endpoint:  # fmt: skip
    """Serve a party's page: its own readings and checks, and those that all have.

    Raises `Malformed` for an address elsewhere than on loopback, `Unavailable` for a taken port.
    """
    readiness = Readiness((trust_is_fresh(trust, home.uri.region, now_ms), *checks))
    build = Info("gba_build", "What runs here.", registry=counts.registry)
    build.info({"version": VERSION, "kind": home.config.kind, "region": home.uri.region})
    ProcessCollector(registry=counts.registry)  # memory, processor time, open files
    ready = single("gba_ready", "1 while /readyz says so.", lambda: not readiness.reasons())
    Readings(counts.registry, (ready, *_of_party(home, trust, clock), *readings))
    return Endpoint(home.metrics_address, home.folder("run"), counts.registry, readiness)


def _of_party(home: PartyHome, trust: Trust, clock: ClockWatch | None) -> list[Reading]:
    readings = [
        Reading(
            "gba_certificate_days_left", "Until a certificate of this party expires.",
            lambda: certificate_days(home.path), ("use",),
        ),
        single("gba_trust_list_version", "Of the trust list in force.", lambda: trust().version),
        single(
            "gba_trust_list_age_seconds", "Since the trust list in force was issued.",
            lambda: (now_ms() - trust().issued_at_ms) / 1000,
        ),
        single(
            "gba_trust_list_days_left", "Until the trust list in force expires.",
            lambda: (trust().expires_at_ms - now_ms()) / 1000 / _DAY_SECONDS,
        ),
        Reading(
            "gba_revocation_list_age_seconds", "Since a region's list in force was signed.",
            lambda: _list_ages(trust()), ("region",),
        ),
        single(
            "gba_disk_free_bytes", "On the disk of this party's directory.",
            lambda: free_bytes(home.path),
        ),
    ]  # fmt: skip
    if clock is not None:
        readings += _of_clock(clock)
    return readings


def _of_clock(clock: ClockWatch) -> list[Reading]:
    def of(value: Callable[[ClockSample], float]) -> Callable[[], float | None]:
        return lambda: None if (best := clock.best) is None else value(best)

    return [
        single(
            "gba_clock_drift_seconds", "By which this clock is ahead of the broker's.",
            of(lambda best: best.drift),
        ),
        single(
            "gba_clock_drift_bound_seconds", "How far off that may be: half the round trip.",
            of(lambda best: best.bound),
        ),
    ]  # fmt: skip


def certificate_days(directory: Path) -> Values:
    """Days until each certificate of a party expires, the first of its chain to do so."""
    for use, file in _CHAINS.items():
        chain = load_chain(directory / file)
        ends = min(each.not_valid_after_utc for each in chain)
        yield (use,), (ends.timestamp() - now_ms() / 1000) / _DAY_SECONDS


def _list_ages(trust: TrustList) -> Values:
    for region, each in sorted(trust.revocations.lists.items()):
        yield (region,), (now_ms() - each.issued_at_ms) / 1000


def free_bytes(directory: Path) -> float:
    """What an ordinary user may still write there."""
    found = os.statvfs(directory)
    return float(found.f_bavail * found.f_frsize)
