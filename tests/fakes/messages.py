"""A fake of Anthropic's Messages: signed thinking, prompt caching, strict about what comes back."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping

from aiohttp import web

from tests.fakes.messages_cache import PromptCache
from tests.fakes.messages_models import MODELS
from tests.fakes.messages_request import MessagesRequest
from tests.fakes.messages_rules import judge, judge_count
from tests.fakes.messages_thinking import Minted, thinks
from tests.fakes.provider import JSON, Frame, Provider, pieces, sse
from tests.fakes.script import Call, Custom, Fault, Reply, Say, Search, Steps, Summary, Think, as_function

ERROR_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class MessagesProvider(Provider):
    """`POST /v1/messages` and `/v1/messages/count_tokens`."""

    path = "/messages"
    models = tuple(MODELS)

    def __init__(self, *steps: Steps, key: str = "sk-upstream") -> None:
        super().__init__(*steps, key=key)
        self.counted: list[JSON] = []  # the bodies whose tokens were counted
        self._minted = Minted()
        self._cache = PromptCache()
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return super().url.removesuffix("/v1")

    @property
    def seals(self) -> list[str]:
        return list(self._minted.thoughts)

    def view(self, body: JSON, headers: dict[str, str]) -> MessagesRequest:
        return MessagesRequest(body, headers, self._minted)

    def judge(self, request: MessagesRequest) -> Fault | None:
        if "anthropic-version" not in request.headers:
            return Fault(400, "anthropic-version: header is required")
        return judge(request.body, request.flags, self._minted)

    def stranger(self, headers: Mapping[str, str]) -> Fault | None:
        shown = headers.get("x-api-key") or headers.get("Authorization", "").removeprefix("Bearer ")
        if shown == self.key:
            return None
        return Fault(401, "invalid x-api-key" if shown else "x-api-key header is required")

    def refusal(self, fault: Fault) -> JSON:
        kind = fault.type if fault.type != Fault.type else ERROR_TYPES.get(fault.status, fault.type)
        return {"type": "error", "error": {"type": kind, "message": fault.message}, "request_id": "req_fake"}

    def model_list(self) -> JSON:
        made = "2026-01-01T00:00:00Z"
        rows = [{"type": "model", "id": name, "display_name": name, "created_at": made} for name in self.models]
        return {"data": rows, "has_more": False, "first_id": self.models[0], "last_id": self.models[-1]}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        super().add_routes(router)
        router.add_post("/v1/messages/count_tokens", self._count)

    async def _count(self, request: web.Request) -> web.Response:
        body = await request.json()
        view = self.view(body, {name.lower(): value for name, value in request.headers.items()})
        fault = self.stranger(request.headers) or judge_count(body, view.flags)
        if fault:
            self.refusals.append(fault.message)
            return web.json_response(self.refusal(fault), status=fault.status)
        self.counted.append(body)
        return web.json_response({"input_tokens": len(json.dumps(body)) // 4})

    def whole(self, reply: Reply, request: MessagesRequest) -> JSON:
        content = self._content(reply, request)
        for block in content:
            if block["type"] == "tool_use":
                block["input"] = json.loads(block["input"])
        return {**self._head(request), "content": content, **_end(reply, content), "usage": self._usage(reply, request)}

    def stream(self, reply: Reply, request: MessagesRequest) -> Iterator[Frame]:
        content = self._content(reply, request)
        usage = self._usage(reply, request)
        begun = {**usage, "output_tokens": 1}
        message = {**self._head(request), "content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
        yield _event({"type": "message_start", "message": message})
        yield _event({"type": "ping"})
        for index, block in enumerate(content):
            start, deltas = _pieces(block)
            yield _event({"type": "content_block_start", "index": index, "content_block": start})
            for delta in deltas:
                yield _event({"type": "content_block_delta", "index": index, "delta": delta})
            yield _event({"type": "content_block_stop", "index": index})
        if reply.error:
            yield _event({"type": "error", "error": {"type": "api_error", "message": reply.error}})
            return
        yield _event({"type": "message_delta", "delta": _end(reply, content), "usage": usage})
        yield _event({"type": "message_stop"})

    def _head(self, request: MessagesRequest) -> JSON:
        number = f"msg_{next(self._numbers):024x}"
        return {"id": number, "type": "message", "role": "assistant", "model": request.model}

    def _content(self, reply: Reply, request: MessagesRequest) -> list[JSON]:
        """Blocks; the input of a call is still text. Thoughts only where the model was asked to think."""
        made: list[JSON] = []
        seals: list[str] = []
        for part in reply.parts:
            match part:
                case Say(text=text) | Summary(text=text):
                    made.append({"type": "text", "text": text})
                case Think() if thinks(request.body):
                    made.append(self._thought(part, request))
                    seals.append(made[-1].get("signature") or made[-1]["data"])
                case Call() | Custom() | Search():
                    name, arguments = as_function(part)
                    assert name in request.tools, f"{name} is called but not offered; there are {request.tools}"
                    call_id = f"toolu_{next(self._numbers):024x}"
                    self._minted.calls[call_id] = tuple(seals)
                    made.append({"type": "tool_use", "id": call_id, "name": name, "input": arguments})
        return made

    def _thought(self, part: Think, request: MessagesRequest) -> JSON:
        config = request.body.get("thinking") or {}
        hidden = config.get("display", "omitted" if MODELS[request.model].hides else "summarized") == "omitted"
        digest = hashlib.sha512(f"{part.text}{next(self._numbers)}".encode()).digest()
        seal = base64.b64encode(digest * 2).decode()
        shown = "" if hidden else part.text
        self._minted.thoughts[seal] = part.text
        self._minted.shown[seal] = shown
        if part.redacted:
            return {"type": "redacted_thinking", "data": seal}
        return {"type": "thinking", "thinking": shown, "signature": seal}

    def _usage(self, reply: Reply, request: MessagesRequest) -> JSON:
        if reply.usage:
            given, read, made, thought = reply.usage
            fresh, written = given - read, 0
        else:
            thought = sum(len(part.text) for part in reply.parts if isinstance(part, Think)) // 4
            made = 20 + thought
            request.counts = request.counts or self._cache.use(request.body)
            fresh, read, written = request.counts
        return {
            "input_tokens": fresh,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": read,
            "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"thinking_tokens": thought},
            "service_tier": "standard",
        }


def _end(reply: Reply, content: list[JSON]) -> JSON:
    called = any(block["type"] == "tool_use" for block in content)
    return {
        "stop_reason": "max_tokens" if reply.length else "tool_use" if called else "end_turn",
        "stop_sequence": None,
    }


def _event(event: JSON) -> Frame:
    return sse(event, event["type"])


def _pieces(block: JSON) -> tuple[JSON, list[JSON]]:
    """A block as it begins, and the deltas that make it whole."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [*deltas, signed]
        case "tool_use":
            texts = ["", *pieces(block["input"])]
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": text} for text in texts]
        case _:
            return block, []
