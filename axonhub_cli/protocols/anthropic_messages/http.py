"""Where an Anthropic Messages upstream is asked, how it is shown the key, and which beta flags it is told.

https://platform.claude.com/docs/en/api/overview (headers)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from axonhub_cli.llm.errors import invalid
from axonhub_cli.protocols.anthropic_messages import clouds
from axonhub_cli.protocols.base import JSON, Call, Operation
from axonhub_cli.vendors import Quirks

VERSION = "2023-06-01"
_PATHS = {
    Operation.GENERATE: "/v1/messages",
    Operation.COMPACT: "/v1/messages",  # a summary is an ordinary answer here
    Operation.COUNT_TOKENS: "/v1/messages/count_tokens",
    Operation.MODELS: "/v1/models?limit=1000",
}
_STREAMED = frozenset({Operation.GENERATE, Operation.COMPACT})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_REDACT = "redact-thinking"


def call(operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
    """See `base.Codec.call`. Base URLs of this protocol end before `/v1`."""
    if clouds.sells(quirks):
        return clouds.call(operation, model, key, stream, quirks)
    path = _PATHS.get(operation)
    if path is None:
        raise invalid(f"Anthropic Messages has no {operation.value} operation.", code="unsupported_operation")
    accept = "text/event-stream" if stream and operation in _STREAMED else "application/json"
    headers = {"accept": accept, "anthropic-version": VERSION}
    if key and quirks.auth == "bearer":
        headers["authorization"] = f"Bearer {key}"
    elif key:
        headers["x-api-key"] = key
    return Call(path, headers)


def betas(asked: str | None, quirks: Quirks, *, summaries: bool = False) -> str | None:
    """The `anthropic-beta` header for an upstream out of the client's own; None for none (pitfall 82).

    `quirks.betas` lists the beginnings of flags it takes, `*` all. `summaries`: the client reads what the model
    thought, so the flag that hides it stays behind (pitfall 87).
    """
    flags = [flag.strip() for flag in (asked or "").split(",") if flag.strip()]
    kept = [flag for flag in flags if any(known == "*" or flag.startswith(known) for known in quirks.betas)]
    if summaries:
        kept = [flag for flag in kept if not flag.startswith(_REDACT)]
    return ",".join(dict.fromkeys(kept)) or None


def pass_headers(headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> dict[str, str]:
    """The version a client was written for, and those of its beta flags that this upstream takes."""
    passed: dict[str, str] = {}
    version = headers.get("anthropic-version", "")
    if _DATE.fullmatch(version) and not clouds.sells(quirks):
        passed["anthropic-version"] = version
    flags = passed_betas(headers, payload, quirks)
    if flags and quirks.cloud != "bedrock":
        passed["anthropic-beta"] = flags
    return passed


def passed_betas(headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> str | None:
    """`betas` of a client's headers for its payload."""
    thinking = payload.get("thinking")
    shown = isinstance(thinking, Mapping) and thinking.get("display") == "summarized"
    return betas(headers.get("anthropic-beta"), quirks, summaries=shown)
