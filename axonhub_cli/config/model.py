"""What can be configured per machine, with its defaults. The field names are the keys of config.yml."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Config", "DatabaseConfig", "LogConfig", "ServerConfig", "TraceConfig", "TracesConfig"]


class TraceConfig(Struct, frozen=True):
    """How the trace and thread of a request are found; header names compare without case, `_` and `-` being one."""

    trace_header: str = "AH-Trace-Id"
    thread_header: str = "AH-Thread-Id"
    codex_trace_enabled: bool = True
    claude_code_trace_enabled: bool = True
    opencode_trace_enabled: bool = True
    extra_trace_headers: tuple[str, ...] = ()


class ServerConfig(Struct, frozen=True):
    """Where the server listens. Port 0 is any free one."""

    host: str = "127.0.0.1"
    port: int = 8090
    trace: TraceConfig = TraceConfig()


class TracesConfig(Struct, frozen=True):
    """What is remembered, and for how long."""

    store_bodies: bool = True
    retention_days: int = 30
    max_database_mb: int = 2048


class DatabaseConfig(Struct, frozen=True):
    """Empty `url`: SQLite in the home."""

    url: str = ""


class LogConfig(Struct, frozen=True):
    """How much the server says."""

    level: str = "info"


class Config(Struct, frozen=True):
    """All of config.yml."""

    server: ServerConfig = ServerConfig()
    traces: TracesConfig = TracesConfig()
    database: DatabaseConfig = DatabaseConfig()
    log: LogConfig = LogConfig()
