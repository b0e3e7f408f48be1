from __future__ import annotations

import json
from typing import Any

import pytest

from axonhub_cli.llm.content import (
    FilePart,
    ImagePart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)
from axonhub_cli.llm.request import Message, Reasoning, Request, ResponseFormat, Role, Sampling
from axonhub_cli.protocols.base import Loss
from axonhub_cli.protocols.efforts import clamp
from axonhub_cli.protocols.openai_responses import CODEC
from axonhub_cli.vendors import Quirks

from .helpers import NATIVE, PLAIN, load, request, requests


def encode(asked: Request, quirks: Quirks = PLAIN) -> tuple[dict[str, Any], tuple[Loss, ...]]:
    encoded = CODEC.encode_request(asked, quirks)
    return encoded.payload, encoded.losses


@pytest.mark.parametrize("name", requests())
def test_a_server_of_plain_functions_gets_nothing_else_104(name: str) -> None:
    payload, _ = encode(CODEC.decode_request(load(name)))
    assert {tool["type"] for tool in payload.get("tools", [])} <= {"function"}
    kinds = {item["type"] for item in payload["input"]}
    assert kinds <= {"message", "function_call", "function_call_output", "reasoning", "compaction"}
    assert "namespace" not in {key for item in payload["input"] for key in item}


