"""Counting tokens without answering: what `:countTokens` says (pitfall 101).

https://ai.google.dev/api/tokens
"""

from __future__ import annotations

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.errors import broken

WRAPPER = "generateContentRequest"


def encode_count(tokens: int) -> JSON:
    """The endpoint's answer."""
    return {"totalTokens": tokens}


def decode_count(payload: JSON) -> int:
    """The tokens an upstream counted. Raises Failure for what is no count."""
    tokens = payload.get("totalTokens")
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
        raise Failure(broken("The upstream's answer is no count of tokens."))
    return tokens
