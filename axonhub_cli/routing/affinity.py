"""Which trace and thread a request belongs to, by what clients are known to send (pitfalls 166-168)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import msgspec
from msgspec import Struct

MAX_ID = 128
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:@=+-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9._:@=+-]+")
# Claude Code before 2.1: user_<hash>_account__session_<uuid>
_CLAUDE_USER = re.compile(r"_session_([0-9A-Za-z-]+)$")


class TraceConfig(Protocol):
    """The part of the configuration that names headers (`config.TraceConfig` fits)."""

    @property
    def trace_header(self) -> str: ...
    @property
    def thread_header(self) -> str: ...
    @property
    def codex_trace_enabled(self) -> bool: ...
    @property
    def claude_code_trace_enabled(self) -> bool: ...
    @property
    def opencode_trace_enabled(self) -> bool: ...
    @property
    def extra_trace_headers(self) -> Sequence[str]: ...


class Identity(Struct, frozen=True):
    """None is unknown. `source` is the header or field that named the trace."""

    trace_id: str | None = None
    thread_id: str | None = None
    parent_thread_id: str | None = None
    subagent: str | None = None
    source: str | None = None


def identify(headers: Mapping[str, str], payload: Mapping[str, Any] | None, config: TraceConfig) -> Identity:
    """Header names are compared without case, `_` as `-`. The first of these that names a trace wins: the
    configured header, the extra ones in order, Codex, Claude Code, OpenCode, a prompt cache key, and how a
    session of Gemini CLI begins.

    Sub-agents of Codex send their root's session id: they join its trace under a thread of their own.
    """
    sources = _Sources(headers, payload or {})
    trace_id, source = _first(_trace_sources(sources, config))
    thread_id, _ = _first(chain((_header(sources, config.thread_header),), _codex_fields(sources, config, "thread")))
    parent, _ = _first(_codex_fields(sources, config, "parent"))
    subagent, _ = _first(_codex_fields(sources, config, "subagent"))
    return Identity(trace_id, thread_id, parent, subagent, source)


def sums_up(headers: Mapping[str, str], payload: Mapping[str, Any]) -> bool:
    """Whether Codex asks for a summary of the conversation: by its last item, or by what it says of the request, which
    is all that tells its local compaction from any other turn (wire.md M)."""
    items = payload.get("input")
    if isinstance(items, list) and items and _mapping(items[-1]).get("type") == "compaction_trigger":
        return True
    return any(metadata.get("request_kind") == "compaction" for _, metadata in _Sources(headers, payload).codex)


def clean_id(value: object) -> str | None:
    """A name from outside made safe to keep and show: at most 128 letters, digits and `._:@=+-`, no leading dot.
    What had to change gets a hash of the original, so that two names stay two. None where nothing is left."""
    if not isinstance(value, str) or not (text := value.strip()):
        return None
    if len(text) <= MAX_ID and _SAFE.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    stem = _UNSAFE.sub("_", text[:MAX_ID]).strip("._:@=+-")[:80]
    return f"{stem}-{digest}" if stem else digest


_Found = tuple[str, object]  # the source's name, and what it holds


class _Sources:
    """The places an id may be in; JSON inside headers and fields is parsed when first asked for."""

    def __init__(self, headers: Mapping[str, str], payload: Mapping[str, Any]) -> None:
        self.headers: dict[str, str] = {}
        for name, value in headers.items():
            self.headers.setdefault(_header_name(name), value)
        self.payload = payload
        self._metadata: tuple[tuple[str, Mapping[str, Any]], ...] | None = None

    @property
    def codex(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """Codex's turn metadata, from its header and from the payload, best first."""
        if self._metadata is None:
            client = _mapping(self.payload.get("client_metadata"))
            inner = {_header_name(name): value for name, value in client.items()}
            self._metadata = (
                ("x-codex-turn-metadata", _mapping(self.headers.get("x-codex-turn-metadata"))),
                ("client_metadata.x-codex-turn-metadata", _mapping(inner.get("x-codex-turn-metadata"))),
                ("client_metadata", {name.replace("-", "_"): value for name, value in inner.items()}),
            )
        return self._metadata


_CODEX_HEADERS = {
    "trace": "session-id",
    "thread": "thread-id",
    "parent": "x-codex-parent-thread-id",
    "subagent": "x-openai-subagent",
}
_CODEX_FIELDS = {
    "trace": ("session_id",),
    "thread": ("thread_id",),
    "parent": ("parent_thread_id", "x_codex_parent_thread_id"),
    "subagent": ("subagent_kind", "subagent", "x_openai_subagent"),
}


def _trace_sources(sources: _Sources, config: TraceConfig) -> Iterator[_Found]:
    for name in (config.trace_header, *config.extra_trace_headers):
        yield _header(sources, name)
    yield from _codex_fields(sources, config, "trace")
    if config.claude_code_trace_enabled:
        yield _header(sources, "x-claude-code-session-id")
        yield "metadata.user_id", _claude_session(sources.payload)
    if config.opencode_trace_enabled:
        yield _header(sources, "x-session-id")
        yield _header(sources, "x-session-affinity")
    if config.codex_trace_enabled:
        yield "prompt_cache_key", sources.payload.get("prompt_cache_key")
    yield "contents", _gemini_session(sources)


def _codex_fields(sources: _Sources, config: TraceConfig, what: str) -> Iterator[_Found]:
    if not config.codex_trace_enabled:
        return
    yield _header(sources, _CODEX_HEADERS[what])
    for name, metadata in sources.codex:
        for field in _CODEX_FIELDS[what]:
            yield f"{name}.{field}", metadata.get(field)


def _header(sources: _Sources, name: str) -> _Found:
    return name, sources.headers.get(_header_name(name))


def _first(found: Iterable[_Found]) -> tuple[str | None, str | None]:
    for name, value in found:
        if value and (cleaned := clean_id(value)):
            return cleaned, name
    return None, None


@lru_cache(maxsize=1024)
def _header_name(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _mapping(value: object) -> Mapping[str, Any]:
    """An object, also one that travels as JSON in a string; empty where it is neither."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _claude_session(payload: Mapping[str, Any]) -> object:
    user = _mapping(payload.get("metadata")).get("user_id")
    if session := _mapping(user).get("session_id"):
        return session
    match = _CLAUDE_USER.search(user) if isinstance(user, str) else None
    return match.group(1) if match else None


def _gemini_session(sources: _Sources) -> object:
    """Gemini CLI (0.61) tells no id; but each of its requests begins with the same words about the person's machine and
    what was asked first (pitfall 166)."""
    contents = sources.payload.get("contents")
    if not sources.headers.get("user-agent", "").startswith("GeminiCLI") or not isinstance(contents, list):
        return None
    if not contents:
        return None
    return f"gemini-{hashlib.sha256(msgspec.json.encode(contents[0])).hexdigest()[:24]}"
