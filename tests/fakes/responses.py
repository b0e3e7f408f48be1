"""A fake of OpenAI's Responses: full event order, encrypted reasoning, strict about what comes back."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Iterator

from tests.fakes.provider import JSON, Frame, Provider, sse
from tests.fakes.responses_items import Item, items_of
from tests.fakes.responses_rules import OUTPUT_OF, judge
from tests.fakes.script import Fault, Reply, Steps, Think


class ResponsesRequest:
    """One request as a test wants to look at it."""

    def __init__(self, body: JSON, headers: dict[str, str], opened: dict[str, str]) -> None:
        self.body, self.headers, self.at = body, headers, 0.0
        self.answer_id = ""
        self._opened = opened

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def items(self) -> list[JSON]:
        given = self.body["input"]
        if isinstance(given, str):
            return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
        return [{"type": "message", **item} for item in given]

    def of(self, kind: str) -> list[JSON]:
        return [item for item in self.items if item["type"] == kind]

    @property
    def declared(self) -> list[JSON]:
        """All tools that may be called, wherever they were declared; with `namespace` where they have one."""
        lists = [self.body.get("tools") or []]
        lists += [item["tools"] for item in self.items if item["type"] in ("additional_tools", "tool_search_output")]
        found = []
        for tool in itertools.chain(*lists):
            if tool["type"] == "namespace":
                found += [{**child, "namespace": tool["name"]} for child in tool["tools"]]
            else:
                found.append({"name": tool["type"], **tool})
        return found

    @property
    def tools(self) -> list[str]:
        """Flat names, to be compared with a Chat request's."""
        return ["__".join(filter(None, (tool.get("namespace"), tool["name"]))) for tool in self.declared]

    @property
    def text(self) -> str:
        return "\n".join(self._text(item) for item in self.items)

    @property
    def last_user(self) -> str:
        users = [self._text(item) for item in self.of("message") if item["role"] == "user"]
        return users[-1] if users else ""

    @property
    def calls(self) -> list[str]:
        """The names of the calls in the history."""
        return [item["name"] for item in self.items if item["type"] in ("function_call", "custom_tool_call")]

    @property
    def outputs(self) -> list[str]:
        return [self._text(item) for item in self.items if item["type"] in OUTPUT_OF.values()]

    @property
    def images(self) -> list[str]:
        contents = [item.get("content", item.get("output")) for item in self.items]
        parts = itertools.chain(*(content for content in contents if isinstance(content, list)))
        return [part["image_url"] for part in parts if part["type"] == "input_image"]

    @property
    def thoughts(self) -> list[str]:
        """What was thought, out of the ciphertexts that came back."""
        return [self._opened[item["encrypted_content"]] for item in self.of("reasoning")]

    def _text(self, item: JSON) -> str:
        if item["type"] in ("compaction", "reasoning"):
            return self._opened.get(item.get("encrypted_content") or "", "")
        content = item.get("content", item.get("output", ""))
        if isinstance(content, str):
            return content
        return "\n".join(part.get("text") or part.get("encrypted_content") or "" for part in content or ())


class ResponsesProvider(Provider):
    """`POST /v1/responses`."""

    path = "/responses"
    models = ("gpt-5.5", "gpt-6-sol")

    def __init__(self, *steps: Steps, key: str = "sk-upstream") -> None:
        super().__init__(*steps, key=key)
        self._sealed: dict[str, str] = {}  # ciphertext -> id of its item
        self._opened: dict[str, str] = {}  # ciphertext -> what is in it
        self._numbers = itertools.count(1)

    @property
    def seals(self) -> list[str]:
        return list(self._sealed)

    def view(self, body: JSON, headers: dict[str, str]) -> ResponsesRequest:
        request = ResponsesRequest(body, headers, self._opened)
        request.answer_id = f"resp_{next(self._numbers):048x}"
        return request

    def judge(self, request: ResponsesRequest) -> Fault | None:
        return judge(request.body, self._sealed)

    def whole(self, reply: Reply, request: ResponsesRequest) -> JSON:
        done = [item.done for item in self._items(reply, request)]
        return self._response(reply, request, "incomplete" if reply.length else "completed", done)

    def stream(self, reply: Reply, request: ResponsesRequest) -> Iterator[Frame]:
        numbers = itertools.count()
        items = self._items(reply, request)
        done = [item.done for item in items]
        for event in self._events(reply, request, items, done):
            event["sequence_number"] = next(numbers)
            yield sse(event, event["type"])

    def _events(self, reply: Reply, request: ResponsesRequest, items: list[Item], done: list[JSON]) -> Iterator[JSON]:
        running = self._response(reply, request, "in_progress", [])
        yield {"type": "response.created", "response": running}
        yield {"type": "response.in_progress", "response": running}
        for index, item in enumerate(items):
            yield {"type": "response.output_item.added", "output_index": index, "item": item.added}
            for event in item.events:
                yield {**event, "output_index": index, "item_id": item.done["id"]}
            yield {"type": "response.output_item.done", "output_index": index, "item": item.done}
        if reply.error:
            failed = {**running, "status": "failed", "error": {"code": "server_error", "message": reply.error}}
            yield {"type": "response.failed", "response": failed}
            return
        status = "incomplete" if reply.length else "completed"
        yield {"type": f"response.{status}", "response": self._response(reply, request, status, done)}

    def _items(self, reply: Reply, request: ResponsesRequest) -> list[Item]:
        return items_of(reply, request, self._seal, lambda prefix: f"{prefix}_{next(self._numbers):048x}")

    def _seal(self, item_id: str, content: str) -> str:
        digest = hashlib.sha256(f"{item_id}{content}".encode()).digest()
        token = "gAAAAA" + base64.urlsafe_b64encode(digest * 3).decode()
        self._sealed[token] = item_id
        self._opened[token] = content
        return token

    def _response(self, reply: Reply, request: ResponsesRequest, status: str, output: list[JSON]) -> JSON:
        body = request.body
        return {
            "id": request.answer_id,
            "object": "response",
            "created_at": 1790000000,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": body.get("instructions"),
            "metadata": {},
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "temperature": 1.0,
            "tool_choice": body.get("tool_choice", "auto"),
            "tools": [],
            "top_p": 1.0,
            "usage": None if status == "in_progress" else usage(reply, request),
        }


def usage(reply: Reply, request: ResponsesRequest) -> JSON:
    thought = sum(len(part.text) for part in reply.parts if isinstance(part, Think)) // 4
    given, cached, made, thought = reply.usage or (len(json.dumps(request.body)) // 4, 0, 20 + thought, thought)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": given + made,
    }
