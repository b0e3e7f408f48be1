"""Every limit of the server in one place, so that tests can shrink them."""

from __future__ import annotations

from msgspec import Struct

KIB = 1024
MIB = 1024 * KIB


class Limits(Struct, frozen=True):
    """Seconds and bytes; reasons are in docs/reliability.md, section "Limits"."""

    # the client's side
    body_wire: int = 32 * MIB  # compressed; a plain body may be `body_decoded` long
    body_decoded: int = 64 * MIB
    body_ratio: int = 200  # of decoded to compressed bytes, beyond the first MiB
    json_depth: int = 256
    head_s: float = 10.0  # a whole request head
    body_start_s: float = 30.0
    body_rate: int = 64 * KIB  # bytes per second, averaged, once `body_start_s` has passed
    body_s: float = 300.0
    idle_s: float = 75.0  # a connection between two requests
    stall_s: float = 60.0  # a client that does not read
    keepalive_s: float = 15.0  # of silence towards a client
    in_flight: int = 512
    bodies_held: int = 256 * MIB  # of all requests that are being served
    sockets: int = 512
    socket_idle_s: float = 900.0  # a socket between two turns
    transcripts_held: int = 256 * MIB  # of all sockets between two turns

    # the upstream's side
    connect_s: float = 5.0
    first_byte_s: float = 60.0
    first_byte_whole_s: float = 300.0  # for answers that do not stream
    first_output_s: float = 120.0  # silence before any output
    idle_upstream_s: float = 240.0  # below the 300 s at which Codex gives up: our error ends it, not theirs
    whole_s: float = 900.0
    error_body: int = 64 * KIB
    error_body_s: float = 5.0
    reply: int = 64 * MIB  # an answer that does not stream
    drain_s: float = 0.25  # for the last bytes after an answer's end, so that the connection can be used again

    # the process
    shutdown_s: float = 25.0
    queue_rows: int = 10_000
    queue_bytes: int = 64 * MIB
    batch_s: float = 0.05
    batch_rows: int = 200
    flush_s: float = 5.0  # at shutdown
    body_kept: int = 16 * MIB  # of one side of an exchange, in a trace; the store keeps only what is new of it
