from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.content import (
    CompactionPart,
    CustomTool,
    FunctionTool,
    HostedTool,
    ImagePart,
    OpaquePart,
    ReasoningPart,
    SearchTool,
    ShellTool,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)
from axonhub_cli.llm.errors import ErrorKind, Failure
from axonhub_cli.llm.request import ChoiceMode, Role, ToolChoice
from axonhub_cli.protocols.openai_responses import CODEC, COMPACT

from .helpers import NATIVE, load, request, requests


@pytest.mark.parametrize("name", requests())
def test_decoding_what_was_encoded_changes_nothing(name: str) -> None:
    payload = load(name)
    before = copy.deepcopy(payload)
    decoded = CODEC.decode_request(payload)
    encoded = CODEC.encode_request(decoded, NATIVE)
    assert CODEC.decode_request(encoded.payload) == decoded
    assert payload == before
    assert encoded.losses == ()


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {k: v for name, item in value.items() for k, v in leaves(item, f"{path}.{name}").items()}
    if isinstance(value, list) and value:
        return {k: v for number, item in enumerate(value) for k, v in leaves(item, f"{path}[{number}]").items()}
    return {path: value}


@pytest.mark.parametrize("name", [name for name in requests() if "codex" in name])
def test_every_leaf_of_a_codex_request_reaches_openai(name: str) -> None:
    payload = load(name)
    encoded = CODEC.encode_request(CODEC.decode_request(payload), NATIVE).payload
    sent = leaves(encoded)
    lost = {path: value for path, value in leaves(payload).items() if sent.get(path, None) != value}
    assert {path: value for path, value in lost.items() if value not in ("completed", [])} == {}


def test_string_input_27() -> None:
    assert request(input="hello").messages[0].parts == (TextPart("hello"),)


def test_every_kind_of_item_22() -> None:
    decoded = CODEC.decode_request(load("native/every-kind.request.json"))
    parts = [part for message in decoded.messages for part in message.parts]
    assert [part.kind for part in parts if isinstance(part, OpaquePart)] == [
        "input_image",
        "input_hologram",
        "tool_search_call",
        "context_compaction",
        "web_search_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "mcp_approval_response",
        "ghost_snapshot",
    ]
    assert [part.kind for part in parts if isinstance(part, ToolCallPart)] == [
        ToolKind.FUNCTION,
        ToolKind.CUSTOM,
        ToolKind.SHELL,
        ToolKind.SEARCH,
    ]
    results = {part.call_id: part for part in parts if isinstance(part, ToolResultPart)}
    words, picture = results["c1"].content
    assert (
        words == TextPart("ok") and isinstance(picture, ImagePart) and picture.url.startswith("data:image/png;base64,")
    )
    assert results["c4"].tools[0].namespace == "mail"  # type: ignore[union-attr]
    assert [part.opaque for part in parts if isinstance(part, CompactionPart)] == [
        {"openai_responses": {"encrypted_content": "gBBBB"}},
        {"openai_responses": {"encrypted_content": "gCCCC"}},
    ]
    assert decoded.messages[0].role is Role.SYSTEM
    assert decoded.namespaces == {"mcp__node": "Node.", "mail": "Post.", "functions": ""}
    assert decoded.extras["openai_responses"]["field_of_tomorrow"] == {"x": [1]}
    assert decoded.cache_key == "k"


def test_agent_message_is_plain_text_23() -> None:
    item = {
        "type": "agent_message",
        "author": "/root",
        "content": [{"type": "encrypted_content", "encrypted_content": "do"}],
    }
    message = request(input=[item]).messages[0]
    assert message.role is Role.USER
    assert message.parts == (TextPart("Message from agent /root:\ndo"),)


