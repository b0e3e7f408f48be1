"""The codec: nothing but the way to the functions that do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import JSON, Call, Edited, Encoded, Operation
from axonhub_cli.protocols.bedrock_converse import forgetting, http, request, response
from axonhub_cli.protocols.bedrock_converse.response import NAME
from axonhub_cli.protocols.bedrock_converse.stream import StreamDecoder
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.vendors import Quirks


class ConverseCodec:
    """See `base.UpstreamCodec`.

    Streams are read as server-sent events named after Bedrock's own: the server takes AWS's frames apart
    (`protocols/eventstream.py`). The path says the model and whether to stream; neither is in a payload.
    """

    name = NAME

    def encode_request(self, request_: Request, quirks: Quirks) -> Encoded:
        """See `base.UpstreamCodec`."""
        return request.encode_request(request_, quirks)

    def decode_response(self, payload: JSON, quirks: Quirks) -> Response:
        """See `base.UpstreamCodec`."""
        return response.decode_response(payload)

    def stream_decoder(self, quirks: Quirks) -> StreamDecoder:
        """See `base.UpstreamCodec`."""
        return StreamDecoder()

    def decode_usage(self, payload: JSON) -> Usage | None:
        """See `base.UpstreamCodec`."""
        return response.decode_usage(payload.get("usage"))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> APIError:
        """See `base.UpstreamCodec`."""
        return read_error(status, headers, body)

    def without_state(self, payload: JSON) -> Edited:
        """See `base.UpstreamCodec`."""
        return forgetting.without_state(payload)

    def call(self, operation: Operation, model: str, key: str, stream: bool, quirks: Quirks) -> Call:
        """See `base.UpstreamCodec`."""
        return http.call(operation, model, key, stream, quirks)

    def decode_models(self, payload: Any) -> list[str]:
        """See `base.UpstreamCodec`. Nobody asks: there is no such list."""
        return []


CODEC = ConverseCodec()
