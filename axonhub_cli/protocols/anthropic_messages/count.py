"""Counting tokens without answering: the request and the answer of `/v1/messages/count_tokens` (pitfall 81).

https://platform.claude.com/docs/en/api/messages-count-tokens
"""

from __future__ import annotations

from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.tokens import estimate_request
from axonhub_cli.protocols.anthropic_messages.errors import broken
from axonhub_cli.protocols.base import JSON

_COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control"}
    | {"context_management", "mcp_servers"}
)


def count_payload(payload: JSON) -> JSON:
    """What of a Messages request the counting endpoint takes."""
    return {name: value for name, value in payload.items() if name in _COUNTED}


def estimate_count(request: Request) -> JSON:
    """Our own guess as the endpoint's answer, for models of other vendors."""
    return encode_count(max(1, estimate_request(request)))


def encode_count(tokens: int) -> JSON:
    """The endpoint's answer."""
    return {"input_tokens": tokens}


def decode_count(payload: JSON) -> int:
    """The tokens an upstream counted. Raises Failure for what is no count."""
    tokens = payload.get("input_tokens")
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
        raise Failure(broken("The upstream's answer is no count of tokens."))
    return tokens
