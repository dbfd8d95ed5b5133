"""Can this party reach each broker, is it the broker, is it well, and what time has it? Dials."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from dataspace.channels import pinned_channel
from dataspace.doctor.findings import Finding, Level, failure, ok, warning
from dataspace.doctor.patient import Party
from dataspace.errors import DataspaceError, Unverified
from dataspace.identity.keystore import TlsIdentity
from dataspace.identity.trustlist import TrustList
from dataspace.observing.build import VERSION
from dataspace.observing.clock import VERSION_KEY, ClockSample, sample, told_time

_SECONDS = 5.0
_SAMPLES = 3
# Requests may come from a clock that is 5 s ahead, and no more: see `identity.freshness`.
_WRONG, _OFF = 5.0, 1.0
_NTP = (
    "have this machine keep time: `timedatectl set-ntp true` (systemd-timesyncd) or chrony; "
    "see `chronyc tracking`; if only this party is off, it is this clock"
)
_WHY = {
    "broker-unreachable": "see that the broker runs, that its address in party.toml "
    "(`broker`, or GBA_BROKER_ADDRESS) is right, and that a firewall lets this machine dial out",
    "broker-tls": "something else answers there, or a middle box opens TLS; dial directly",
    "broker-key": "do not go on: ask the other regions whether the broker has a new key "
    "(`gba trust show`); if it has, fetch the trust list that names it",
    "channel-refused": "have the region's authority issue this party's TLS certificate anew",
}


def check_broker(party: Party) -> Iterator[Finding]:
    """Connection, pinned key, health, time and version of each broker, in that order."""
    if party.kind == "broker":
        return
    tls, trust = party.home.tls, party.trust  # what is wrong with these is not the broker's
    addresses = party.home.broker_addresses
    found = {address: list(_dialled(address, tls, trust)) for address in addresses}
    if len(found) == 1:
        yield from found[addresses[0]]
        return
    another = any(each[0].level is Level.OK for each in found.values())
    for address, findings in found.items():
        for each in findings:
            level = each.level
            if another and each.code == "broker-unreachable":
                level = Level.WARNING  # the others serve
            yield replace(each, level=level, meaning=f"{address}: {each.meaning}")


def _dialled(address: str, tls: TlsIdentity, trust: TrustList) -> Iterator[Finding]:
    try:
        parts = pinned_channel(address, tls, trust)
    except DataspaceError as error:
        advice = _WHY.get(error.code, "see `gba trust show` and `gba space status`")
        yield failure(
            "broker", error.code, error.message, advice, unverified=isinstance(error, Unverified)
        )
        return
    yield ok("broker", "reached, over TLS 1.3, with a key of the trust list")
    with grpc.secure_channel(parts.address, parts.credentials, options=parts.options) as channel:
        yield from _asked(channel)


def _asked(channel: grpc.Channel) -> Iterator[Finding]:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    samples: list[ClockSample] = []
    version, serving = "", False
    try:
        for _ in range(_SAMPLES):
            sent_ms, began = time.time() * 1000, time.monotonic()
            reply, call = stub.Check.with_call(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
            round_trip = time.monotonic() - began
            metadata = call.trailing_metadata()
            samples.append(sample(sent_ms, round_trip, told_time(metadata)))
            version = str(dict(metadata).get(VERSION_KEY, ""))
            serving = reply.status == health_pb2.HealthCheckResponse.SERVING
    except ValueError:
        pass
    except grpc.RpcError as error:
        # An error of grpcio is a call too, which its types do not say.
        status = getattr(error, "code", lambda: grpc.StatusCode.UNKNOWN)().name.lower()
        yield warning(
            "broker", "health-unknown", f"the broker does not say how it is ({status})",
            "an older broker has no health service; otherwise ask its operator",
        )  # fmt: skip
        return
    if serving:
        yield ok("broker", "it says that it serves")
    else:
        yield failure(
            "broker", "broker-not-serving", "the broker runs and says that it does not serve",
            "its operator looks at /readyz, or runs `gba doctor` on the broker's home",
        )  # fmt: skip
    if samples:
        yield _clock(min(samples, key=lambda each: each.bound))
    yield _versions(version)


def _clock(best: ClockSample) -> Finding:
    drift, bound = abs(best.drift), best.bound
    way = "ahead of" if best.drift > 0 else "behind"
    said = f"this clock is {drift:.3f} s {way} the broker's, give or take {bound:.3f} s"
    if drift - bound > _WRONG:
        return failure(
            "clock", "clock-wrong", f"{said}: requests are refused as too new or expired", _NTP
        )
    if drift - bound > _OFF:
        return warning("clock", "clock-off", said, _NTP)
    return ok("clock", said)


def _versions(version: str) -> Finding:
    if not version or version == VERSION:
        return ok("versions", f"gba-dataspace {VERSION}" + (", as the broker" if version else ""))
    return warning(
        "versions", "version-differs", f"gba-dataspace {VERSION} here, {version} at the broker",
        "one release apart works; upgrade the older one before the next release",
    )  # fmt: skip
