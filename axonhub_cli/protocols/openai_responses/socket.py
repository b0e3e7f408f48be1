"""The WebSocket form of Responses: text frames of one socket <-> the requests, events and errors of HTTP.

https://developers.openai.com/api/docs/guides/websocket-mode; what Codex 0.169 sends was measured (wire.md M).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.errors import invalid
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_responses.transcript import Fields
from axonhub_cli.protocols.sse import SSEParser

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_ANSWERED, _ACKNOWLEDGED = b'"response.create"', b'"response.processed"'
_ALONE = "cannot be honoured: a socket carries one answer at a time."
# Of the upgrade request, and of no use to an upstream that is asked over HTTP.
_UPGRADE_ONLY = frozenset({"connection", "upgrade", "openai-beta"})


def read_frame(data: bytes) -> Fields | None:
    """The fields of a `response.create`; None for what wants no answer, such as the `response.processed` by which
    Codex acknowledges one. Raises Failure (400) for anything else."""
    try:
        frame = _fields(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid("The frame is not a JSON object.", code="invalid_frame") from None
    kind = bytes(frame.get("type", msgspec.Raw(b"null")))
    if kind == _ACKNOWLEDGED:
        return None
    if kind != _ANSWERED:
        raise invalid("`type` must be response.create.", "type", "unknown_frame")
    if "stream_id" in frame:
        raise invalid(f"`stream_id` {_ALONE}", "stream_id", "unsupported_parameter")
    return frame


def turn_headers(upgrade: Mapping[str, str], payload: JSON) -> dict[str, str]:
    """The headers that a POST of this payload would have had. Names are lower case. Those of the upgrade speak of the
    moment the socket was opened; Codex repeats in `client_metadata` what has changed since."""
    headers = {
        name: value
        for name, value in upgrade.items()
        if name not in _UPGRADE_ONLY and not name.startswith("sec-websocket-")
    }
    metadata = payload.get("client_metadata")
    if isinstance(metadata, dict):
        said = {name.lower(): value for name, value in metadata.items()}
        headers |= {name: said[name] for name in headers.keys() & said.keys() if _fits_header(name, said[name])}
    return headers


def error_frame(status: int, body: JSON, headers: Mapping[str, str]) -> bytes:
    """An error as a frame: without a number for `status` Codex does not see one; it reads `retry-after` in `headers`
    (pitfall 161)."""
    return msgspec.json.encode({"type": "error", "status": status, **body, "headers": dict(headers)})


class Frames:
    """One answer: the bytes of its stream, cut anywhere -> its events as texts, byte for byte what SSE carried."""

    def __init__(self) -> None:
        self._parser = SSEParser()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames these bytes complete. Raises SSETooLarge."""
        return [_text(event.data) for event in self._parser.feed(data) if event.data != b"[DONE]"]


def _text(data: bytes) -> bytes:
    """A client closes a socket whose texts are not UTF-8."""
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def _fits_header(name: str, value: Any) -> bool:
    return name.startswith("x-") and isinstance(value, str) and value.isascii() and value.isprintable()
