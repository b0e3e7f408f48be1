"""Where a Responses upstream is asked, how the key is carried, and which headers of a client go along.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.llm.errors import invalid
from axonhub_cli.protocols.base import Call, Operation
from axonhub_cli.protocols.openai_http import dated, shown
from axonhub_cli.vendors import Quirks

_PATHS = {
    Operation.GENERATE: "/responses",
    Operation.COMPACT: "/responses/compact",
    Operation.MODELS: "/models",
    Operation.EMBED: "/embeddings",
}
# Codex's own, for OpenAI itself (reliability B11, pitfall 171).
_OWN = frozenset({"session-id", "thread-id", "session_id", "conversation_id", "originator", "openai-beta"})
_OWN_PREFIXES = ("x-codex-", "x-openai-", "x-responsesapi-", "x-client-request-id")


def call(operation: Operation, key: str, stream: bool, quirks: Quirks) -> Call:
    """Raises Failure (400) for an operation that Responses has no path for."""
    path = _PATHS.get(operation)
    if path is None:
        raise invalid(f"Responses has no {operation.value} operation.", code="unsupported_operation")
    accept = "text/event-stream" if stream and operation is Operation.GENERATE else "application/json"
    headers = {"content-type": "application/json", "accept": accept}
    return Call(dated(path, quirks), headers | shown(key, quirks))


def pass_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What Codex tells OpenAI about itself."""
    return {name: value for name, value in headers.items() if name in _OWN or name.startswith(_OWN_PREFIXES)}
