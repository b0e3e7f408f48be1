"""Counting tokens without answering: the request and the answer of `:countTokens` (pitfall 101).

https://ai.google.dev/api/tokens
"""

from __future__ import annotations

from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.tokens import estimate_request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.errors import broken
from axonhub_cli.protocols.gemini.http import resource

WRAPPER = "generateContentRequest"


def count_payload(payload: JSON, model: str) -> JSON:
    """An encoded request as the counting endpoint takes it: whole, tools and instructions included."""
    if WRAPPER in payload:
        return {WRAPPER: {**payload[WRAPPER], "model": resource(model)}}
    return {WRAPPER: {"model": resource(model), **payload}}


def estimate_count(request: Request) -> JSON:
    """Our own guess as the endpoint's answer, for models of other vendors."""
    return encode_count(max(1, estimate_request(request)))


def encode_count(tokens: int) -> JSON:
    """The endpoint's answer."""
    return {"totalTokens": tokens}


def decode_count(payload: JSON) -> int:
    """The tokens an upstream counted. Raises Failure for what is no count."""
    tokens = payload.get("totalTokens")
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
        raise Failure(broken("The upstream's answer is no count of tokens."))
    return tokens
