"""The tools that upstreams are sent, pitfall by pitfall."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    HostedTool,
    SearchTool,
    ShellTool,
    Tool,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Role, ToolChoice
from axonhub_cli.vendors import Quirks
from tests.protocols.openai_chat.asking import (
    RUN,
    assistant,
    encode,
    lost,
    message,
    result,
    user,
)


def test_pitfall_3_no_tool_choice_without_tools() -> None:
    search = HostedTool("openai_responses", "web_search", {"type": "web_search"})
    encoded = encode(user("x"), tools=(search,), tool_choice=ToolChoice(ChoiceMode.AUTO), parallel_tool_calls=True)
    assert not encoded.payload.keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    assert lost(encoded) == {"tools.web_search", "tool_choice", "parallel_tool_calls"}  # pitfalls 110, 111


def test_pitfall_111_nobody_makes_images_unasked() -> None:
    drawing = HostedTool("openai_responses", "image_generation", {"type": "image_generation"})
    encoded = encode(user("x"), tools=(RUN, drawing))
    assert [tool["function"]["name"] for tool in encoded.payload["tools"]] == ["run"]
    assert lost(encoded) == {"tools.image_generation"}
    assert "image_generation" not in str(encode(user("draw"), tools=(RUN,)).payload)


@pytest.mark.parametrize("bad", [None, {"type": None}, {"oneOf": [{"type": "object"}]}, {"$ref": "#/x"}])
def test_pitfall_4_parameters_are_an_object(bad: Any) -> None:
    encoded = encode(user("x"), tools=(FunctionTool("f", None, bad),))
    parameters = encoded.payload["tools"][0]["function"]["parameters"]
    assert parameters["type"] == "object"
    assert isinstance(parameters["properties"], dict)


def test_pitfall_5_annotations_of_responses_stay_here() -> None:
    fields = {"encrypted": {"type": "string", "encrypted": True}}
    tool = FunctionTool("f", None, {"type": "object", "properties": fields, "defer_loading": True})
    parameters = encode(user("x"), tools=(tool,)).payload["tools"][0]["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {"encrypted": {"type": "string"}}}


def test_pitfall_19_names_that_collide_or_are_too_long() -> None:
    tools: tuple[Tool, ...] = (
        FunctionTool("read", None, None, namespace="one"),
        FunctionTool("read", None, None, namespace="two"),
        FunctionTool("a.b"),
        FunctionTool("a_b"),
        FunctionTool("x" * 80, namespace="mcp"),
    )
    names = [tool["function"]["name"] for tool in encode(user("x"), tools=tools).payload["tools"]]
    assert len(set(names)) == 5
    assert names[:2] == ["one__read", "two__read"]
    assert all(len(name) <= 64 and "." not in name for name in names)


def test_pitfalls_21_108_114_one_list_of_tools() -> None:
    found = Message(
        Role.TOOL, (ToolResultPart("s", (), ToolKind.SEARCH, tools=(FunctionTool("spawn", namespace="agents"), RUN)),)
    )
    talk = (
        message(Role.DEVELOPER, ToolsPart((RUN, CustomTool("exec", namespace="functions")))),
        assistant(ToolCallPart("s", "tool_search", '{"query":"x"}', ToolKind.SEARCH)),
        found,
    )
    encoded = encode(*talk, tools=(SearchTool("Finds tools", {"type": "object", "properties": {}}), RUN))
    names = [tool["function"]["name"] for tool in encoded.payload["tools"]]
    assert names == ["tool_search", "run", "functions__exec", "agents__spawn"]
    assert [m["role"] for m in encoded.payload["messages"]] == ["assistant", "tool"]
    assert msgspec.json.decode(encoded.payload["messages"][1]["content"]) == {"tools": ["agents__spawn", "run"]}


def test_what_a_namespace_is_for_is_told_once() -> None:
    tools = (FunctionTool("a", "A", namespace="ns"), FunctionTool("b", "B", namespace="ns"))
    written = encode(user("x"), tools=tools, namespaces={"ns": "Sub-agents."}).payload["tools"]
    assert [tool["function"]["description"] for tool in written] == ["Sub-agents.\n\nA", "B"]


def test_pitfall_103_custom_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch"}
    tool = CustomTool("apply_patch", "Edits files", grammar)
    talk = (assistant(ToolCallPart("c", "apply_patch", "*** Begin", ToolKind.CUSTOM)), result("c", "ok"))
    lowered = encode(*talk, tools=(tool,)).payload
    function = lowered["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "start: begin_patch" in function["description"]
    assert lowered["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"input":"*** Begin"}'
    native = encode(*talk, tools=(tool,), quirks=Quirks(custom_tools=True)).payload
    assert native["tools"][0]["custom"]["format"] == {
        "type": "grammar",
        "grammar": {"syntax": "lark", "definition": "start: begin_patch"},
    }
    assert native["messages"][0]["tool_calls"][0]["custom"] == {"name": "apply_patch", "input": "*** Begin"}


def test_pitfall_107_a_choice_names_the_flat_tool() -> None:
    tool = FunctionTool("spawn", namespace="agents")
    choice = ToolChoice(ChoiceMode.TOOL, (("agents", "spawn"),))
    encoded = encode(user("x"), tools=(tool,), tool_choice=choice)
    assert encoded.payload["tool_choice"] == {"type": "function", "function": {"name": "agents__spawn"}}
    strict = encode(user("x"), tools=(tool,), tool_choice=choice, quirks=Quirks(forced_tool_choice=False))
    assert strict.payload["tool_choice"] == "auto"
    assert lost(strict) == {"tool_choice"}


def test_pitfall_109_local_shell() -> None:
    talk = (assistant(ToolCallPart("c", "local_shell", '{"command":["ls"]}', ToolKind.SHELL)), result("c", "a"))
    encoded = encode(*talk, tools=(ShellTool(),)).payload
    assert encoded["tools"][0]["function"]["name"] == "local_shell"
    assert encoded["messages"][0]["tool_calls"][0]["function"] == {
        "name": "local_shell",
        "arguments": '{"command":["ls"]}',
    }


def test_tools_met_before_are_written_for_each_request_and_each_vendor_anew() -> None:
    """What is remembered of a list depends on all that it is made of, and a change to one payload reaches no other."""
    search = HostedTool("openai_responses", "web_search", {"type": "web_search"})
    strict = FunctionTool("f", "d", {"type": "object", "properties": {}}, strict=True, namespace="n")
    first = encode(user("x"), tools=(strict, search), namespaces={"n": "One."})
    first.payload["tools"].clear()
    again = encode(user("x"), tools=(strict, search), namespaces={"n": "One."})
    assert again.payload["tools"][0]["function"]["description"] == "One.\n\nd"
    assert again.losses == first.losses
    assert lost(again) == {"tools.web_search"}
    other = encode(user("x"), tools=(strict, search), namespaces={"n": "Two."})
    assert other.payload["tools"][0]["function"]["description"] == "Two.\n\nd"
    quirks = Quirks(strict_tools=False, hosted_tools=("web_search",))
    lenient = encode(user("x"), quirks=quirks, tools=(strict, search))
    assert "strict" not in lenient.payload["tools"][0]["function"]
    assert lenient.payload["tools"][1] == {"type": "web_search"}
    assert lost(lenient) == {"tools.strict"}


@pytest.mark.parametrize("description", ["\ud800", "long " * 100_000])
def test_tools_that_cannot_be_remembered_are_written_all_the_same(description: str) -> None:
    tools = (FunctionTool("f", description, None),)
    assert encode(user("x"), tools=tools).payload["tools"][0]["function"]["description"] == description
