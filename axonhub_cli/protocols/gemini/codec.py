"""The codec: nothing but the way to the functions that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import JSON, NO_HEADERS, SSE, Call, Edited, Encoded, Manners, Operation, Unsealer
from axonhub_cli.protocols.gemini import count, decode, errors, forgetting, http, passing, request, response
from axonhub_cli.protocols.gemini.stream import GeminiStreamDecoder
from axonhub_cli.protocols.gemini.usage import decode_usage
from axonhub_cli.protocols.gemini.watch import GeminiStreamWatcher
from axonhub_cli.protocols.gemini.writer import GeminiStreamEncoder
from axonhub_cli.vendors import Quirks


class GeminiCodec:
    """See `base.Codec`.

    On this wire the model and whether to stream are in the path, not in the body. Whoever reads a client's path puts
    them into the payload before `decode_request`: `model` is the name without `models/`, `stream` is true for
    `:streamGenerateContent`, and `alt` is "json" where such a client did not ask for `alt=sse`: it is given one JSON
    array in pieces. None of the three is in an encoded payload. The body of `:countTokens` is decoded alike: `count`.
    """

    name = "gemini"
    manners = Manners(citations="none")

    def decode_request(self, payload: JSON) -> Request:
        """See `base.Codec`."""
        return decode.decode_request(payload)

    def encode_request(self, request_: Request, quirks: Quirks) -> Encoded:
        """See `base.Codec`."""
        return request.encode_request(request_, quirks)

    def decode_response(self, payload: JSON, quirks: Quirks) -> Response:
        """See `base.Codec`."""
        return response.decode_response(payload)

    def encode_response(self, response_: Response, request: Request) -> JSON:
        """See `base.Codec`."""
        return response.encode_response(response_, request)

    def stream_decoder(self, quirks: Quirks) -> GeminiStreamDecoder:
        """See `base.Codec`."""
        return GeminiStreamDecoder()

    def stream_encoder(self, request: Request, response_id: str, now: int) -> GeminiStreamEncoder:
        """See `base.Codec`."""
        return GeminiStreamEncoder(request, response_id)

    def stream_watcher(self) -> GeminiStreamWatcher:
        """See `base.Codec`."""
        return GeminiStreamWatcher()

    def decode_usage(self, payload: JSON) -> Usage | None:
        """See `base.Codec`."""
        return decode_usage(payload.get("usageMetadata"))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        """See `base.Codec`."""
        return errors.decode_error(status, headers, body)

    def encode_error(self, error: APIError) -> tuple[int, JSON]:
        """See `base.Codec`."""
        return errors.encode_error(error)

    def call(self, operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
        """See `base.Codec`."""
        return http.call(operation, model, key, stream, quirks)

    def without_state(self, payload: JSON) -> Edited:
        """See `base.Codec`."""
        return forgetting.without_state(payload)

    def pass_on(
        self,
        payload: JSON,
        model: str,
        quirks: Quirks,
        unsealer: Unsealer,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Encoded:
        """See `base.Codec`."""
        return Encoded(*passing.pass_on(payload, model, quirks))

    def pass_headers(self, headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> dict[str, str]:
        """See `base.Codec`."""
        return {}

    def fits(self, payload: JSON, quirks: Quirks) -> bool:
        """See `base.Codec`."""
        return True

    def stream_media(self, payload: JSON) -> str:
        """See `base.Codec`."""
        return "application/json" if payload.get("alt") == "json" else SSE

    def encode_count(self, tokens: int) -> JSON:
        """See `base.Codec`."""
        return count.encode_count(tokens)

    def decode_count(self, payload: JSON) -> int:
        """See `base.Codec`."""
        return count.decode_count(payload)

    def decode_models(self, payload: Any) -> list[str]:
        """See `base.Codec`."""
        return passing.model_names(payload)


CODEC = GeminiCodec()
