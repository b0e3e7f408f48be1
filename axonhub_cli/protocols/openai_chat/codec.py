"""The codec: nothing but the way to the functions that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import APIError, Failure
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import JSON, NO_HEADERS, SSE, Call, Edited, Encoded, Manners, Operation, Unsealer
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.protocols.openai_chat import decode, errors, forgetting, http, request, response, usage
from axonhub_cli.protocols.openai_chat.echo import with_placeholders
from axonhub_cli.protocols.openai_chat.order import in_order
from axonhub_cli.protocols.openai_chat.stream import ChatStreamDecoder
from axonhub_cli.protocols.openai_chat.watch import ChatStreamWatcher
from axonhub_cli.protocols.openai_chat.writer import ChatStreamEncoder
from axonhub_cli.protocols.openai_models import listed_ids
from axonhub_cli.protocols.retarget import retarget
from axonhub_cli.vendors import Quirks


class ChatCodec:
    """See `base.Codec`."""

    name = "openai_chat"
    manners = Manners(breaks_after_error=True, shown_prefixes=("x-ratelimit-",), returns_state=False)

    def decode_request(self, payload: JSON) -> Request:
        """See `base.Codec`."""
        return decode.decode_request(payload)

    def encode_request(self, request_: Request, quirks: Quirks) -> Encoded:
        """See `base.Codec`."""
        return request.encode_request(request_, quirks)

    def decode_response(self, payload: JSON, quirks: Quirks) -> Response:
        """See `base.Codec`."""
        return response.decode_response(payload, quirks)

    def encode_response(self, response_: Response, request: Request) -> JSON:
        """See `base.Codec`."""
        return response.encode_response(response_, request)

    def stream_decoder(self, quirks: Quirks) -> ChatStreamDecoder:
        """See `base.Codec`."""
        return ChatStreamDecoder(quirks)

    def stream_encoder(self, request: Request, response_id: str, now: int) -> ChatStreamEncoder:
        """See `base.Codec`."""
        return ChatStreamEncoder(request, response_id, now)

    def stream_watcher(self) -> ChatStreamWatcher:
        """See `base.Codec`."""
        return ChatStreamWatcher()

    def decode_usage(self, payload: JSON) -> Usage | None:
        """See `base.Codec`."""
        return usage.decode_usage(payload.get("usage"), payload.get("timings"))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        """See `base.Codec`."""
        return read_error(status, headers, body)

    def encode_error(self, error: APIError) -> tuple[int, JSON]:
        """See `base.Codec`."""
        return errors.encode_error(error)

    def without_state(self, payload: JSON) -> Edited:
        """See `base.Codec`."""
        return forgetting.without_state(payload)

    def call(self, operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
        """See `base.Codec`."""
        return http.call(operation, model, key, stream, quirks)

    def pass_on(
        self,
        payload: JSON,
        model: str,
        quirks: Quirks,
        unsealer: Unsealer,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Encoded:
        """See `base.Codec`."""
        return Encoded(with_placeholders(retarget(payload, model), quirks))

    def pass_headers(self, headers: Mapping[str, str], payload: JSON, quirks: Quirks) -> dict[str, str]:
        """See `base.Codec`."""
        return {}

    def fits(self, payload: JSON, quirks: Quirks) -> bool:
        """See `base.Codec`."""
        return in_order(payload, quirks)

    def stream_media(self, payload: JSON) -> str:
        """See `base.Codec`."""
        return SSE

    def encode_count(self, tokens: int) -> JSON:
        """See `base.Codec`. Nobody asks over this protocol."""
        return {"input_tokens": tokens}

    def decode_count(self, payload: JSON) -> int:
        """See `base.Codec`."""
        raise Failure(errors.broken("Chat Completions counts no tokens."))

    def decode_models(self, payload: Any) -> list[str]:
        """See `base.Codec`."""
        return listed_ids(payload)


CODEC = ChatCodec()