def test_a_chat_client_at_a_responses_upstream() -> None:
    asked = Request(
        "m",
        (
            Message(Role.SYSTEM, (TextPart("Be kind."),)),
            Message(Role.USER, (TextPart("Hi"), ImagePart("data:x"))),
            Message(Role.ASSISTANT, (ReasoningPart("r"), TextPart("Yes"), ToolCallPart("c", "f", ""))),
            Message(Role.TOOL, (ToolResultPart("c", (TextPart("ok"),)),)),
        ),
        sampling=Sampling(0.1, seed=3, stop=("x",)),
        extras={"openai_chat": {"prediction": {}}},
    )
    payload, losses = encode(asked, NATIVE)
    assert payload["instructions"] == "Be kind."
    assert [item["type"] for item in payload["input"]] == [
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert payload["input"][3]["arguments"] == "{}"  # pitfall 6
    assert (payload["store"], payload["include"]) == (False, ["reasoning.encrypted_content"])
    assert {loss.field for loss in losses} == {"seed", "stop[0]", "prediction"}


def test_a_custom_call_has_an_output_of_its_own_kind() -> None:
    """OpenAI finds no other; Chat's results do not say what kind of call they answer."""
    called = ToolCallPart("c", "apply_patch", "*** Begin Patch", ToolKind.CUSTOM)
    asked = Request(
        "m",
        (
            Message(Role.USER, (TextPart("Hi"),)),
            Message(Role.ASSISTANT, (called,)),
            Message(Role.TOOL, (ToolResultPart("c", (TextPart("ok"),)),)),
        ),
    )
    kinds = [item["type"] for item in encode(asked, NATIVE)[0]["input"]]
    assert kinds == ["message", "custom_tool_call", "custom_tool_call_output"]
    kinds = [item["type"] for item in encode(asked)[0]["input"]]
    assert kinds == ["message", "function_call", "function_call_output"]


def test_orphans_and_duplicates_8_9() -> None:
    def item(kind: str, id: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "call_id": id, **fields}

    items = [
        item("function_call", "a", name="f", arguments="{}"),
        item("function_call", "b", name="f", arguments="{}"),
        item("function_call_output", "a", output="1"),
        item("function_call_output", "a", output="2"),
        item("function_call_output", "x", output="?"),
        {"role": "user", "content": "go on"},
    ]
    payload, losses = encode(request(input=items), NATIVE)
    found = [(item["type"], item.get("call_id"), item.get("output")) for item in payload["input"]]
    assert found == [
        ("function_call", "a", None),
        ("function_call", "b", None),
        ("function_call_output", "a", "2"),
        ("function_call_output", "b", "[no output: the call was interrupted]"),
        ("message", None, None),
    ]
    assert [loss.field for loss in losses] == ["output of a", "output of x"]


def test_calls_that_share_an_id_keep_their_own_outputs_70() -> None:
    """Some vendors count their calls anew in every answer; others write ids that are too long for OpenAI."""
    long = "call_" + "x" * 90
    messages = [
        message
        for id, text in (("call_0", "1"), ("call_0", "2"), (long, "3"))
        for message in (
            Message(Role.ASSISTANT, (ToolCallPart(id, "f", "{}"),)),
            Message(Role.TOOL, (ToolResultPart(id, (TextPart(text),)),)),
        )
    ]
    payload, losses = encode(Request("m", tuple(messages)), NATIVE)
    calls, outputs = payload["input"][::2], payload["input"][1::2]
    ids = [item["call_id"] for item in calls]
    assert ids[0] == "call_0" and len(set(ids)) == 3 and max(map(len, ids)) <= 64
    assert [item["call_id"] for item in outputs] == ids
    assert [item["output"] for item in outputs] == ["1", "2", "3"] and not losses


def test_the_fewest_tokens_that_openai_takes() -> None:
    """Claude Code asks for one token to see whether its key is good; Responses refuses fewer than 16."""
    payload, losses = encode(Request("m", (Message(Role.USER, (TextPart("quota"),)),), max_tokens=1))
    assert payload["max_output_tokens"] == 16
    assert [loss.field for loss in losses] == ["max_tokens"]
    assert encode(request(max_output_tokens=1))[0]["max_output_tokens"] == 1  # a Responses client knows the rule


def test_images_in_tool_outputs_10_11() -> None:
    items = [
        {"type": "function_call", "call_id": "a", "name": "view", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_image", "image_url": "data:x"}]},
    ]
    native, _ = encode(request(input=items), NATIVE)
    assert native["input"][1]["output"] == [{"type": "input_image", "image_url": "data:x"}]
    moved, _ = encode(request(input=items))
    assert moved["input"][1]["output"] == "[image: see the next user message]"
    assert moved["input"][2]["content"] == [{"type": "input_image", "image_url": "data:x"}]
    blind, losses = encode(request(input=items), Quirks(vision=False))
    assert "data:x" not in json.dumps(blind) and losses


def test_a_file_without_a_name_is_given_one() -> None:
    """OpenAI refuses data without a filename (laravel/ai issue 321)."""
    file = FilePart("data:application/pdf;base64,JVBERi0=")
    payload, _ = encode(Request("m", (Message(Role.USER, (file,)),)))
    assert payload["input"][0]["content"][0]["filename"] == "file.pdf"


def test_no_tools_no_choice_3() -> None:
    asked = request(tools=[{"type": "web_search"}], tool_choice="auto", parallel_tool_calls=True)
    payload, losses = encode(asked)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & payload.keys()
    assert {loss.field for loss in losses} == {"tools.web_search", "tool_choice", "parallel_tool_calls"}


def test_only_allowed_fields_13() -> None:
    asked = request(prompt_cache_key="k", metadata={"a": "b"}, text={"verbosity": "low"}, store=False)
    payload, losses = encode(asked, Quirks(fields=("text",)))
    assert sorted(payload) == ["input", "model", "text"]
    assert {loss.field for loss in losses} == {"prompt_cache_key", "metadata"}


def test_compaction_goes_without_tools_131() -> None:
    asked = request(
        input=[{"type": "compaction_trigger"}], tools=[{"type": "function", "name": "f"}], tool_choice="auto"
    )
    payload, losses = encode(asked)
    assert "tools" not in payload and "tool_choice" not in payload and losses
    assert "summary" in payload["input"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("effort", "legal", "found"),
    [
        ("ultra", ("low", "medium", "high"), "high"),
        ("minimal", ("low", "high"), "low"),
        ("medium", ("low", "high"), "high"),
        ("none", ("none", "low"), "none"),  # pitfall 17
        ("xhigh", (), None),
        ("deepest", ("low",), None),
    ],
)
def test_effort_16(effort: str, legal: tuple[str, ...], found: str | None) -> None:
    assert clamp(effort, legal) == found
    payload, losses = encode(Request("m", reasoning=Reasoning(effort)), Quirks(efforts=legal))
    assert payload.get("reasoning", {}).get("effort") == found
    assert bool(losses) == (effort != found)


def test_format_15() -> None:
    form = ResponseFormat("json_schema", "n", {"type": "object"}, True)
    assert encode(Request("m", format=form))[0]["text"]["format"]["schema"] == {"type": "object"}
    payload, losses = encode(Request("m", format=form), Quirks(response_format="json_object"))
    assert payload["text"]["format"] == {"type": "json_object"} and losses
    assert '{"type":"object"}' in payload["instructions"]
    assert "text" not in encode(Request("m", format=form), Quirks(response_format="none"))[0]


def test_merged_system_2() -> None:
    asked = request(instructions="a", input=[{"role": "developer", "content": "b"}, {"role": "user", "content": "c"}])
    payload, _ = encode(asked, Quirks(merge_system=True))
    assert payload["instructions"] == "a\n\nb" and len(payload["input"]) == 1
    payload, _ = encode(asked, Quirks(system_role="system"))
    assert payload["input"][0]["role"] == "system"


def test_unknown_fields_of_parts_are_kept_or_told() -> None:
    def text(**fields: Any) -> dict[str, Any]:
        return {"type": "input_text", "text": "t", **fields}

    items = [
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": [text(tomorrow=1)]},
        {"type": "message", "role": "user", "content": [text(), text(tomorrow=2)]},
    ]
    payload, losses = encode(request(input=items), NATIVE)
    assert (payload["input"], losses) == (items, ())
    _, losses = encode(request(input=items))
    assert [loss.field for loss in losses] == ["messages[1].content[0].tomorrow", "messages[2].content[1].tomorrow"]
