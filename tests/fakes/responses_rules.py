"""What OpenAI's Responses refuses, as far as it is known from its documentation and from reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fakes.chat_rules import TOOL_NAME
from tests.fakes.script import Fault
from tests.fakes.sdk_schema import faults

JSON = dict[str, Any]
PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "function_call_output": "fc",  # fco_ from Codex
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctc",
    "tool_search_call": "ts",
    "tool_search_output": "ts",
    "compaction": "cmp_",
    "additional_tools": "at_",
}
OUTPUT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "tool_search_call": "tool_search_output",
    "local_shell_call": "local_shell_call_output",
}
# What Codex sends to OpenAI itself (wire.md, M) and the SDK's types do not know.
CODEX_FIELDS = ("client_metadata",)
CODEX_ITEMS = ("agent_message",)
CODEX_ITEM_FIELDS = {"message": ("id",), "custom_tool_call": ("status",), "compaction_trigger": ("id",)}
CODEX_TOOL_FIELDS = {"web_search": ("external_web_access", "search_content_types", "indexed_web_access")}


def judge(body: JSON, sealed: Mapping[str, str]) -> Fault | None:
    """The refusal OpenAI would send, if any. `sealed`: ciphertexts it made, with the ids of their items."""
    for where, what in faults("responses", as_the_sdk_knows(body)):
        return Fault(400, f"Invalid request at {where!r}: {what}", "invalid_type", param=where)
    items = body["input"] if isinstance(body["input"], list) else []
    if body.get("previous_response_id"):
        return Fault(400, "Previous response not found.", "previous_response_not_found")
    for message in (*_tools(body.get("tools") or []), *_ids(items), *_pairs(items), *_files(items)):
        return Fault(400, message)
    return next(_state(items, sealed), None)


def as_the_sdk_knows(body: JSON) -> JSON:
    """A body without what OpenAI takes and its SDK's types do not know."""
    known = {name: value for name, value in body.items() if name not in CODEX_FIELDS}
    known["tools"] = [_without(tool, CODEX_TOOL_FIELDS) for tool in body.get("tools") or []]
    if isinstance(body.get("input"), list):
        items = [item for item in body["input"] if not (isinstance(item, dict) and item.get("type") in CODEX_ITEMS)]
        known["input"] = [_without(item, CODEX_ITEM_FIELDS) for item in items]
    reasoning = body.get("reasoning")
    if isinstance(reasoning, dict):
        known["reasoning"] = {name: value for name, value in reasoning.items() if name != "context"}
    return known


def _without(item: Any, fields: Mapping[str, tuple[str, ...]]) -> Any:
    if not isinstance(item, dict):
        return item
    drop = fields.get(item.get("type", ""), ())
    if item.get("type", "message") == "message" and item.get("role") == "assistant":
        drop = ("phase",)
        content = item.get("content")
        if "type" in item or isinstance(content, list):
            # all of these may be left out, whatever the types say
            item = {"type": "message", "id": "msg_0", "status": "completed", **item}
        if isinstance(content, list):
            item["content"] = [_annotated(part) for part in content]
    if item.get("type") == "reasoning":
        item = {"id": "rs_0", **item}  # OpenCode leaves it out
        drop = ("content",) if item.get("content") is None else ()  # Codex sends null
    return {name: value for name, value in item.items() if name not in drop}


def _annotated(part: Any) -> Any:
    said = isinstance(part, dict) and part.get("type") == "output_text"
    return {"annotations": [], **part} if said else part


def _tools(tools: list[JSON], space: str = "") -> Iterator[str]:
    seen: set[str] = set()
    for tool in tools:
        name = tool.get("name")
        if tool["type"] == "namespace":
            yield from _tools(tool["tools"], tool["name"])
        if name is None:
            continue
        if not TOOL_NAME.match(name):
            yield f"Invalid 'tools[].name': string {name!r} does not match pattern '^[a-zA-Z0-9_-]+$'."
        if name in seen:
            yield f"Duplicate tool name {name!r} in namespace {space!r}."
        seen.add(name)
        schema = tool.get("parameters")
        if tool["type"] == "function" and schema is not None and schema.get("type") != "object":
            yield f"Invalid schema for function {name!r}: schema must be a JSON Schema of 'type: \"object\"'."


def _ids(items: list[JSON]) -> Iterator[str]:
    for at, item in enumerate(items):
        own = item.get("id")
        prefix = PREFIXES.get(item.get("type", "message"))
        if own is None or prefix is None:
            continue
        if not own.startswith(prefix):
            yield f"Invalid 'input[{at}].id': '{own}'. Expected an ID that begins with '{prefix.rstrip('_')}'."
        if len(own) > 64:
            yield f"Invalid 'input[{at}].id': string too long. Expected a string with maximum length 64."


def _pairs(items: list[JSON]) -> Iterator[str]:
    calls: dict[str, str] = {}
    answered: set[str] = set()
    for item in items:
        kind, call_id = item.get("type", "message"), item.get("call_id")
        if kind in OUTPUT_OF:
            if call_id in calls:
                yield f"Duplicate call_id {call_id}."
            calls[str(call_id)] = OUTPUT_OF[kind]
            if kind == "function_call" and not _is_object(item["arguments"]):
                yield f"Invalid arguments of call {call_id}: {item['arguments']!r}"
        elif kind in OUTPUT_OF.values():
            if calls.get(str(call_id)) != kind:
                yield f"No tool call found for {kind.replace('_', ' ')} with call_id {call_id}."
            if call_id in answered:
                yield f"Duplicate output for call_id {call_id}."
            answered.add(str(call_id))
    for call_id in calls:
        if call_id not in answered:
            yield f"No tool output found for function call {call_id}."


def _files(items: list[JSON]) -> Iterator[str]:
    for at, item in enumerate(items):
        content = item.get("content", item.get("output"))
        for place, part in enumerate(content if isinstance(content, list) else ()):
            if part.get("type") == "input_file" and "file_data" in part and "filename" not in part:
                yield f"Missing required parameter: 'input[{at}].content[{place}]'."


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _state(items: list[JSON], sealed: Mapping[str, str]) -> Iterator[Fault]:
    """Reasoning and compactions come back as they were made, under the id they had."""
    for item in items:
        if item.get("type") not in ("reasoning", "compaction"):
            continue
        token, own = item.get("encrypted_content"), item.get("id")
        if token is None:
            yield Fault(404, f"Item with id '{own}' not found. Items are not persisted when `store` is set to false.")
        elif token not in sealed:
            start = f"{token[:8]}...{token[-4:]}"
            message = f"The encrypted content {start} could not be verified. Reason: could not be decrypted or parsed."
            yield Fault(400, message, "invalid_encrypted_content")
        elif own is not None and own != sealed[token]:
            message = f"The encrypted content for item {own} could not be verified. Reason: item_id did not match."
            yield Fault(400, message, "invalid_encrypted_content")
