"""The output items of the Responses fake, each with the events that build it up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.provider import pieces
from tests.fakes.script import Call, Custom, Part, Reply, Say, Search, Summary, Think

JSON = dict[str, Any]
Seal = Callable[[str, str], str]
NewId = Callable[[str], str]


@dataclass(frozen=True)
class Item:
    """`added` and `done` as the events of that name carry it; `events` are those between them."""

    added: JSON
    done: JSON
    events: list[JSON] = field(default_factory=list)


def items_of(reply: Reply, request: Any, seal: Seal, new_id: NewId) -> list[Item]:
    """Raises AssertionError for a script that calls what was not declared."""
    return [_item(part, request, seal, new_id) for part in reply.parts]


def _item(part: Part, request: Any, seal: Seal, new_id: NewId) -> Item:
    match part:
        case Say(text=text):
            return _message(text, new_id("msg"))
        case Think(text=text):
            return _reasoning(text, request, seal, new_id("rs"))
        case Call():
            return _call(part, request, new_id)
        case Custom():
            return _custom(part, request, new_id)
        case Search(query=query):
            assert "tool_search" in request.tools, "tool_search is not offered"
            item = {"id": new_id("tsc"), "type": "tool_search_call", "status": "completed", "execution": "client"}
            item |= {"call_id": new_id("call"), "arguments": {"query": query}}
            return Item({**item, "status": "in_progress"}, item)
        case Summary(text=text):
            if request.of("compaction_trigger"):
                own = new_id("cmp")
                item = {"id": own, "type": "compaction", "encrypted_content": seal(own, text)}
                return Item(item, item)
            return _message(text, new_id("msg"))


def _message(text: str, own: str) -> Item:
    def message(status: str, content: list[JSON]) -> JSON:
        return {"id": own, "type": "message", "status": status, "role": "assistant", "content": content}

    part: JSON = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    at = {"content_index": 0}
    events: list[JSON] = [{"type": "response.content_part.added", **at, "part": {**part, "text": ""}}]
    delta = {"type": "response.output_text.delta", **at, "logprobs": []}
    events += [{**delta, "delta": piece} for piece in pieces(text)]
    events.append({"type": "response.output_text.done", **at, "text": text, "logprobs": []})
    events.append({"type": "response.content_part.done", **at, "part": part})
    return Item(message("in_progress", []), message("completed", [part]), events)


def _reasoning(text: str, request: Any, seal: Seal, own: str) -> Item:
    """It is summed up only for those who ask for that."""
    item: JSON = {"id": own, "type": "reasoning", "summary": []}
    if "reasoning.encrypted_content" in (request.body.get("include") or ()):
        item["encrypted_content"] = seal(own, text)
    if not (request.body.get("reasoning") or {}).get("summary"):
        return Item(item, item)
    part = {"type": "summary_text", "text": text}
    at = {"summary_index": 0}
    events: list[JSON] = [{"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}}]
    events += [{"type": "response.reasoning_summary_text.delta", **at, "delta": piece} for piece in pieces(text)]
    events.append({"type": "response.reasoning_summary_text.done", **at, "text": text})
    events.append({"type": "response.reasoning_summary_part.done", **at, "part": part})
    return Item(item, {**item, "summary": [part]}, events)


def _call(part: Call, request: Any, new_id: NewId) -> Item:
    _offered(part, request, "function")
    text = part.arguments if isinstance(part.arguments, str) else json.dumps(part.arguments)
    item: JSON = {"id": new_id("fc"), "type": "function_call", "status": "completed", "name": part.name}
    item |= {"call_id": new_id("call"), "arguments": text}
    if part.namespace:
        item["namespace"] = part.namespace
    name = "response.function_call_arguments"
    events: list[JSON] = [{"type": f"{name}.delta", "delta": piece} for piece in pieces(text)]
    events.append({"type": f"{name}.done", "arguments": text, "name": part.name})
    return Item({**item, "status": "in_progress", "arguments": ""}, item, events)


def _custom(part: Custom, request: Any, new_id: NewId) -> Item:
    _offered(part, request, "custom")
    item: JSON = {"id": new_id("ctc"), "type": "custom_tool_call", "status": "completed", "name": part.name}
    item |= {"call_id": new_id("call"), "input": part.text}
    if part.namespace:
        item["namespace"] = part.namespace
    name = "response.custom_tool_call_input"
    events: list[JSON] = [{"type": f"{name}.delta", "delta": piece} for piece in pieces(part.text)]
    events.append({"type": f"{name}.done", "input": part.text})
    return Item({**item, "status": "in_progress", "input": ""}, item, events)


def _offered(part: Call | Custom, request: Any, kind: str) -> None:
    for tool in request.declared:
        if (tool.get("namespace"), tool["name"], tool["type"]) == (part.namespace, part.name, kind):
            return
    raise AssertionError(f"{kind} {part.namespace}/{part.name} is called but not offered; there are {request.tools}")
