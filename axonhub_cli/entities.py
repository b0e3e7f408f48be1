"""The things the hub knows by name. Values only; ids and times come from whoever makes them.

Times are integers of milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class UpstreamKey(Struct, frozen=True):
    """One key of a channel: the name of a variable, or the key encrypted.

    `origin` is the scheme, host and port it was entered for; it is sent nowhere else.
    """

    id: str
    origin: str
    env: str | None = None
    encrypted: str | None = None


class Channel(Struct, frozen=True):
    """One upstream account. `type` names a row of `vendors.CHANNEL_TYPES`; no `models` means any."""

    id: str
    name: str
    type: str
    base_url: str
    keys: tuple[UpstreamKey, ...] = ()
    models: tuple[str, ...] = ()
    weight: int = 100
    priority: int = 0  # lower is tried first
    tags: tuple[str, ...] = ()
    proxy: str | None = None
    options: Mapping[str, str] = {}
    enabled: bool = True
    created_at: int = 0
    updated_at: int = 0


class Rule(Struct, frozen=True):
    """Maps a requested model. `pattern` is compared whole, or is an RE2 pattern when `regex`."""

    pattern: str
    target: str
    regex: bool = False
    enabled: bool = True


class Unmapped(StrEnum):
    """What happens to a name no rule matches."""

    PASS = "pass"
    DENY = "deny"


class Profile(Struct, frozen=True):
    """Named model mappings and limits. Empty `channels` and `tags` mean any channel;
    empty `allowed_models` any requested model."""

    id: str
    name: str
    rules: tuple[Rule, ...] = ()
    channels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    allowed_models: tuple[str, ...] = ()
    unmapped: Unmapped = Unmapped.PASS
    created_at: int = 0
    updated_at: int = 0


class ApiKey(Struct, frozen=True):
    """A key that clients show us. `digest` is the SHA-256 of it in hex, `prefix` its first 8 characters."""

    id: str
    name: str
    digest: str
    prefix: str
    profile: str | None = None  # the name of its own active profile
    enabled: bool = True
    expires_at: int | None = None
    revoked_at: int | None = None
    allowed_ips: tuple[str, ...] = ()
    created_at: int = 0
    updated_at: int = 0


class Binding(Struct, frozen=True):
    """The channel and upstream key a trace sticks to, for one of our keys."""

    api_key_id: str
    trace_id: str
    channel_id: str
    upstream_key_id: str | None
    model: str
    updated_at: int


class RequestStatus(StrEnum):
    """Where a request stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class LossRecord(Struct, frozen=True):
    """A `protocols.base.Loss` as it is kept."""

    field: str
    reason: str


class AttemptRecord(Struct, frozen=True):
    """One upstream call made for a request; `number` counts from 1."""

    id: str
    request_id: str
    number: int
    channel: str
    upstream_protocol: str
    upstream_model: str
    reason: str  # why this channel, in words
    started_at: int
    status: RequestStatus = RequestStatus.RUNNING
    upstream_key_id: str | None = None
    url_path: str | None = None
    http_status: int | None = None
    error: str | None = None
    error_kind: str | None = None
    ttft_ms: int | None = None
    duration_ms: int | None = None
    upstream_request_id: str | None = None
    losses: tuple[LossRecord, ...] = ()


class RequestRecord(Struct, frozen=True):
    """One client request from end to end. None is unknown."""

    id: str
    started_at: int
    client_protocol: str
    operation: str
    status: RequestStatus = RequestStatus.RUNNING
    server: str = ""  # host:pid of the process that serves it
    path: str = ""
    finished_at: int | None = None
    trace_id: str | None = None
    trace_source: str | None = None  # which header or field named the trace
    thread_id: str | None = None
    parent_thread_id: str | None = None
    subagent: str | None = None
    api_key_id: str | None = None
    key: str | None = None  # its name
    profile: str | None = None
    rule: str | None = None  # the rule that matched, in words
    client: str | None = None  # its User-Agent
    client_model: str | None = None
    upstream_model: str | None = None
    served_model: str | None = None  # what the upstream said it used
    channel: str | None = None
    upstream_protocol: str | None = None
    stream: bool = False
    http_status: int | None = None
    error: str | None = None
    error_kind: str | None = None
    attempts: int = 0
    ttft_ms: int | None = None
    duration_ms: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    cache_written_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    usage_estimated: bool = False
    cost_usd: float | None = None
    finish_reason: str | None = None
    losses: tuple[LossRecord, ...] = ()
    cache_written_1h_tokens: int | None = None  # of the written ones, those kept for an hour


class Body(Struct, frozen=True):
    """What a request said or was told, to be kept. `kind` is `request` (the client's JSON), `response`
    (a neutral `llm.response.Response` as JSON) or `stream` (an upstream's raw bytes that passed untouched,
    in the client's protocol; also a whole raw JSON answer)."""

    kind: str
    data: bytes


class Snapshot(Struct, frozen=True):
    """Channels, profiles and keys at one revision. Never changed; replaced."""

    revision: int
    channels: Mapping[str, Channel] = {}  # by name, in order of creation
    profiles: Mapping[str, Profile] = {}  # by name
    keys: Mapping[str, ApiKey] = {}  # by digest
    active_profile: str | None = None  # for keys without one of their own
