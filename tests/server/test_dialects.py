"""A Responses client onto servers that speak Responses without OpenAI's own kinds of tools and items."""

import json

import pytest

from tests.server.hub import channel, events, hub
from tests.server.upstreams import Upstream, responses_events, streams

PATCH = "*** Begin Patch\n*** Add File: a\n+b\n*** End Patch\n"
CUSTOM = {"type": "custom", "name": "apply_patch", "description": "Edits files."}
FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}


def other(url, **fields):
    return channel("other", url, options={"protocol": "openai_responses", **fields})


def calls(name, arguments):
    """A Responses stream that calls one function."""
    item = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": name, "arguments": arguments}
    done = {"id": "resp_1", "object": "response", "model": "m", "status": "completed", "output": [item]}
    steps = [
        {"type": "response.created", "response": {**done, "status": "in_progress", "output": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": done},
    ]
    return [f"data: {json.dumps(step)}\n\n".encode() for step in steps]


async def test_freeform_tools_become_functions_there_and_come_back_as_they_were(tmp_path):  # pitfall 104
    script = streams(calls("apply_patch", json.dumps({"input": PATCH})))
    payload = {"model": "m", "input": "go", "stream": True, "tools": [CUSTOM, {"type": "web_search"}]}
    async with Upstream(script) as up, hub(tmp_path, [other(up.url)]) as h:
        status, _, text = await h.ask(payload=payload)
        record = await h.finished()
    assert status == 200
    sent = up.calls[0].json
    assert [(tool["type"], tool["name"]) for tool in sent["tools"]] == [("function", "apply_patch")]
    item = next(event["item"] for event in events(text) if event["type"] == "response.output_item.done")
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", PATCH)
    assert record.upstream_protocol == "openai_responses"
    assert any("web_search" in f"{loss.field} {loss.reason}" for loss in record.losses)


@pytest.mark.parametrize("options", [{}, {"custom_tools": "true"}])
async def test_what_every_server_takes_passes_as_it_came(tmp_path, options):
    pieces = responses_events()
    tools = [FUNCTION, CUSTOM] if options else [FUNCTION]
    payload = {"model": "m", "input": "go", "stream": True, "tools": tools, "brand_new": {"a": 1}}
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [other(up.url, **options)]) as h:
        _, _, text = await h.ask(payload=payload)
    assert text.encode() == b"".join(pieces)
    assert up.calls[0].json == payload


async def test_history_of_openais_own_kinds_is_lowered_too(tmp_path):  # pitfalls 104, 105
    items = [
        {"type": "message", "role": "user", "content": "go"},
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": PATCH},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ]
    async with Upstream(streams(responses_events())) as up, hub(tmp_path, [other(up.url)]) as h:
        status, _, _ = await h.ask(payload={"model": "m", "input": items, "stream": True})
    assert status == 200
    assert [item["type"] for item in up.calls[0].json["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]


async def test_a_search_of_openais_own_stays_here_and_is_told(tmp_path):  # pitfall 62
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "x"},
    }
    items = [{"type": "message", "role": "user", "content": "go"}, search]
    async with Upstream(streams(responses_events())) as up, hub(tmp_path, [other(up.url)]) as h:
        status, _, _ = await h.ask(payload={"model": "m", "input": items, "stream": True})
        record = await h.finished()
    assert status == 200
    assert [item["type"] for item in up.calls[0].json["input"]] == ["message"]
    assert any("web_search_call" in loss.field for loss in record.losses)
