"""What Chat clients ask for, read and written again."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import CompletionCreateParams
from pydantic import TypeAdapter

from axonhub_cli.llm.content import (
    CustomTool,
    FilePart,
    FunctionTool,
    HostedTool,
    ImagePart,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Reasoning, Request, Role, Sampling, ToolChoice
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.vendors import Quirks
from tests.protocols.openai_chat.support import FIXTURES, failure

FILES = sorted((FIXTURES / "requests").glob("*.json"))
FAITHFUL = Quirks(custom_tools=True, audio=True, reasoning_echo="always")
PARAMS: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)


def load(name: str) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.json.decode((FIXTURES / "requests" / f"{name}.json").read_bytes())
    return value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_decode_encode_decode_is_the_identity(path: Path) -> None:
    request = CODEC.decode_request(msgspec.json.decode(path.read_bytes()))
    encoded = CODEC.encode_request(request, FAITHFUL)
    again = CODEC.decode_request(encoded.payload)
    if path.stem == "vendor-accents":  # known by its plain field, or by the blocks, one of them comes back
        assert [m.role for m in again.messages] == [m.role for m in request.messages]
    elif path.stem == "legacy-functions":
        assert again.messages[:2] == request.messages[:2]
        assert (again.tools, again.tool_choice, again.sampling) == (
            request.tools,
            request.tool_choice,
            request.sampling,
        )
    else:
        assert again == request
        assert encoded.losses == ()


def test_everything_reaches_openai_and_fits_its_own_types() -> None:
    payload = load("everything")
    before = copy.deepcopy(payload)
    encoded = CODEC.encode_request(CODEC.decode_request(payload), FAITHFUL)
    assert payload == before
    assert encoded.payload.keys() == payload.keys()
    PARAMS.validate_python(encoded.payload, strict=True)
    for field in payload.keys() - {"messages"}:
        assert encoded.payload[field] == payload[field], field


def test_parts_and_tools() -> None:
    request = CODEC.decode_request(load("everything"))
    user = request.messages[2]
    assert (user.role, user.name) == (Role.USER, "ann")
    assert user.parts[1] == ImagePart("data:image/png;base64,iVBORw0KGgo=", "high")
    assert user.parts[4] == FilePart(file_id="file-1", holder="openai")
    calls = request.messages[3].parts
    assert calls[2] == ToolCallPart("call_2", "apply_patch", "*** Begin Patch\n*** End Patch", ToolKind.CUSTOM)
    assert request.messages[5].parts == (ToolResultPart("call_2", (TextPart("done"),)),)
    assert request.messages[6].parts == (RefusalPart("No."),)
    assert isinstance(request.tools[0], FunctionTool) and request.tools[0].strict is True
    form = {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}
    assert request.tools[2] == CustomTool("apply_patch", "Patch", form)
    assert request.tool_choice == ToolChoice(ChoiceMode.ALLOWED, ((None, "ls"), (None, "apply_patch")), True)
    assert set(request.extras["openai_chat"]) >= {"metadata", "store", "logit_bias", "stream_options"}


def test_vendor_accents() -> None:
    request = CODEC.decode_request(load("vendor-accents"))
    assert request.messages[1].parts[0] == ReasoningPart("because")
    thought = request.messages[3].parts[0]
    assert isinstance(thought, ReasoningPart) and thought.text == "t"
    assert thought.opaque["openai_chat"]["reasoning_details"][0]["signature"] == "s"
    assert isinstance(request.messages[4].parts[1], OpaquePart)
    assert request.messages[4].extras["openai_chat"] == {"content.cache_control": {"type": "ephemeral"}}
    assert request.reasoning == Reasoning("high")
    assert request.extras["openai_chat"] == {"thinking": {"type": "enabled"}}


def test_legacy_functions_are_answered_in_their_own_words() -> None:
    request = CODEC.decode_request(load("legacy-functions"))
    assert request.messages[1].parts == (ToolCallPart("call_0", "ls", "{}"),)
    assert request.messages[2].parts == (ToolResultPart("call_0", (TextPart("a"),), name="ls"),)
    assert request.tool_choice == ToolChoice(ChoiceMode.TOOL, ((None, "ls"),))
    assert request.sampling.stop == ("X",)
    encoded = CODEC.encode_request(request, Quirks()).payload
    assert "functions" not in encoded
    assert encoded["tools"][0]["function"]["name"] == "ls"


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_pitfall_74_plain_tool_choices(choice: str) -> None:
    payload = {
        "model": "m",
        "messages": [],
        "tools": [{"type": "function", "function": {"name": "a"}}],
        "tool_choice": choice,
    }
    assert CODEC.encode_request(CODEC.decode_request(payload), Quirks()).payload["tool_choice"] == choice


@pytest.mark.parametrize("kind", ["function", "custom"])
def test_pitfall_74_named_tool_choices(kind: str) -> None:
    choice = {"type": kind, kind: {"name": "a"}}
    payload = {"model": "m", "messages": [], "tools": [{"type": kind, kind: {"name": "a"}}], "tool_choice": choice}
    request = CODEC.decode_request(payload)
    assert request.tool_choice == ToolChoice(ChoiceMode.TOOL, ((None, "a"),))
    assert CODEC.encode_request(request, FAITHFUL).payload["tool_choice"] == choice


def test_unknown_tools_and_fields_are_kept() -> None:
    tool = {"type": "builtin_function", "function": {"name": "$web_search"}}
    payload = {
        "model": "m",
        "messages": [{"role": "user", "content": "x", "partial": True}],
        "tools": [tool],
        "novel": [1],
    }
    request = CODEC.decode_request(payload)
    assert request.tools == (HostedTool("openai_chat", "builtin_function", tool),)
    again = CODEC.encode_request(request, Quirks()).payload
    assert (again["tools"], again["novel"], again["messages"][0]["partial"]) == ([tool], [1], True)


def test_pitfall_24_a_missing_model_is_no_error() -> None:
    assert CODEC.decode_request({"messages": []}).model == ""


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"model": 1}, "model"),
    ({"messages": None}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": ["x"]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [1]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
    (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": 1}}]}]},
        "messages[0].content[0].file.file_data",
    ),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    ({"messages": [{"role": "assistant", "tool_calls": {}}]}, "messages[0].tool_calls"),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]}]},
        "messages[0].tool_calls[0].function",
    ),
    (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}]},
        "messages[0].tool_calls[0].id",
    ),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]}, "tools[0].function.parameters"),
    ({"tool_choice": "sometimes"}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"n": "2"}, "n"),
    ({"stop": [1]}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": 1}, "stream_options"),
    ({"reasoning_effort": 3}, "reasoning_effort"),
    ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=[param for _, param in WRONG])
def test_a_wrong_type_is_a_400_that_names_the_field(fields: dict[str, Any], param: str) -> None:
    error = failure(CODEC.decode_request, {"model": "m", "messages": [], **fields}).error
    assert (error.status, error.param) == (400, param)
    assert param in error.message


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
images = st.builds(ImagePart, texts, st.sampled_from([None, "auto", "low", "high"]))
contents = st.lists(st.builds(TextPart, texts) | images, min_size=1, max_size=3).map(tuple)
arguments = st.dictionaries(names, texts, max_size=2).map(lambda value: msgspec.json.encode(value).decode())


@st.composite
def turns(draw: st.DrawFn, number: int = 0) -> tuple[Message, ...]:
    role = draw(st.sampled_from([Role.USER, Role.SYSTEM, Role.DEVELOPER]))
    opening = Message(role, draw(contents), name=draw(st.none() | names))
    calls = tuple(
        ToolCallPart(f"call_{number}_{at}", draw(names), draw(arguments))
        if draw(st.booleans())
        else ToolCallPart(f"call_{number}_{at}", draw(names), draw(texts), ToolKind.CUSTOM)
        for at in range(draw(st.integers(0, 2)))
    )
    thought = draw(st.sampled_from([(), (ReasoningPart("hm"),)]))
    said = draw(st.lists(st.builds(TextPart, texts), min_size=not calls, max_size=2).map(tuple))
    results = tuple(Message(Role.TOOL, (ToolResultPart(call.call_id, (TextPart(draw(texts)),)),)) for call in calls)
    return opening, Message(Role.ASSISTANT, (*thought, *said, *calls)), *results


tools = st.builds(
    FunctionTool, names, st.none() | texts, st.just({"type": "object", "properties": {}}), st.none() | st.booleans()
)
requests = st.builds(
    Request,
    names,
    st.lists(st.integers(0, 9), max_size=3, unique=True)
    .flatmap(lambda ns: st.tuples(*map(turns, ns)))
    .map(lambda ts: sum(ts, ())),
    st.lists(tools, min_size=1, max_size=3, unique_by=lambda tool: tool.name).map(tuple),
    st.none() | st.builds(ToolChoice, st.sampled_from([ChoiceMode.AUTO, ChoiceMode.NONE, ChoiceMode.REQUIRED])),
    st.none() | st.booleans(),
    sampling=st.builds(
        Sampling, st.none() | st.floats(0, 2), count=st.none() | st.just(1), stop=st.lists(texts, max_size=2).map(tuple)
    ),
    reasoning=st.none() | st.builds(Reasoning, st.sampled_from(["none", "low", "xhigh"])),
    max_tokens=st.none() | st.integers(1, 9),
    cache_key=st.none() | names,
)


@given(requests)
def test_round_trip(request: Request) -> None:
    encoded = CODEC.encode_request(request, FAITHFUL)
    assert CODEC.decode_request(msgspec.json.decode(msgspec.json.encode(encoded.payload))) == request
    assert encoded.losses == ()
    assert msgspec.json.encode(encoded.payload) == msgspec.json.encode(
        CODEC.encode_request(request, FAITHFUL).payload
    )  # 20
