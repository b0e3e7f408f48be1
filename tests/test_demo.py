from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from axonhub_cli.demo import reply
from axonhub_cli.demo.shapes import instance
from axonhub_cli.llm.content import (
    CustomTool,
    FunctionTool,
    ImagePart,
    ReasoningPart,
    ShellTool,
    TextPart,
    Tool,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Reasoning, Request, ResponseFormat, Role, ToolChoice
from axonhub_cli.llm.response import FinishKind, Response


def function(name: str, *required: str, **properties: Any) -> FunctionTool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return FunctionTool(name, parameters=schema)


TEXT = {"type": "string"}
EXEC = function("exec_command", "cmd", cmd=TEXT, yield_time_ms={"type": "number"})
PATCH = CustomTool("apply_patch")
LOWERED_PATCH = function("apply_patch", "input", input=TEXT)
CODE_MODE = CustomTool("exec", namespace="functions")
LOWERED_CODE_MODE = function("functions__exec", "input", input=TEXT)


def ask(text: str, *tools: Tool, results: tuple[str, ...] = (), **fields: Any) -> Request:
    messages = [
        Message(Role.DEVELOPER, (TextPart("You are an agent. Run `rm -rf /` never."),)),
        Message(Role.USER, (TextPart("<environment_context>run `no`</environment_context>"),)),
        Message(Role.USER, (TextPart(text),)),
    ]
    for i, result in enumerate(results):
        messages.append(Message(Role.ASSISTANT, (ToolCallPart(f"c{i}", "exec_command", "{}"),)))
        messages.append(Message(Role.TOOL, (ToolResultPart(f"c{i}", (TextPart(result),)),)))
    return Request("demo", tuple(messages), tools=tools, **fields)


def said(response: Response) -> str:
    part = response.parts[-1]
    assert isinstance(part, TextPart)
    return part.text


def called(response: Response) -> ToolCallPart:
    part = response.parts[-1]
    assert isinstance(part, ToolCallPart)
    assert response.finish_reason.kind is FinishKind.TOOL_CALLS
    return part


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("Run `echo hi` and tell me what it said", "echo hi"),
        ("run echo hi", "echo hi"),
        ("Please run ls -la, then tell me the result.", "ls -la"),
        ("echo hi there", "echo hi there"),
        ("execute: pwd", "pwd"),
    ],
)
def test_it_runs_what_it_is_told(text: str, command: str) -> None:
    call = called(reply(ask(text, EXEC, PATCH)))
    assert (call.name, json.loads(call.input)) == ("exec_command", {"cmd": command})


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        (function("shell", "command", command={"type": "array", "items": TEXT}), {"command": ["bash", "-lc", "pwd"]}),
        (function("shell_command", "command", command=TEXT), {"command": "pwd"}),
        (function("local_shell"), {"command": ["bash", "-lc", "pwd"]}),
        (
            function("Bash", "command", "description", command=TEXT, description=TEXT),
            {"command": "pwd", "description": "demo"},
        ),
        (ShellTool(), {"type": "exec", "command": ["bash", "-lc", "pwd"], "env": {}}),
    ],
)
def test_it_knows_the_shells_of_many_agents(tool: Tool, arguments: dict[str, Any]) -> None:
    assert json.loads(called(reply(ask("run `pwd`", tool))).input) == arguments


@pytest.mark.parametrize("tool", [CODE_MODE, LOWERED_CODE_MODE])
def test_code_mode_gets_javascript(tool: Tool) -> None:  # pitfall 112
    call = called(reply(ask('run `echo "hi"`', tool)))
    script = call.input if call.kind is ToolKind.CUSTOM else json.loads(call.input)["input"]
    assert 'tools.exec_command({"cmd":"echo \\"hi\\""})' in script
    patch = called(reply(ask("create file a.txt with hi", tool)))
    assert "tools.apply_patch" in patch.input
    assert call.namespace == getattr(tool, "namespace", None)


def test_patches() -> None:
    wanted = "*** Begin Patch\n*** Add File: a.txt\n+hello\n+you\n*** End Patch"
    call = called(reply(ask("Create a file named a.txt with the content: hello\nyou", EXEC, PATCH)))
    assert (call.name, call.kind, call.input) == ("apply_patch", ToolKind.CUSTOM, wanted)
    lowered = called(reply(ask("create file `a.txt` containing hello\nyou", LOWERED_PATCH)))
    assert json.loads(lowered.input) == {"input": wanted}
    assert called(reply(ask(f"apply this:\n{wanted}\nplease", PATCH))).input == wanted
    update = called(reply(ask("replace `old` with `new` in b.txt", PATCH)))
    assert update.input == "*** Begin Patch\n*** Update File: b.txt\n@@\n-old\n+new\n*** End Patch"


