"""What Chat Completions vendors refuse: OpenAI's own rules and the dialects of others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fakes.script import Fault
from tests.fakes.sdk_schema import faults

JSON = dict[str, Any]
TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
OPENAI_ONLY_ANNOTATIONS = ("encrypted", "defer_loading")
_CLASSIC = {"model", "messages", "stream", "stream_options", "temperature", "top_p", "stop", "tools", "tool_choice"}
_CLASSIC |= {"max_tokens", "presence_penalty", "frequency_penalty", "response_format", "logprobs", "top_logprobs"}


@dataclass(frozen=True)
class Dialect:
    """One vendor's ways. `fields` empty: whatever the SDK knows."""

    name: str
    fields: frozenset[str] = frozenset()
    own_fields: frozenset[str] = frozenset()  # not in the SDK's types
    developer_role: bool = True
    one_system: bool = False
    images: bool = True
    custom_tools: bool = True
    strict_tools: bool = True
    json_schema: bool = True
    reasoning: bool = False  # reasoning_content goes out, and must come back on tool-call turns
    annotations: bool = True  # OpenAI's own words inside schemas


OPENAI = Dialect("openai")
COMPATIBLE = Dialect(
    "openai-compatible",
    frozenset(_CLASSIC | {"seed", "n", "reasoning_effort"}),
    developer_role=False,
    one_system=True,
    custom_tools=False,
    strict_tools=False,
    annotations=False,
)
# https://api-docs.deepseek.com/api/create-chat-completion and /guides/thinking_mode
DEEPSEEK = Dialect(
    "deepseek",
    frozenset(_CLASSIC | {"reasoning_effort"}),
    frozenset({"thinking"}),
    developer_role=False,
    one_system=False,
    images=False,
    custom_tools=False,
    strict_tools=False,
    json_schema=False,
    reasoning=True,
    annotations=False,
)


def judge(body: JSON, dialect: Dialect, thoughts: dict[str, str]) -> Fault | None:
    """The refusal a vendor would send, if any. `thoughts`: the reasoning that belongs to calls made before, by id."""
    rules = (_fields(body, dialect), _types(body, dialect))
    for fault in rules:
        if fault:
            return fault
    for complaints in (
        _tools(body, dialect),
        _messages(body, dialect),
        _pairs(body),
        _thoughts(body, dialect, thoughts),
    ):
        for message in complaints:
            return Fault(400, message)
    return next((Fault(400, message) for message in _format(body, dialect)), None)


def _fields(body: JSON, dialect: Dialect) -> Fault | None:
    allowed = dialect.fields | dialect.own_fields
    for name in body:
        if dialect.fields and name not in allowed:
            return Fault(400, f"Unrecognized request argument supplied: {name}", param=name)
    return None


def _types(body: JSON, dialect: Dialect) -> Fault | None:
    known = {name: value for name, value in body.items() if name not in dialect.own_fields}
    if dialect.reasoning and isinstance(body.get("messages"), list):
        drop = ("reasoning_content",)
        known["messages"] = [{k: v for k, v in message.items() if k not in drop} for message in body["messages"]]
    for where, what in faults("chat", known):
        return Fault(400, f"Invalid request at {where!r}: {what}", param=where)
    return None


def _tools(body: JSON, dialect: Dialect) -> Iterator[str]:
    tools = body.get("tools")
    if not tools:
        if tools is not None:
            yield "Invalid 'tools': empty array. Expected an array with minimum length 1."
        for name in ("tool_choice", "parallel_tool_calls"):
            if name in body:
                yield f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
        return
    seen: set[str] = set()
    for tool in tools:
        if tool["type"] != "function":
            if not dialect.custom_tools:
                yield f"Invalid value: '{tool['type']}'. Supported values are: 'function'."
            continue
        yield from _function(tool["function"], seen, dialect)


def _function(function: JSON, seen: set[str], dialect: Dialect) -> Iterator[str]:
    name = function["name"]
    if not TOOL_NAME.match(name):
        yield f"Invalid 'tools.function.name': string {name!r} does not match pattern."
    if name in seen:
        yield f"Tool names must be unique: {name!r} is there twice."
    seen.add(name)
    if "strict" in function and not dialect.strict_tools:
        yield "Unrecognized argument: tools.function.strict"
    schema = function.get("parameters")
    if schema is None:
        return
    if not isinstance(schema, dict) or schema.get("type") != "object":
        yield f"Invalid schema for function {name!r}: schema must be a JSON Schema of 'type: \"object\"'."
    elif not dialect.annotations:
        for word in annotations(schema):
            yield f"Invalid schema for function {name!r}: unknown keyword {word!r}."


