"""Does this machine have room, and are the ports right? Writes one probe and takes it away."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator

import psutil

from dataspace.audit.durable import sync_directory, write_synced
from dataspace.doctor.findings import Finding, failure, ok, warning
from dataspace.doctor.patient import STANDING, Party
from dataspace.errors import Malformed
from dataspace.observing.endpoint import loopback_address

_LITTLE, _TOO_LITTLE = 2 << 30, 256 << 20
_SLOW_SECONDS = 1.0


def check_disk(party: Party) -> Iterator[Finding]:
    """Free space, and a write that is flushed to the disk."""
    found = os.statvfs(party.home.path)
    free = found.f_bavail * found.f_frsize
    size = f"{free / (1 << 30):.1f} GiB free"
    advice = "free space or grow the disk; what cannot be recorded is not released"
    if free < _TOO_LITTLE:
        yield failure("disk", "disk-full", f"{size}: the log is about to stop", advice)
    elif free < _LITTLE:
        yield warning("disk", "disk-little", size, advice)
    else:
        yield ok("disk", size)
    if party.kind in STANDING:
        yield _probe(party)


def _probe(party: Party) -> Finding:
    folder = party.home.folder("run")
    file = folder / f"probe-{secrets.token_hex(8)}"
    began = time.monotonic()
    try:
        write_synced(file, bytes(4096))
        sync_directory(folder)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        return failure(
            "disk", "disk-write", f"a file cannot be written here ({why})",
            "look at the disk, at its mount (read-only?) and at who owns this directory",
        )  # fmt: skip
    finally:
        file.unlink(missing_ok=True)
    seconds = time.monotonic() - began
    if seconds > _SLOW_SECONDS:
        return warning(
            "disk", "disk-slow", f"a flush to the disk took {seconds:.1f} s; each answer waits "
            "for one", "see what else writes to this disk, or move the home to a faster one",
        )  # fmt: skip
    return ok("disk", f"written and flushed in {seconds * 1000:.0f} ms")


def check_ports(party: Party) -> Iterator[Finding]:
    """Addresses that this party listens on: held by its process, or free for it."""
    for setting, address in _addresses(party):
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            yield failure(
                "ports", "port-form", f"`{setting}` is no address: host:port is needed",
                "write it as 127.0.0.1:7443 in party.toml",
            )  # fmt: skip
            continue
        held = _held_ports(party.process)
        if party.process is not None and (held is None or int(port) in held):
            yield ok("ports", f"{setting}: {address} is held by this party's process")
        elif party.process is None and _is_free(host, int(port)):
            yield ok("ports", f"{setting}: {address} is free for it")
        else:
            yield failure(
                "ports", "port-taken",
                f"{setting}: {address} is held by another program, or not allowed here",
                f"stop that program (`ss -ltnp 'sport = :{port}'` names it), or change "
                f"`{setting}` in party.toml",
            )  # fmt: skip


def _addresses(party: Party) -> Iterator[tuple[str, str]]:
    if party.kind == "broker":
        yield "listen", party.home.listen_address
        if party.home.http_address:
            yield "http", party.home.http_address
    if party.kind in STANDING:
        try:
            metrics = loopback_address(party.home.metrics_address)
        except Malformed:
            yield "metrics", ""
            return
        if metrics is not None and not metrics.endswith(":0"):
            yield "metrics", metrics


def _held_ports(process: psutil.Process | None) -> set[int] | None:
    """Ports that a process listens on; None where this user may not see that."""
    if process is None:
        return set()
    try:
        found = process.net_connections(kind="tcp")
    except psutil.Error:
        return None
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.removeprefix("[").removesuffix("]"), port))
        except OSError:
            return False
    return True
