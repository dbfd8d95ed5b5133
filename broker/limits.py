"""What the broker's port takes in: sizes, connections, streams, times. Rim: sets file limits.

The numbers are for one replica. What one certified peer may make it hold is about
`_STREAMS` messages of `MAX_RECEIVED_BYTES` a connection; see docs/security.md.
"""

from __future__ import annotations

import resource

from dataspace.channels import KEEPALIVE_OPTIONS, MAX_MESSAGE_BYTES, UNCOMPRESSED_OPTIONS
from dataspace.identity.dsse import MAX_ENVELOPE_BYTES

# The largest that is ever sent to a broker is one envelope in a frame; answers come in pieces.
MAX_RECEIVED_BYTES = MAX_ENVELOPE_BYTES + 64 * 1024
MOST_CALLS = 4096  # of everybody together, streams that nothing comes over among them
_STREAMS = 64  # of one connection
_SPARE_FILES = 512  # for log, bodies, index, HTTP
_WANTED_FILES = 8192

Options = tuple[tuple[str, str | int], ...]


def server_options(connections: int) -> Options:
    """The options of the gRPC server."""
    return (
        ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.so_reuseport", 0),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.max_concurrent_streams", _STREAMS),
        # Who does not finish its TLS handshake, or opens a connection and asks nothing.
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.max_connection_idle_ms", 600_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 2),
        *UNCOMPRESSED_OPTIONS,
        *KEEPALIVE_OPTIONS,
    )


def room_for(connections: int) -> int:
    """As many connections as there are file descriptors for, and the log still opens its files.

    SECURITY: without this a flood of connections would end in a log that cannot write.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _WANTED_FILES:
        soft = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(16, min(connections, soft - _SPARE_FILES))