def test_our_own_envelope_is_told_from_ciphertext_67() -> None:
    ours, theirs = request(
        input=[
            {"type": "reasoning", "summary": [], "encrypted_content": "axh1.abc"},
            {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
        ]
    ).messages
    assert ours.parts == (ReasoningPart(sealed="axh1.abc"),)
    assert theirs.parts == (ReasoningPart(opaque={"openai_responses": {"encrypted_content": "gAAA"}}),)


def test_our_envelope_never_leaves() -> None:
    decoded = request(input=[{"type": "compaction", "encrypted_content": "axh1.abc"}])
    encoded = CODEC.encode_request(decoded, NATIVE)
    assert "axh1" not in json.dumps(encoded.payload)
    assert encoded.losses


def test_images_inside_a_stringified_output_113() -> None:
    output = json.dumps([{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "data:x"}])
    part = request(input=[{"type": "custom_tool_call_output", "call_id": "c", "output": output}]).messages[0].parts[0]
    assert isinstance(part, ToolResultPart)
    assert part.content == (TextPart("see"), ImagePart("data:x"))


def test_tools_of_every_kind_26() -> None:
    tools = CODEC.decode_request(load("native/every-kind.request.json")).tools
    assert [type(tool) for tool in tools] == [
        FunctionTool,
        FunctionTool,
        CustomTool,
        FunctionTool,
        CustomTool,
        SearchTool,
        HostedTool,
        ShellTool,
        HostedTool,
        HostedTool,
    ]
    assert tools[1] == FunctionTool("chatty", "as in Chat", {"type": "object"})
    assert request(tools=[{"type": "function", "function": {"name": ""}}]).tools == ()


@pytest.mark.parametrize(
    ("wire", "choice"),
    [
        ("auto", ToolChoice(ChoiceMode.AUTO)),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ("required", ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "function", "name": "a"}, ToolChoice(ChoiceMode.TOOL, ((None, "a"),))),
        ({"type": "function", "function": {"name": "a"}}, ToolChoice(ChoiceMode.TOOL, ((None, "a"),))),
        ({"type": "custom", "name": "b", "namespace": "n"}, ToolChoice(ChoiceMode.TOOL, (("n", "b"),))),
        ({"type": "tool_search"}, ToolChoice(ChoiceMode.TOOL, ((None, "tool_search"),))),
        ({"type": "web_search"}, None),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "a"}]},
            ToolChoice(ChoiceMode.ALLOWED, ((None, "a"),)),
        ),
    ],
)
def test_tool_choice_74(wire: Any, choice: ToolChoice | None) -> None:
    tools = [
        {"type": "function", "name": "a"},
        {"type": "namespace", "name": "n", "tools": [{"type": "custom", "name": "b"}]},
        {"type": "tool_search", "execution": "client"},
        {"type": "web_search"},
    ]
    decoded = request(tools=tools, tool_choice=wire)
    assert decoded.tool_choice == choice
    again = CODEC.encode_request(decoded, NATIVE).payload
    assert CODEC.decode_request(again).tool_choice == choice
    if choice is None:
        assert again["tool_choice"] == wire


def test_compaction_trigger_131() -> None:
    payload = {"model": "m", "input": [{"role": "user", "content": "a"}, {"type": "compaction_trigger"}]}
    payload |= {"store": False, "include": ["reasoning.encrypted_content"]}
    decoded = CODEC.decode_request(payload)
    assert decoded.compaction
    assert decoded.messages[-1].role is Role.USER and "summary" in decoded.messages[-1].parts[0].text  # type: ignore
    again = CODEC.encode_request(decoded, NATIVE).payload
    assert again["input"][-1] == {"type": "compaction_trigger"}
    assert CODEC.decode_request(again) == decoded
    assert COMPACT.decode_request({"model": "m", "input": "a"}).compaction


