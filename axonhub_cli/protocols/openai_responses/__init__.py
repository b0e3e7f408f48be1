"""OpenAI Responses, as the protocol of clients (Codex above all) and of upstreams."""

from __future__ import annotations

from collections.abc import Mapping

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import JSON, Call, Encoded, Operation
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.protocols.openai_responses import encode, errors, http, request, response
from axonhub_cli.protocols.openai_responses.encoder import StreamEncoder
from axonhub_cli.protocols.openai_responses.stream import StreamDecoder
from axonhub_cli.protocols.openai_responses.watcher import StreamWatcher
from axonhub_cli.vendors import Quirks

__all__ = ["CODEC", "COMPACT", "CompactCodec", "ResponsesCodec"]


class ResponsesCodec:
    """See `protocols.base.Codec`."""

    name = "openai_responses"

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

    def call(self, operation: Operation, model: str, key: str, stream: bool) -> Call:
        return http.call(operation, model, key, stream)


class CompactCodec(ResponsesCodec):
    """The client's side of `POST /responses/compact`: another request and another object around the same item."""

    def decode_request(self, payload: JSON) -> Request:
        return request.decode_compact_request(payload)

    def encode_response(self, response_: Response, request: Request) -> JSON:
        return response.encode_compacted(response_, request)


CODEC = ResponsesCodec()
COMPACT = CompactCodec()
