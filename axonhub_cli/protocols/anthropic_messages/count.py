"""Counting tokens without answering: what `/v1/messages/count_tokens` says (pitfall 81).

https://platform.claude.com/docs/en/api/messages-count-tokens
"""

from __future__ import annotations

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.anthropic_messages.errors import broken
from axonhub_cli.protocols.base import JSON


def encode_count(tokens: int) -> JSON:
    """The endpoint's answer."""
    return {"input_tokens": tokens}


def decode_count(payload: JSON) -> int:
    """The tokens an upstream counted. Raises Failure for what is no count."""
    tokens = payload.get("input_tokens")
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
        raise Failure(broken("The upstream's answer is no count of tokens."))
    return tokens
