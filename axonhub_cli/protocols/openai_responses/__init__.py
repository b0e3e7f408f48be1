"""OpenAI Responses, as the protocol of clients (Codex above all) and of upstreams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import JSON, NO_HEADERS, SSE, Call, Edited, Encoded, Manners, Operation, Unsealer
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.protocols.opaque import strip_sealed
from axonhub_cli.protocols.openai_models import listed_ids
from axonhub_cli.protocols.openai_responses import encode, errors, forgetting, http, lower, request, response
from axonhub_cli.protocols.openai_responses.encoder import StreamEncoder
from axonhub_cli.protocols.openai_responses.stream import StreamDecoder
from axonhub_cli.protocols.openai_responses.watcher import StreamWatcher
from axonhub_cli.protocols.retarget import retarget
from axonhub_cli.vendors import Quirks

__all__ = ["CODEC", "COMPACT", "CompactCodec", "ResponsesCodec"]


class ResponsesCodec:
    """See `protocols.base.Codec`."""

    name = "openai_responses"
    # Codex 0.169 ends its turn at an overloaded 503 after 5 requests in 3.5 s; with a wait it makes 30 in a minute.
    # It estimates its context anew from our envelopes unless told that reasoning is counted (pitfall 134).
    manners = Manners(
        waits_at_503=False,
        translated_headers={"x-reasoning-included": "true"},
        shown_prefixes=("x-ratelimit-", "x-reasoning-included"),
        strict_sdk=True,
    )

    def decode_request(self, payload: JSON) -> Request:
        return request.decode_request(payload)

    def encode_request(self, request: Request, quirks: Quirks) -> Encoded:
        return encode.encode_request(request, quirks)

    def decode_response(self, payload: JSON, quirks: Quirks) -> Response:
        return response.decode_response(payload)

    def encode_response(self, response_: Response, request: Request) -> JSON:
        return response.encode_response(response_, request)

    def stream_decoder(self, quirks: Quirks) -> StreamDecoder:
        return StreamDecoder()

    def stream_encoder(self, request: Request, response_id: str, now: int) -> StreamEncoder:
        return StreamEncoder(request, response_id, now)

    def stream_watcher(self) -> StreamWatcher:
        return StreamWatcher()

    def decode_usage(self, payload: JSON) -> Usage | None:
        return response.response_usage(payload)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        return read_error(status, headers, body)

    def encode_error(self, error: APIError) -> tuple[int, JSON]:
        return errors.encode_error(error)

    def without_state(self, payload: JSON) -> Edited:
        """See `base.Codec`."""
        return forgetting.without_state(payload)

    def call(self, operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
        return http.call(operation, key, stream, quirks)

    def fits(self, payload: JSON, quirks: Quirks) -> bool:
        return quirks.custom_tools or lower.is_plain(payload, quirks)

    def pass_on(
        self,
        payload: JSON,
        model: str,
        quirks: Quirks,
        unsealer: Unsealer,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Encoded:
        stripped, losses = strip_sealed(payload, unsealer)
        return Encoded(retarget(stripped, model), losses)

    def pass_headers(self, headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> dict[str, str]:
        return http.pass_headers(headers) if quirks.codex_headers else {}

    def stream_media(self, payload: JSON) -> str:
        return SSE

    def encode_count(self, tokens: int) -> JSON:
        return {"object": "response.input_tokens", "input_tokens": tokens}

    def decode_count(self, payload: JSON) -> int:
        raise Failure(APIError(ErrorKind.BAD_GATEWAY, "Responses counts no tokens.", 502, upstream=True))

    def decode_models(self, payload: Any) -> list[str]:
        return listed_ids(payload)


class CompactCodec(ResponsesCodec):
    """The client's side of `POST /responses/compact`: another request and another object around the same item."""

    def fits(self, payload: JSON, quirks: Quirks) -> bool:
        return quirks.custom_tools  # nobody but OpenAI has that path

    def decode_request(self, payload: JSON) -> Request:
        return request.decode_compact_request(payload)

    def encode_response(self, response_: Response, request: Request) -> JSON:
        return response.encode_compacted(response_, request)


CODEC = ResponsesCodec()
COMPACT = CompactCodec()