def annotations(schema: Any) -> Iterator[str]:
    """OpenAI's own keywords used as keywords (not as names of properties) anywhere in a schema."""
    if isinstance(schema, list):
        for part in schema:
            yield from annotations(part)
    if not isinstance(schema, dict):
        return
    for key, value in schema.items():
        if key in OPENAI_ONLY_ANNOTATIONS:
            yield key
        elif key in ("properties", "$defs", "definitions"):
            for part in value.values():
                yield from annotations(part)
        elif key not in ("enum", "const", "default", "examples"):
            yield from annotations(value)


def _messages(body: JSON, dialect: Dialect) -> Iterator[str]:
    messages = body["messages"]
    if not messages:
        yield "Invalid 'messages': empty array."
    for at, message in enumerate(messages):
        role, content = message["role"], message.get("content")
        if role == "developer" and not dialect.developer_role:
            yield f"messages[{at}].role: unknown variant `developer`, expected `system`, `user`, `assistant` or `tool`"
        if role == "system" and at and dialect.one_system:
            yield "invalid params, invalid message role: system (2013)"
        if role == "assistant":
            yield from _assistant(message, at, messages)
        elif content is None or content in ([], ""):
            yield f"Invalid value for 'messages[{at}].content': expected text, got {content!r}."
        for part in content if isinstance(content, list) else ():
            if part["type"] == "file" and "file_data" in part["file"] and "filename" not in part["file"]:
                yield f"Missing required parameter: 'messages[{at}].content[0].file.file_id'."
        if isinstance(content, list) and not dialect.images and any(part["type"] != "text" for part in content):
            yield f"messages[{at}]: unknown variant `image_url`, expected `text`"


def _assistant(message: JSON, at: int, messages: list[JSON]) -> Iterator[str]:
    calls = message.get("tool_calls")
    if not calls and not message.get("content"):
        yield f"Invalid assistant message messages[{at}]: content or tool_calls must be set"
    if calls == []:
        yield f"Invalid 'messages[{at}].tool_calls': empty array."
    if at and messages[at - 1]["role"] == "assistant":
        yield f"messages[{at}]: two assistant messages in a row."
    for call in calls or ():
        if call["type"] != "function":
            continue
        try:
            arguments = json.loads(call["function"]["arguments"])
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            yield f"invalid function arguments json string in messages[{at}] (call {call['id']})"


def _pairs(body: JSON) -> Iterator[str]:
    """Each call is answered once, directly behind its message; nothing else is answered."""
    waiting: list[str] = []
    for at, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield (
                    f"messages[{at}]: messages with role 'tool' must be a response to a preceeding message "
                    f"with 'tool_calls' ({message['tool_call_id']})."
                )
                return
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
        if len(set(waiting)) < len(waiting):
            yield f"messages[{at}]: tool call ids must be unique."
    if waiting:
        yield (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
        )


def _thoughts(body: JSON, dialect: Dialect, thoughts: dict[str, str]) -> Iterator[str]:
    if not dialect.reasoning or body.get("thinking") == {"type": "disabled"}:
        return
    for at, message in enumerate(body["messages"]):
        back = message.get("reasoning_content")
        for call in message.get("tool_calls") or ():
            thought = thoughts.get(call["id"])  # None: another model's call
            if not back and thought != "":
                yield "The `reasoning_content` in the thinking mode must be passed back to the API."
            elif thought and back != thought:
                yield f"messages[{at}].reasoning_content is {back!r}, but what was thought is {thought!r}"


def _format(body: JSON, dialect: Dialect) -> Iterator[str]:
    kind = (body.get("response_format") or {}).get("type")
    if kind == "json_schema" and not dialect.json_schema:
        yield "This response_format type is unavailable now"
    if kind == "json_object" and "json" not in json.dumps(body["messages"]).lower():
        yield "Prompt must contain the word 'json' in some form to use 'response_format' of type 'json_object'."
