"""Responses to clients that are not streams, and the headers every response has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from axonhub_cli.llm.errors import APIError
from axonhub_cli.protocols.base import Codec
from axonhub_cli.server.connection import SAFE_HEADERS

_MAX_RETRY_AFTER_S = 60
_JSON = "application/json"


def base_headers(request_id: str, trace_id: str | None = None) -> dict[str, str]:
    """What every answer to a request carries."""
    headers = {**SAFE_HEADERS, "x-axonhub-request-id": request_id}
    return headers | ({"x-axonhub-trace-id": trace_id} if trace_id else {})


def stream_headers(request_id: str, trace_id: str | None) -> dict[str, str]:
    """For an answer that streams."""
    return {**base_headers(request_id, trace_id), "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


def json_response(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    """`body` is JSON already."""
    return web.Response(status=status, body=body, headers={**headers, "Content-Type": _JSON})


def json_of(payload: Any, headers: Mapping[str, str] = SAFE_HEADERS, status: int = 200) -> web.Response:
    """Any value as JSON."""
    return json_response(status, msgspec.json.encode(payload), headers)


def error_response(codec: Codec, error: APIError, headers: Mapping[str, str]) -> web.Response:
    """The error in the client's own protocol; a wait is told in whole seconds from 1 to 60, which is all that
    Codex understands (reliability 0.2)."""
    status, payload = codec.encode_error(error)
    extra = {}
    # Codex 0.169 ends its turn at an overloaded 503 after 5 requests in 3.5 s; with a wait it makes 30 in a minute.
    ends_turn = status == 503 and codec.name == "openai_responses"
    if error.retry_after is not None and not ends_turn:
        extra["Retry-After"] = str(min(max(math.ceil(error.retry_after), 1), _MAX_RETRY_AFTER_S))
    return json_response(status, msgspec.json.encode(payload), {**headers, **extra})
