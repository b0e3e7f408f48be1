"""A fake of Chat Completions: as strict as the vendor whose dialect it speaks."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.chat_rules import OPENAI, Dialect, judge
from tests.fakes.provider import JSON, Frame, Provider, pieces, sse
from tests.fakes.script import Call, Custom, Fault, Reply, Say, Search, Steps, Summary, Think, as_function


class ChatRequest:
    """One request as a test wants to look at it."""

    def __init__(self, body: JSON, headers: dict[str, str]) -> None:
        self.body, self.headers, self.at = body, headers, 0.0

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def messages(self) -> list[JSON]:
        return list(self.body["messages"])

    @property
    def tools(self) -> list[str]:
        return [tool[tool["type"]]["name"] for tool in self.body.get("tools", ())]

    @property
    def freeform(self) -> list[str]:
        """The tools that take text instead of arguments."""
        return [tool["custom"]["name"] for tool in self.body.get("tools", ()) if tool["type"] == "custom"]

    def tool(self, name: str) -> JSON:
        return next(tool["function"] for tool in self.body["tools"] if tool["function"]["name"] == name)

    @property
    def text(self) -> str:
        """All there is to read, in order."""
        return "\n".join(content_text(message.get("content")) for message in self.messages)

    @property
    def last_user(self) -> str:
        users = [content_text(m.get("content")) for m in self.messages if m["role"] == "user"]
        return users[-1] if users else ""

    @property
    def calls(self) -> list[str]:
        """The names of the calls in the history."""
        made = itertools.chain(*(message.get("tool_calls") or () for message in self.messages))
        return [call[call["type"]]["name"] for call in made]

    @property
    def outputs(self) -> list[str]:
        """What tools returned, in order."""
        return [content_text(m["content"]) for m in self.messages if m["role"] == "tool"]

    @property
    def images(self) -> list[str]:
        lists = [m["content"] for m in self.messages if isinstance(m.get("content"), list)]
        return [part["image_url"]["url"] for part in itertools.chain(*lists) if part["type"] == "image_url"]

    @property
    def thoughts(self) -> list[str]:
        """The reasoning that came back, in order."""
        return [m["reasoning_content"] for m in self.messages if m.get("reasoning_content")]


def content_text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(part.get("text", "") for part in content)
    return content or ""


class ChatProvider(Provider):
    """`POST /v1/chat/completions`."""

    path = "/chat/completions"

    def __init__(self, *steps: Steps, dialect: Dialect = OPENAI, key: str = "sk-upstream") -> None:
        super().__init__(*steps, key=key)
        self.dialect = dialect
        self.models = {"deepseek": ("deepseek-chat", "deepseek-reasoner")}.get(dialect.name, ("some-model",))
        self._thoughts: dict[str, str] = {}  # by call id
        self._numbers = itertools.count(1)

    def view(self, body: JSON, headers: dict[str, str]) -> ChatRequest:
        return ChatRequest(body, headers)

    def judge(self, request: ChatRequest) -> Fault | None:
        return judge(request.body, self.dialect, self._thoughts)

    def whole(self, reply: Reply, request: ChatRequest) -> JSON:
        calls = self._calls(reply, request)
        message: JSON = {"role": "assistant", "content": _said(reply) or None, "refusal": None}
        if self.dialect.reasoning and _thought(reply):
            message["reasoning_content"] = _thought(reply)
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply, calls)}
        head = self._head(request, "chat.completion")
        return {**head, "choices": [choice], "usage": usage(reply, request, self.dialect)}

    def stream(self, reply: Reply, request: ChatRequest) -> Iterator[Frame]:
        head = self._head(request, "chat.completion.chunk")
        calls = self._calls(reply, request)
        deltas: list[JSON] = [{"role": "assistant", "content": ""}]
        if self.dialect.reasoning:
            deltas += [{"reasoning_content": piece} for piece in pieces(_thought(reply))]
        deltas += [{"content": piece} for piece in pieces(_said(reply))]
        deltas += _call_deltas(calls)
        for delta in deltas:
            yield sse({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]})
        if reply.error:
            yield sse({"error": {"message": reply.error, "type": "server_error", "param": None, "code": None}})
            return
        end = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": _finish(reply, calls)}
        yield sse({**head, "choices": [end]})
        if (request.body.get("stream_options") or {}).get("include_usage"):
            yield sse({**head, "choices": [], "usage": usage(reply, request, self.dialect)})
        yield sse("[DONE]")

    def _head(self, request: ChatRequest, kind: str) -> JSON:
        number = f"chatcmpl-{next(self._numbers):06d}"
        return {"id": number, "object": kind, "created": 1790000000, "model": request.model}

    def _calls(self, reply: Reply, request: ChatRequest) -> list[JSON]:
        parts = [part for part in reply.parts if isinstance(part, Call | Custom | Search)]
        made = []
        for part in parts:
            name, arguments = as_function(part)
            assert name in request.tools, f"{name} is called but not offered; there are {request.tools}"
            call_id = f"call_00_{next(self._numbers):06d}"
            self._thoughts[call_id] = _thought(reply) if self.dialect.reasoning else ""
            if isinstance(part, Custom) and name in request.freeform:
                made.append({"id": call_id, "type": "custom", "custom": {"name": name, "input": part.text}})
            else:
                made.append({"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}})
        return made


def _call_deltas(calls: list[JSON]) -> list[JSON]:
    """The heads of all calls, then pieces of their arguments in turn, as parallel calls really interleave."""
    deltas = []
    kinds = [(call["type"], "input" if call["type"] == "custom" else "arguments") for call in calls]
    for index, (call, (kind, field)) in enumerate(zip(calls, kinds, strict=True)):
        deltas.append({"tool_calls": [{**call, "index": index, kind: {"name": call[kind]["name"], field: ""}}]})
    texts = [pieces(call[kind][field]) for call, (kind, field) in zip(calls, kinds, strict=True)]
    for row in itertools.zip_longest(*texts):
        for index, piece in enumerate(row):
            if piece is not None:
                kind, field = kinds[index]
                deltas.append({"tool_calls": [{"index": index, kind: {field: piece}}]})
    return deltas


def _said(reply: Reply) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, Say | Summary))


def _thought(reply: Reply) -> str:
    return "".join(part.text for part in reply.parts if isinstance(part, Think))


def _finish(reply: Reply, calls: list[JSON]) -> str:
    return "length" if reply.length else "tool_calls" if calls else "stop"


def usage(reply: Reply, request: ChatRequest, dialect: Dialect) -> JSON:
    words = len(json.dumps(request.body)) // 4, 0, 20, 8 if _thought(reply) else 0
    given, cached, made, thought = reply.usage or words
    counts: JSON = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}
    counts["prompt_tokens_details"] = {"cached_tokens": cached}
    if dialect.reasoning:
        counts |= {"prompt_cache_hit_tokens": cached, "prompt_cache_miss_tokens": given - cached}
        counts["completion_tokens_details"] = {"reasoning_tokens": thought}
    return counts
