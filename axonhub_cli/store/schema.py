"""The tables, as the ordered list of named migrations that makes them.

A migration that was released is never edited: the next one follows it. Times are milliseconds since 1970.
Lists are JSON in TEXT. The statements are SQLite's and PostgreSQL's common part, but for BLOB (BYTEA there).
"""

from __future__ import annotations

__all__ = ["APPLICATION_ID", "MIGRATIONS"]

APPLICATION_ID = 0x41784862  # "AxHb"

_NAMED = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, number BIGINT NOT NULL DEFAULT 0, text TEXT)",
    # revision: of channels, profiles and keys. change: of requests, for `traces tail`.
    # epoch: of deleted contents (see bodies). active_profile: `text` is the name of one.
    "INSERT INTO meta (name) VALUES ('revision'), ('change'), ('epoch'), ('active_profile')",
    """
    CREATE TABLE channels (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, base_url TEXT NOT NULL,
        keys TEXT NOT NULL, models TEXT NOT NULL, weight INTEGER NOT NULL, priority INTEGER NOT NULL,
        tags TEXT NOT NULL, proxy TEXT, options TEXT NOT NULL, enabled INTEGER NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE profiles (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, rules TEXT NOT NULL, channels TEXT NOT NULL,
        tags TEXT NOT NULL, allowed_models TEXT NOT NULL, unmapped TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
    )
    """,
    """
    CREATE TABLE api_keys (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, digest TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL,
        profile TEXT REFERENCES profiles (name) ON UPDATE CASCADE, enabled INTEGER NOT NULL,
        expires_at BIGINT, revoked_at BIGINT, allowed_ips TEXT NOT NULL,
        created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL
    )
    """,
)

_TRACES = (
    # No foreign keys from here on: a batch must not fail for one row, and pruning deletes in its own order.
    """
    CREATE TABLE requests (
        id TEXT PRIMARY KEY, started_at BIGINT NOT NULL, client_protocol TEXT NOT NULL, operation TEXT NOT NULL,
        status TEXT NOT NULL, server TEXT NOT NULL, path TEXT NOT NULL, finished_at BIGINT,
        trace_id TEXT, trace_source TEXT, thread_id TEXT, parent_thread_id TEXT, subagent TEXT,
        api_key_id TEXT, key TEXT, profile TEXT, rule TEXT, client TEXT,
        client_model TEXT, upstream_model TEXT, served_model TEXT, channel TEXT, upstream_protocol TEXT,
        stream INTEGER NOT NULL, http_status BIGINT, error TEXT, error_kind TEXT, attempts INTEGER NOT NULL,
        ttft_ms BIGINT, duration_ms BIGINT, input_tokens BIGINT, cached_tokens BIGINT, cache_written_tokens BIGINT,
        output_tokens BIGINT, reasoning_tokens BIGINT, usage_estimated INTEGER NOT NULL, cost_usd DOUBLE PRECISION,
        finish_reason TEXT, losses TEXT NOT NULL, change BIGINT NOT NULL
    )
    """,
    "CREATE INDEX requests_by_time ON requests (started_at, id)",
    "CREATE INDEX requests_by_key ON requests (key, started_at, id)",
    "CREATE INDEX requests_by_channel ON requests (channel, started_at, id)",
    "CREATE INDEX requests_by_client_model ON requests (client_model, started_at, id)",
    "CREATE INDEX requests_by_upstream_model ON requests (upstream_model, started_at, id)",
    "CREATE INDEX requests_by_status ON requests (status, started_at, id)",
    "CREATE INDEX requests_by_trace ON requests (trace_id, started_at, id)",
    "CREATE INDEX requests_by_thread ON requests (thread_id, started_at, id)",
    "CREATE INDEX requests_by_change ON requests (change)",
    """
    CREATE TABLE attempts (
        id TEXT PRIMARY KEY, request_id TEXT NOT NULL, number INTEGER NOT NULL, channel TEXT NOT NULL,
        upstream_protocol TEXT NOT NULL, upstream_model TEXT NOT NULL, reason TEXT NOT NULL,
        started_at BIGINT NOT NULL, status TEXT NOT NULL, upstream_key_id TEXT, url_path TEXT,
        http_status BIGINT, error TEXT, error_kind TEXT, ttft_ms BIGINT, duration_ms BIGINT,
        upstream_request_id TEXT, losses TEXT NOT NULL
    )
    """,
    "CREATE INDEX attempts_by_request ON attempts (request_id, number)",
    """
    CREATE TABLE bindings (
        api_key_id TEXT NOT NULL, trace_id TEXT NOT NULL, channel_id TEXT NOT NULL, upstream_key_id TEXT,
        model TEXT NOT NULL, updated_at BIGINT NOT NULL, PRIMARY KEY (api_key_id, trace_id)
    )
    """,
    "CREATE INDEX bindings_by_time ON bindings (updated_at)",
)

_BODIES = (
    # A content is stored once, under its hash. `used_hour` (hours since 1970) is when a body last named it.
    """
    CREATE TABLE contents (
        hash BLOB PRIMARY KEY, used_hour INTEGER NOT NULL, codec INTEGER NOT NULL, size BIGINT NOT NULL,
        data BLOB NOT NULL
    )
    """,
    "CREATE INDEX contents_by_hour ON contents (used_hour)",
    """
    CREATE TABLE bodies (
        request_id TEXT NOT NULL, kind TEXT NOT NULL, saved_at BIGINT NOT NULL, codec INTEGER NOT NULL,
        size BIGINT NOT NULL, recipe BLOB NOT NULL, PRIMARY KEY (request_id, kind)
    )
    """,
    "CREATE INDEX bodies_by_time ON bodies (saved_at)",
)

_USAGE = (
    # Sums of requests that were pruned; `day` counts from 1970 (UTC). Empty text stands for unknown.
    """
    CREATE TABLE usage_days (
        day INTEGER NOT NULL, key TEXT NOT NULL, channel TEXT NOT NULL, model TEXT NOT NULL, profile TEXT NOT NULL,
        requests BIGINT NOT NULL, failed BIGINT NOT NULL, unpriced BIGINT NOT NULL, input_tokens BIGINT,
        cached_tokens BIGINT, cache_written_tokens BIGINT, output_tokens BIGINT, reasoning_tokens BIGINT,
        cost_usd DOUBLE PRECISION, PRIMARY KEY (day, key, channel, model, profile)
    )
    """,
)

_LIFETIMES = (
    # Of the written tokens, those that are kept for an hour: they cost more (pitfall 178).
    "ALTER TABLE requests ADD COLUMN cache_written_1h_tokens BIGINT",
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("0001_channels_profiles_keys", _NAMED),
    ("0002_traces", _TRACES),
    ("0003_bodies", _BODIES),
    ("0004_usage", _USAGE),
    ("0005_cache_lifetimes", _LIFETIMES),
)
