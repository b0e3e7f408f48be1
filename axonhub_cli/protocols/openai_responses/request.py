"""A Responses request -> the neutral one. https://platform.openai.com/docs/api-reference/responses/create"""

from __future__ import annotations

from typing import Any

from axonhub_cli.llm.content import TextPart
from axonhub_cli.llm.request import Message, Reasoning, Request, ResponseFormat, Role, Sampling
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_responses import fields
from axonhub_cli.protocols.openai_responses.fields import LOGPROBS, NAME, JSONObject
from axonhub_cli.protocols.openai_responses.items import ITEM, decode_item
from axonhub_cli.protocols.openai_responses.tools import decode_choice, decode_tools

TRIGGER = {"type": "compaction_trigger"}
SUMMARY_INSTRUCTION = (
    "Write a summary of this conversation that will replace it: another model goes on with the work and will see "
    "nothing but the summary and the latest user messages.\n"
    "Keep what it needs: the goal and the user's own wishes and constraints; what has been done and decided, and why; "
    "names of files, functions, commands and their results that matter; what is left to do, next step first; open "
    "questions and errors that are not solved.\n"
    "Be complete and brief. Answer with the summary alone, without calling tools and without a preface."
)
# Fields with a place in the neutral request; all others are kept under extras[NAME].
_SHARED = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "temperature", "top_p",
        "top_logprobs", "reasoning", "text", "max_output_tokens", "stream", "prompt_cache_key", "user",
        "service_tier",
    }
)  # fmt: skip
_REASONING = frozenset({"effort", "summary"})
_FORMAT = frozenset({"type", "name", "schema", "strict", "description", "json_schema"})
_FORMATS = ("text", "json_object", "json_schema")


def decode_request(payload: JSON) -> Request:
    """Raises Failure (400) naming the field that is of the wrong type or cannot be honoured.

    The law: what it returns, encoded for OpenAI itself and decoded again, is the same.
    """
    if not isinstance(payload, dict):
        raise fields.wrong("body", "an object", payload)
    _refuse(payload)
    namespaces: dict[str, str] = {}
    tools = decode_tools(fields.objects(payload, "tools"), namespaces, "tools")
    messages, compaction = _messages(payload, namespaces)
    choice, native_choice = decode_choice(payload.get("tool_choice"))
    reasoning, native_reasoning = _reasoning(payload)
    form, verbosity, native_text = _text(payload)
    top_logprobs = fields.integer(payload, "top_logprobs")
    extras = fields.rest(payload, _SHARED)
    for name, value in (("tool_choice", native_choice), ("reasoning", native_reasoning), ("text", native_text)):
        if value:
            extras[name] = value
    if extras.get("background") is False:
        del extras["background"]
    return Request(
        model=fields.text(payload, "model") or "",  # pitfall 24: routing has a default
        messages=messages,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=fields.flag(payload, "parallel_tool_calls"),
        namespaces=namespaces,
        sampling=Sampling(
            temperature=fields.number(payload, "temperature"),
            top_p=fields.number(payload, "top_p"),
            logprobs=True if top_logprobs is not None or LOGPROBS in fields.array(payload, "include") else None,
            top_logprobs=top_logprobs,
        ),
        reasoning=reasoning,
        format=form,
        verbosity=verbosity,
        max_tokens=fields.integer(payload, "max_output_tokens"),
        stream=fields.flag(payload, "stream") or False,
        cache_key=fields.text(payload, "prompt_cache_key"),
        user=fields.text(payload, "user"),
        service_tier=fields.text(payload, "service_tier"),
        compaction=compaction,
        extras={NAME: extras},  # even where it is empty: it says whose words the request is in
    )


def decode_compact_request(payload: JSON) -> Request:
    """The same for `POST /responses/compact`, which says by its path what others say by a trigger."""
    if not isinstance(payload, dict):
        raise fields.wrong("body", "an object", payload)
    given = payload.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else fields.array(payload, "input")
    rest = {name: value for name, value in payload.items() if name != "stream"}
    return decode_request({**rest, "input": [*items, TRIGGER]})


def _refuse(payload: JSONObject) -> None:
    """What points at state that lives elsewhere is not guessed (pitfall 127)."""
    if previous := payload.get("previous_response_id"):
        raise fields.refused(
            "previous_response_id",
            f"{previous!r} was not found: this model keeps no responses. Send the whole conversation as input.",
            "previous_response_not_found",
        )
    if payload.get("background"):
        raise fields.refused("background", "cannot be honoured: this model answers in the foreground only.")
    if payload.get("conversation"):
        raise fields.refused("conversation", "cannot be honoured: this model keeps no conversations.")
    if payload.get("prompt"):
        raise fields.refused("prompt", "cannot be honoured: this model knows no prompt templates.")


def _messages(payload: JSONObject, namespaces: dict[str, str]) -> tuple[tuple[Message, ...], bool]:
    messages: list[Message] = []
    instructions = fields.text(payload, "instructions")
    if instructions:
        messages.append(Message(Role.SYSTEM, (TextPart(instructions),)))
    given = payload.get("input")
    if given is None and instructions is None:
        raise fields.missing("input")
    if isinstance(given, str):
        messages.append(Message(Role.USER, (TextPart(given),)))
        return tuple(messages), False
    if given is not None and not isinstance(given, list):
        raise fields.wrong("input", "a string or an array", given)
    items = fields.objects(payload, "input")
    last = len(items) - 1
    compaction = False
    for index, item in enumerate(items):
        if item.get("type") != "compaction_trigger":
            messages.append(decode_item(item, f"input[{index}].", namespaces))
        elif index == last:  # one that is not last has been answered already (pitfall 132)
            compaction = True
            extras: dict[str, Any] = {NAME: {ITEM: item}}
            messages.append(Message(Role.USER, (TextPart(SUMMARY_INSTRUCTION),), extras=extras))
    return tuple(messages), compaction


def _reasoning(payload: JSONObject) -> tuple[Reasoning | None, dict[str, Any]]:
    value = fields.table(payload, "reasoning") or {}
    effort, summary = fields.text(value, "effort", "reasoning."), fields.text(value, "summary", "reasoning.")
    reasoning = Reasoning(effort, summary=summary) if effort is not None or summary is not None else None
    return reasoning, fields.rest(value, _REASONING)


def _text(payload: JSONObject) -> tuple[ResponseFormat | None, str | None, dict[str, Any]]:
    value = fields.table(payload, "text") or {}
    native = fields.rest(value, frozenset({"format", "verbosity"}))
    verbosity = fields.text(value, "verbosity", "text.")
    form = fields.table(value, "format", "text.")
    if form is None:
        return None, verbosity, native
    path = "text.format."
    kind = fields.needed(form, "type", path)
    if kind not in _FORMATS:
        raise fields.unknown(f"{path}type", _FORMATS, kind)
    inner = {**form, **(fields.table(form, "json_schema", path) or {})}  # shaped as in Chat Completions
    if unknown := fields.rest(form, _FORMAT):
        native["format"] = unknown
    if kind == "json_schema" and inner.get("schema") is None:
        raise fields.missing(f"{path}schema")
    return (
        ResponseFormat(
            kind,
            fields.text(inner, "name", path),
            fields.table(inner, "schema", path),
            fields.flag(inner, "strict", path),
            fields.text(inner, "description", path),
        ),
        verbosity,
        native,
    )