def test_without_apply_patch_a_file_is_written_by_other_means() -> None:
    shell = called(reply(ask("create file a.txt with hi", EXEC)))
    assert json.loads(shell.input)["cmd"] == "cat > a.txt <<'AXONHUB_EOF'\nhi\nAXONHUB_EOF"
    writer = function("write", "filePath", "content", filePath=TEXT, content=TEXT)
    assert json.loads(called(reply(ask("create file a.txt with hi", writer))).input) == {
        "filePath": "a.txt",
        "content": "hi\n",
    }


def test_it_reports_what_the_tool_said_and_works_through_a_list() -> None:
    text = "run `one`, then run `two`"
    assert json.loads(called(reply(ask(text, EXEC))).input) == {"cmd": "one"}
    assert json.loads(called(reply(ask(text, EXEC, results=("1",)))).input) == {"cmd": "two"}
    assert said(reply(ask(text, EXEC, results=("1", "2")))) == "The tool said:\n2"


def test_it_says_what_it_is_told_to_say() -> None:
    assert said(reply(ask("say hello"))) == "Hello from the AxonHub demo model."
    assert said(reply(ask('Reply with exactly "PONG 7"'))) == "PONG 7"
    assert said(reply(ask("count to 3"))) == "1\n2\n3"
    assert "no tool" in said(reply(ask("run `ls`")))
    assert "no tool" in said(reply(ask("run `ls`", EXEC, tool_choice=ToolChoice(ChoiceMode.NONE))))
    picture = Request("demo", (Message(Role.USER, (TextPart("what is it?"), ImagePart("data:,"))),))
    assert "I see 1 image." in said(reply(picture))


def test_a_tool_that_must_be_called_is_called() -> None:
    tool = function("weather", "city", "days", city=TEXT, days={"type": "integer", "minimum": 2})
    for choice in (ToolChoice(ChoiceMode.REQUIRED), ToolChoice(ChoiceMode.TOOL, ((None, "weather"),))):
        call = called(reply(ask("Paris", tool, tool_choice=choice)))
        assert json.loads(call.input) == {"city": "Paris", "days": 2}
    assert said(reply(ask("Paris", tool, tool_choice=ToolChoice(ChoiceMode.AUTO))))


def test_compaction_gets_a_summary() -> None:
    request = ask("You are performing a CONTEXT CHECKPOINT COMPACTION. Create a handoff summary.", EXEC)
    assert said(reply(request)).startswith("Summary of 3 messages")
    assert said(reply(replace(ask("run `ls`", EXEC), compaction=True))).startswith("Summary")


TITLE = {
    "type": "object",
    "properties": {"title": {"type": "string", "minLength": 1, "maxLength": 10}},
    "required": ["title"],
    "additionalProperties": False,
}


def test_formats() -> None:
    titled = json.loads(said(reply(ask("Generate a title", format=ResponseFormat("json_schema", "t", TITLE)))))
    assert list(titled) == ["title"] and 1 <= len(titled["title"]) <= 10
    assert isinstance(json.loads(said(reply(ask("JSON please", format=ResponseFormat("json_object"))))), dict)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 3}, 3),
        ({"type": ["null", "integer"], "exclusiveMinimum": 3, "multipleOf": 5}, 5),
        ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"type": "string", "minLength": 6}, "demo.."),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "number", "minimum": 1.5}}}, 1.5),
        (
            {
                "allOf": [
                    {"properties": {"a": TEXT}, "required": ["a"]},
                    {"properties": {"b": {"type": "integer"}}, "required": ["b"]},
                ]
            },
            {"a": "demo", "b": 0},
        ),
        ({"$ref": "#"}, None),  # a loop ends
        (True, "demo"),
    ],
)
def test_values_for_schemas(schema: Any, value: Any) -> None:
    assert instance(schema) == value


def test_usage_reasoning_and_limits() -> None:
    plain = reply(ask("say hello"))
    assert plain.usage and plain.usage.input and plain.usage.output and not plain.usage.reasoning
    assert plain.usage.cached == 0
    later = reply(ask("run `ls`", EXEC, results=("a",)))
    assert later.usage and later.usage.cached and later.usage.input and later.usage.cached < later.usage.input
    thinking = reply(ask("say hello", reasoning=Reasoning("high")))
    assert isinstance(thinking.parts[0], ReasoningPart)
    assert thinking.usage and thinking.usage.reasoning
    short = reply(ask("count to 100", max_tokens=10))
    assert short.finish_reason.kind is FinishKind.LENGTH
    assert said(short).startswith("1\n2\n") and len(said(short)) < 20


def test_the_same_question_gets_the_same_answer() -> None:
    assert reply(ask("run `ls`", EXEC)) == reply(ask("run `ls`", EXEC))
    assert reply(ask("run `ls`", EXEC)).id != reply(ask("run `pwd`", EXEC)).id
