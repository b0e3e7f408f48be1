"""What the tests of this codec share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
from openai.types.responses import Response as SDKResponse
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from axonhub_cli.llm.content import ToolCallPart
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamEvent
from axonhub_cli.llm.fold import unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, FinishReason, Response
from axonhub_cli.protocols.openai_responses import CODEC
from axonhub_cli.vendors import Quirks

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures" / "openai_responses"
NATIVE = Quirks(
    custom_tools=True,
    hosted_tools=("*",),
    reasoning_echo="always",
    efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"),
)
PLAIN = Quirks()
_EVENT = TypeAdapter(ResponseStreamEvent)
# Of OpenAI itself, but not (yet) in the SDK's types.
_UNTYPED = {("ResponseCustomToolCall", "status")}


def load(name: str) -> Any:
    return json.loads((FIXTURES / name).read_text())


def requests() -> list[str]:
    return sorted(str(path.relative_to(FIXTURES)) for path in FIXTURES.rglob("*.request.json"))


def streams() -> list[str]:
    return sorted(path.name for path in FIXTURES.glob("*.stream.sse"))


def request(**fields: Any) -> Request:
    return CODEC.decode_request({"model": "asked-for", "input": "hi", **fields})


def function(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": {"type": "object", "properties": properties}}


def events_of(data: bytes) -> list[dict[str, Any]]:
    """Parses SSE strictly: each event has its name and one line of data, and the two agree."""
    found = []
    for block in data.decode().split("\n\n"):
        if block:
            first, second = block.split("\n")
            event = json.loads(second.removeprefix("data: "))
            assert first == f"event: {event['type']}"
            found.append(event)
    return found


def check_event(event: dict[str, Any]) -> None:
    """Fits the SDK's type for it: nothing missing, nothing unknown."""
    response = event.get("response")
    if response and response["error"]:  # the API has more codes than the SDK's list of them
        event = {**event, "response": {**response, "error": {**response["error"], "code": "server_error"}}}
    model = _EVENT.validate_python(event)
    assert model.type == event["type"]
    check_extra(model)


def check_response(payload: dict[str, Any]) -> SDKResponse:
    model = SDKResponse.model_validate(payload)
    check_extra(model)
    return model


def check_extra(model: Any) -> None:
    if isinstance(model, openai.BaseModel):
        for name in model.model_extra or {}:
            assert (type(model).__name__, name) in _UNTYPED, f"{type(model).__name__}.{name} is not in the SDK"
        for name in type(model).model_fields:
            check_extra(getattr(model, name))
    elif isinstance(model, list):
        for item in model:
            check_extra(item)


def check_order(events: list[dict[str, Any]]) -> None:
    """The official grammar: numbered, created first, one item open, one terminal last (pitfalls 29, 30, 61)."""
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[1]["type"] == "response.in_progress"
    terminals = [event for event in events if event["type"] in TERMINALS]
    assert len(terminals) == 1 and events[-1] is terminals[0]
    opened: str | None = None
    count = 0
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert opened is None and event["output_index"] == count
            opened = event["item"]["id"]
            assert len(opened) <= 64
        elif kind == "response.output_item.done":
            assert event["item"]["id"] == opened and event["output_index"] == count
            opened, count = None, count + 1
        elif "item_id" in event:
            assert event["item_id"] == opened and event["output_index"] == count
    assert opened is None or events[-1]["type"] != "response.completed"


TERMINALS = {"response.completed", "response.incomplete", "response.failed"}


def stream(request: Request, events: list[StreamEvent], id: str = "req_0a1b") -> list[dict[str, Any]]:
    """What a client reads; every event checked."""
    found = events_of(CODEC.stream_encoder(request, id, 1_700_000_000).encode(events))
    for event in found:
        check_event(event)
    return found


def answer(*parts: Any, kind: FinishKind = FinishKind.STOP, usage: Any = None) -> list[StreamEvent]:
    return list(unfold(Response("up_1", "upstream-model", parts, FinishReason(kind), usage)))


def call(name: str, arguments: str, *pieces: str, kind: FinishKind = FinishKind.TOOL_CALLS) -> list[StreamEvent]:
    part = ToolCallPart("call_1", name, arguments)
    deltas = [PartDelta(0, piece) for piece in pieces or (arguments,)]
    start = PartStart(0, ToolCallPart("call_1", name))
    return [ResponseStart("up_1", "m"), start, *deltas, PartEnd(0, part), ResponseEnd(FinishReason(kind))]


def done_items(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]
