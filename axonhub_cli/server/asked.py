"""What one client asked for, in its own words and, once somebody needs it, in neutral ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from axonhub_cli.llm.errors import invalid
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import Codec, Operation

_MAX_MODEL = 256
_TRIGGER = {"type": "compaction_trigger"}


class Asked:
    """`headers` have lower-case names. Raises Failure (400) for a body without a usable model name."""

    def __init__(
        self, codec: Codec, operation: Operation, body: bytes, payload: dict[str, Any], headers: Mapping[str, str]
    ) -> None:
        self.codec, self.operation = codec, operation
        self.body, self.payload, self.headers = body, payload, headers
        self.model = _model(payload)
        self.stream = payload.get("stream") is True and operation is Operation.GENERATE
        self._request: Request | None = None

    def request(self) -> Request:
        """The neutral request, decoded when first asked for. Raises Failure (400) naming the field."""
        if self._request is None:
            payload = self.payload
            if self.operation is Operation.COMPACT:
                # The path says what other clients say with a last input item (pitfall 131).
                payload = {**payload, "input": [*_items(payload), _TRIGGER], "stream": False}
            self._request = replace(self.codec.decode_request(payload), stream=self.stream)
        return self._request

    def outline(self) -> Request:
        """As much of the request as encoders need where nothing is translated."""
        return self._request or Request(model=self.model, stream=self.stream)


def _model(payload: Mapping[str, Any]) -> str:
    model = payload.get("model")
    if not isinstance(model, str) or not model.strip():
        raise invalid("`model` must be the name of a model.", param="model")
    if len(model) > _MAX_MODEL or not model.isprintable():
        raise invalid(f"`model` must be at most {_MAX_MODEL} printable characters.", param="model")
    return model


def _items(payload: Mapping[str, Any]) -> list[Any]:
    given = payload.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return given if isinstance(given, list) else []
