"""Fakes of the vendors that speak Messages beside Anthropic, scripts for `tests.server.upstreams.Upstream`.

What each takes, as its documentation had it in 2026-11; written down apart from the product's table:
https://api-docs.deepseek.com/guides/anthropic_api, platform.moonshot.ai/docs, docs.z.ai, docs.bigmodel.cn and
https://platform.minimax.io/docs/api-reference/text-anthropic-api.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.server.speakers import TEXT, messages_answer, messages_stream

KEY = "sk-vendor-0f0f0f"
OWN = "call_like_"  # how the ids of its calls begin
_NEEDED = {"model", "messages", "max_tokens", "system", "stream", "tools", "tool_choice"}
_COMMON = frozenset({"temperature", "top_p", "stop_sequences", "thinking", "metadata"})


@dataclass(frozen=True)
class Vendor:
    """`path` is below its host; `header` shows the key, after `scheme`; `fields` are the optional ones it takes."""

    path: str
    model: str
    header: str = "authorization"
    scheme: str = "Bearer "
    fields: frozenset[str] = _COMMON
    sees: bool = True


VENDORS = {
    "deepseek-anthropic": Vendor(
        "/anthropic",
        "deepseek-reasoner",
        "x-api-key",
        "",
        frozenset({"temperature", "top_p", "stop_sequences", "thinking", "output_config"}),
        sees=False,
    ),
    "moonshot-anthropic": Vendor("/anthropic", "kimi-k2-thinking"),
    "zhipu-anthropic": Vendor("/api/anthropic", "glm-4.6"),
    "zai-anthropic": Vendor("/api/anthropic", "glm-4.6"),
    "minimax-anthropic": Vendor("/anthropic", "MiniMax-M2", "x-api-key", "", _COMMON - {"stop_sequences"}, sees=False),
}


class ClaudeLike:
    """Thinks without signing it, calls `tool` in its first answer, and wants its thoughts back beside the call."""

    def __init__(self, vendor: Vendor, tool: str | None = None) -> None:
        self.vendor, self.tool = vendor, tool
        self.complaints: list[str] = []
        self.thoughts: list[str] = []

    async def __call__(self, wire: Any) -> None:
        refusal = self._wrong(wire.call)
        if refusal is not None:
            status, kind, message = refusal
            self.complaints.append(message)
            await wire.answer(status, {"type": "error", "error": {"type": kind, "message": message}})
            return
        content, stop = self._content(wire.call.json)
        if wire.call.json.get("stream"):
            await wire.head()
            for piece in messages_stream(*content, stop=stop):
                await wire.chunk(piece)
            await wire.end()
        else:
            await wire.answer(200, messages_answer(*content, stop=stop))

    def _content(self, payload: Any) -> tuple[list[Any], str]:
        if self.tool is None or (payload.get("tool_choice") or {}).get("type") == "none":
            return [{"type": "text", "text": TEXT}], "end_turn"
        number = len(self.thoughts)
        self.thoughts.append(f"Thought {number}.")
        call = {"type": "tool_use", "id": f"{OWN}{number}", "name": self.tool, "input": {"city": "Oslo"}}
        return [{"type": "thinking", "thinking": self.thoughts[-1], "signature": ""}, call], "tool_use"

    def _wrong(self, call: Any) -> tuple[int, str, str] | None:
        shown = {name: call.headers[name] for name in ("x-api-key", "authorization") if name in call.headers}
        if shown != {self.vendor.header: self.vendor.scheme + KEY}:
            return 401, "authentication_error", "Authentication Fails (no such key)"
        if call.path.partition("?")[0] != self.vendor.path + "/v1/messages":
            return 404, "not_found_error", f"no such path: {call.path}"
        if "anthropic-beta" in call.headers:
            return 400, "invalid_request_error", "unknown beta"
        return next(((400, "invalid_request_error", words) for words in self._faults(call.json)), None)

    def _faults(self, payload: Any) -> Any:
        for name in payload.keys() - _NEEDED - self.vendor.fields:
            yield f"{name}: unknown field"
        if payload["model"] != self.vendor.model:
            yield f"Model Not Exist: {payload['model']}"
        if any(message["role"] not in ("user", "assistant") for message in payload["messages"]):
            yield "messages: unknown role"
        text = json.dumps(payload)
        if not self.vendor.sees and ('"type": "image"' in text or '"type": "document"' in text):
            yield "unknown variant `image`"
        back = [block["thinking"] for block in _blocks(payload) if block["type"] == "thinking"]
        called = [block["id"] for block in _blocks(payload) if block["type"] == "tool_use"]
        wanted = [self.thoughts[int(name.removeprefix(OWN))] for name in called if name.startswith(OWN)]
        if self.thoughts and back != wanted:
            yield f"The `content[].thinking` in the thinking mode must be passed back to the API: {back} not {wanted}"


def _blocks(payload: Any) -> list[Any]:
    contents = [message["content"] for message in payload["messages"] if message["role"] == "assistant"]
    return [block for content in contents if isinstance(content, list) for block in content]
