"""The codec: nothing but the way to the functions that do the work."""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import JSON, Call, Encoded, Operation
from axonhub_cli.protocols.gemini import decode, errors, http, request, response
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

    def call(self, operation: Operation, model: str, key: str, stream: bool) -> Call:
        """See `base.Codec`."""
        return http.call(operation, model, key, stream)


CODEC = GeminiCodec()
