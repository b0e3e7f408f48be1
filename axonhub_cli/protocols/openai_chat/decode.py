"""Reads a Chat client's request into the neutral model.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import CustomTool, FunctionTool, HostedTool, Tool
from axonhub_cli.llm.request import ChoiceMode, Reasoning, Request, ResponseFormat, Sampling, ToolChoice
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_chat import fields as read
from axonhub_cli.protocols.openai_chat.decode_messages import decode_messages
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.openai_chat.tools import flat_format

_KNOWN = frozenset(
    {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "verbosity",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "prompt_cache_key",
        "user",
        "service_tier",
        "temperature",
        "top_p",
        "top_k",
        "presence_penalty",
        "frequency_penalty",
        "seed",
        "stop",
        "n",
        "logprobs",
        "top_logprobs",
    }
)
_REASONING = frozenset({"effort", "max_tokens"})
_MODES = {"auto": ChoiceMode.AUTO, "none": ChoiceMode.NONE, "required": ChoiceMode.REQUIRED, "any": ChoiceMode.REQUIRED}


def decode_request(payload: JSON) -> Request:
    """See `base.Codec.decode_request`. A missing model is an empty name (pitfall 24)."""
    extras = read.rest(payload, _KNOWN)
    read.mapping(payload, "stream_options")
    reasoning = _reasoning(payload, extras)
    limit = read.integer(payload, "max_completion_tokens")
    if limit is None:
        limit = read.integer(payload, "max_tokens")
    return Request(
        model=read.text(payload, "model") or "",
        messages=decode_messages(payload),
        tools=_tools(payload),
        tool_choice=_tool_choice(payload),
        parallel_tool_calls=read.flag(payload, "parallel_tool_calls"),
        sampling=_sampling(payload),
        reasoning=reasoning,
        format=_format(payload),
        verbosity=read.text(payload, "verbosity"),
        max_tokens=limit,
        stream=read.flag(payload, "stream") or False,
        cache_key=read.text(payload, "prompt_cache_key"),
        user=read.text(payload, "user"),
        service_tier=read.text(payload, "service_tier"),
        extras={NAME: extras} if extras else {},
        needed=_needed(extras),
    )


def _needed(extras: JSON) -> dict[str, str]:
    wanted = extras.get("modalities")
    sound = isinstance(wanted, list) and "audio" in wanted
    return {"modalities": "this model answers in writing only"} if sound else {}


def _sampling(payload: JSON) -> Sampling:
    stop = payload.get("stop")
    if isinstance(stop, str):
        stop = [stop]
    elif stop is not None and not (isinstance(stop, list) and all(isinstance(word, str) for word in stop)):
        raise read.wrong("stop", "a string or a list of strings")
    return Sampling(
        temperature=read.number(payload, "temperature"),
        top_p=read.number(payload, "top_p"),
        top_k=read.integer(payload, "top_k"),
        presence_penalty=read.number(payload, "presence_penalty"),
        frequency_penalty=read.number(payload, "frequency_penalty"),
        seed=read.integer(payload, "seed"),
        stop=tuple(stop or ()),
        count=read.integer(payload, "n"),
        logprobs=read.flag(payload, "logprobs"),
        top_logprobs=read.integer(payload, "top_logprobs"),
    )


def _reasoning(payload: JSON, extras: JSON) -> Reasoning | None:
    """`reasoning_effort`, or OpenRouter's `reasoning` where it says no more than ours can."""
    effort = read.text(payload, "reasoning_effort")
    if effort is not None:
        return Reasoning(effort)
    form = payload.get("reasoning")
    if isinstance(form, Mapping) and form and _REASONING.issuperset(form):
        extras.pop("reasoning", None)
        return Reasoning(read.text(form, "effort", "reasoning."), read.integer(form, "max_tokens", "reasoning."))
    return None


def _format(payload: JSON) -> ResponseFormat | None:
    form = read.mapping(payload, "response_format")
    if form is None:
        return None
    kind = read.required(form, "type", "response_format.")
    if kind != "json_schema":
        return ResponseFormat(kind)
    path = "response_format.json_schema."
    inner = read.mapping(form, "json_schema", "response_format.")
    if inner is None:
        raise read.wrong("response_format.json_schema", "an object")
    return ResponseFormat(
        kind,
        read.text(inner, "name", path),
        read.mapping(inner, "schema", path),
        read.flag(inner, "strict", path),
        read.text(inner, "description", path),
    )


def _tools(payload: JSON) -> tuple[Tool, ...]:
    entries = read.items(payload, "tools")
    tools = [_tool(read.as_object(entry, f"tools[{at}]"), f"tools[{at}].") for at, entry in enumerate(entries)]
    for at, entry in enumerate(read.items(payload, "functions")):
        path = f"functions[{at}]"
        tools.append(_function(read.as_object(entry, path), path + ".", {}))
    return tuple(tools)


def _tool(entry: Mapping[str, Any], path: str) -> Tool:
    kind = read.required(entry, "type", path)
    if kind not in {"function", "custom"}:
        return HostedTool(NAME, kind, dict(entry))
    inner = read.mapping(entry, kind, path)
    if inner is None:
        raise read.wrong(path + kind, "an object")
    other = read.rest(entry, frozenset({"type", kind}))
    extras = {NAME: other} if other else {}
    if kind == "function":
        return _function(inner, path + "function.", extras)
    path += "custom."
    form = read.mapping(inner, "format", path)
    return CustomTool(
        read.required(inner, "name", path),
        read.text(inner, "description", path),
        flat_format(form) if form is not None else None,
        extras=extras,
    )


def _function(inner: Mapping[str, Any], path: str, extras: Mapping[str, Any]) -> FunctionTool:
    return FunctionTool(
        read.required(inner, "name", path),
        read.text(inner, "description", path),
        read.mapping(inner, "parameters", path),
        read.flag(inner, "strict", path),
        extras=extras,
    )


def _tool_choice(payload: JSON) -> ToolChoice | None:
    choice = payload.get("tool_choice")
    path = "tool_choice"
    if choice is None and "functions" in payload:
        choice, path = payload.get("function_call"), "function_call"
    if choice is None:
        return None
    if isinstance(choice, str):
        if choice not in _MODES:
            raise read.wrong(path, f"one of {', '.join(_MODES)}")
        return ToolChoice(_MODES[choice])
    form = read.as_object(choice, path)
    if "type" not in form and "name" in form:  # function_call
        return ToolChoice(ChoiceMode.TOOL, ((None, read.required(form, "name", path + ".")),))
    kind = read.required(form, "type", path + ".")
    if kind == "allowed_tools":
        allowed = read.mapping(form, kind, path + ".") or form
        tools = read.items(allowed, "tools", f"{path}.allowed_tools.")
        names = tuple(_chosen(read.as_object(tool, path), f"{path}.allowed_tools.") for tool in tools)
        return ToolChoice(ChoiceMode.ALLOWED, names, allowed.get("mode") == "required")
    return ToolChoice(ChoiceMode.TOOL, (_chosen(form, path + "."),))


def _chosen(form: Mapping[str, Any], path: str) -> tuple[None, str]:
    kind = read.text(form, "type", path) or "function"
    inner = read.mapping(form, kind, path)
    return None, read.required(
        form if inner is None else inner, "name", path + (f"{kind}." if inner is not None else "")
    )
