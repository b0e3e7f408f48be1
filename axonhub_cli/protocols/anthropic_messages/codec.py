"""The codec: nothing but the way to the functions that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.anthropic_messages import count, decode, errors, forgetting, http, passing, request, response
from axonhub_cli.protocols.anthropic_messages.stream import StreamDecoder
from axonhub_cli.protocols.anthropic_messages.usage import decode_usage
from axonhub_cli.protocols.anthropic_messages.watch import StreamWatcher
from axonhub_cli.protocols.anthropic_messages.writer import StreamEncoder
from axonhub_cli.protocols.base import JSON, NO_HEADERS, SSE, Call, Edited, Encoded, Manners, Operation, Unsealer
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.vendors import Quirks


class MessagesCodec:
    """See `base.Codec`."""

    name = "anthropic_messages"
    manners = Manners(shown_prefixes=("anthropic-ratelimit-",), citations="own")

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

    def stream_decoder(self, quirks: Quirks) -> StreamDecoder:
        """See `base.Codec`."""
        return StreamDecoder()

    def stream_encoder(self, request: Request, response_id: str, now: int) -> StreamEncoder:
        """See `base.Codec`."""
        return StreamEncoder(request, response_id, now)

    def stream_watcher(self) -> StreamWatcher:
        """See `base.Codec`."""
        return StreamWatcher()

    def decode_usage(self, payload: JSON) -> Usage | None:
        """See `base.Codec`."""
        return decode_usage(payload.get("usage"))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        """See `base.Codec`."""
        return read_error(status, headers, body)

    def encode_error(self, error: APIError) -> tuple[int, JSON]:
        """See `base.Codec`."""
        return errors.encode_error(error)

    def call(
        self,
        operation: Operation,
        model: str,
        key: str,
        stream: bool,
        quirks: Quirks = Quirks(),  # noqa: B008 - frozen
    ) -> Call:
        """See `base.Codec`; `quirks.auth` says how the key is shown."""
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
        return passing.pass_on(payload, model, quirks, headers)

    def pass_headers(self, headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> dict[str, str]:
        """See `base.Codec`."""
        return http.pass_headers(headers, payload, quirks)

    def fits(self, payload: JSON, quirks: Quirks) -> bool:
        """See `base.Codec`."""
        return True

    def stream_media(self, payload: JSON) -> str:
        """See `base.Codec`."""
        return SSE

    def encode_count(self, tokens: int) -> JSON:
        """See `base.Codec`."""
        return count.encode_count(tokens)

    def decode_count(self, payload: JSON) -> int:
        """See `base.Codec`."""
        return count.decode_count(payload)

    def decode_models(self, payload: Any) -> list[str]:
        """See `base.Codec`."""
        return passing.model_names(payload)


CODEC = MessagesCodec()