def test_a_trigger_that_was_answered_is_gone_132() -> None:
    decoded = request(input=[{"type": "compaction_trigger"}, {"type": "compaction", "encrypted_content": "g"}])
    assert not decoded.compaction and len(decoded.messages) == 1


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_not_found"),  # pitfall 127
        ({"background": True}, "background", "unsupported_parameter"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"prompt": {"id": "p"}}, "prompt", "unsupported_parameter"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type", "unknown_item"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": ["a"]}, "input[0]", "invalid_type"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"type": "function_call", "name": "f"}]}, "input[0].call_id", "missing_required_parameter"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text", None),
        ({"tools": {}}, "tools", "invalid_type"),
        ({"tools": [{"name": "a"}]}, "tools[0].type", "missing_required_parameter"),
        ({"tools": [{"type": "function", "name": 3}]}, "tools[0].name", "invalid_type"),
        ({"tool_choice": 3}, "tool_choice", "invalid_type"),
        ({"tool_choice": "sometimes"}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": ["x"]}}, "tool_choice.type", "invalid_type"),
        ({"temperature": "warm"}, "temperature", "invalid_type"),
        ({"max_output_tokens": 1.5}, "max_output_tokens", "invalid_type"),
        ({"reasoning": "high"}, "reasoning", "invalid_type"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"instructions": ["a"]}, "instructions", "invalid_type"),
    ],
)
def test_a_refusal_names_its_field(fields: dict[str, Any], param: str, code: str | None) -> None:
    with pytest.raises(Failure) as caught:
        request(**fields)
    error = caught.value.error
    assert (error.kind, error.status, error.param) == (ErrorKind.INVALID_REQUEST, 400, param)
    assert param in error.message
    assert code is None or error.code == code
    assert code != "invalid_value" or "not a string" not in error.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_requests_raise_nothing_but_failures(data: st.DataObject) -> None:
    payload = load("native/every-kind.request.json")
    for _ in range(data.draw(st.integers(1, 3))):
        holder: Any = payload
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = data.draw(st.sampled_from(keys))
            if isinstance(holder[key], (dict, list)) and holder[key] and data.draw(st.booleans()):
                holder = holder[key]
                continue
            holder[key] = data.draw(JSON)
            break
        if not payload:
            break
    error = None
    try:
        CODEC.encode_request(CODEC.decode_request(payload), NATIVE)
    except Failure as failure:
        error = failure.error
    assert error is None or (error.status == 400 and error.param)


TEXT = st.text(max_size=20)
NAMES = st.from_regex(r"[a-z_]{1,10}", fullmatch=True)
CONTENT = st.lists(st.builds(lambda text: {"type": "input_text", "text": text}, TEXT), min_size=1, max_size=3)
MESSAGES = st.builds(
    lambda role, content: {"type": "message", "role": role, "content": content},
    st.sampled_from(["user", "developer", "system"]),
    CONTENT | TEXT,
)
CALLS = st.builds(
    lambda n, name, space, text: [
        {"type": "function_call", "call_id": f"c{n}", "name": name, "arguments": json.dumps({"t": text}), **space},
        {"type": "function_call_output", "call_id": f"c{n}", "output": text},
    ],
    st.integers(0, 10**9),
    NAMES,
    st.just({}) | st.builds(lambda name: {"namespace": name}, NAMES),
    TEXT,
)
REASONING = st.builds(
    lambda summary, raw: {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text} for text in summary],
        "content": [{"type": "reasoning_text", "text": raw}],
        "encrypted_content": "g",
    },
    st.lists(TEXT, max_size=2),
    TEXT,
)
INPUT = st.lists(MESSAGES.map(lambda item: [item]) | CALLS | REASONING.map(lambda item: [item]), max_size=6)


@settings(max_examples=150, deadline=None)
@given(INPUT, st.none() | TEXT, st.lists(NAMES, unique=True, max_size=4), st.none() | NAMES)
def test_round_trip(groups: list[list[Any]], words: str | None, names: list[str], space: str | None) -> None:
    items: list[Any] = []
    seen: set[str] = set()
    for group in groups:
        if group[0].get("call_id") not in seen:
            items += group
        seen.add(group[0].get("call_id", ""))
    tools: list[Any] = [{"type": "function", "name": name} for name in names]
    if space and tools:
        tools = [{"type": "namespace", "name": space, "description": "d", "tools": tools}]
    payload = {"model": "m", "input": items, "tools": tools, "store": False, "include": ["reasoning.encrypted_content"]}
    if words is not None:
        payload["instructions"] = words
    decoded = CODEC.decode_request(payload)
    assert CODEC.decode_request(CODEC.encode_request(decoded, NATIVE).payload) == decoded
