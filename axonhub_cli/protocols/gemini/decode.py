"""Reads a Gemini client's request into the neutral model.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import FunctionTool, HostedTool, Tool
from axonhub_cli.llm.request import ChoiceMode, Reasoning, Request, ResponseFormat, Sampling, ToolChoice
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini import fields as read
from axonhub_cli.protocols.gemini.answer_schemas import json_schema
from axonhub_cli.protocols.gemini.count import WRAPPER
from axonhub_cli.protocols.gemini.decode_contents import decode_contents, decode_system
from axonhub_cli.protocols.gemini.signatures import NAME

_KNOWN = frozenset(
    {"model", "stream", "alt", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"}
    | {"serviceTier", "config"}
)
_CONFIG = frozenset(
    {"temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "candidateCount", "presencePenalty"}
    | {"frequencyPenalty", "seed", "responseLogprobs", "logprobs", "thinkingConfig"}
)
_FORMAT = frozenset({"responseMimeType", "responseSchema", "responseJsonSchema"})
_FUNCTION = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_CHOICES = {
    "MODE_UNSPECIFIED": ChoiceMode.AUTO,
    "AUTO": ChoiceMode.AUTO,
    "VALIDATED": ChoiceMode.AUTO,
    "ANY": ChoiceMode.REQUIRED,
    "NONE": ChoiceMode.NONE,
}
_NEEDED = {"cachedContent": "it holds a part of the conversation that this model cannot read"}
TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}


def decode_request(payload: JSON) -> Request:
    """See `base.Codec.decode_request` and, for `model` and `stream`, `codec.GeminiCodec`."""
    top = read.spelled(payload, "")
    if isinstance(top.get(WRAPPER), Mapping):  # countTokens
        top = {**read.spelled(top[WRAPPER], WRAPPER), **{name: top[name] for name in ("model",) if name in top}}
    config = read.spelled(top.get("generationConfig"), "generationConfig")
    extras = read.rest(top, _KNOWN)
    extras |= {f"generationConfig.{name}": value for name, value in read.rest(config, _CONFIG | _FORMAT).items()}
    if top.get("alt") == "json":
        extras["alt"] = "json"
    tier = read.text(top, "serviceTier")
    if tier is not None and tier.lower() not in TIERS:
        extras["serviceTier"] = tier
    needed = {name: reason for name, reason in _NEEDED.items() if extras.get(name)}
    wanted = extras.get("generationConfig.responseModalities")
    if isinstance(wanted, list) and wanted and "TEXT" not in map(str.upper, map(str, wanted)):
        needed["generationConfig.responseModalities"] = "this model answers in writing only"
    return Request(
        model=(read.text(top, "model") or "").removeprefix("models/"),
        messages=(*decode_system(top.get("systemInstruction")), *decode_contents(top.get("contents"))),
        tools=tuple(_tools(top)),
        tool_choice=_tool_choice(top, extras),
        sampling=_sampling(config),
        reasoning=_reasoning(config, extras),
        format=_format(config, extras),
        max_tokens=read.integer(config, "maxOutputTokens", "generationConfig."),
        stream=bool(top.get("stream")),
        service_tier=TIERS.get(tier.lower()) if tier else None,
        extras={NAME: extras} if extras else {},
        needed=needed,
    )


def _sampling(config: Mapping[str, Any]) -> Sampling:
    path = "generationConfig."
    stop = read.items(config, "stopSequences", path)
    if not all(isinstance(word, str) for word in stop):
        raise read.wrong(path + "stopSequences", "a list of strings")
    return Sampling(
        temperature=read.number(config, "temperature", path),
        top_p=read.number(config, "topP", path),
        top_k=read.integer(config, "topK", path),
        presence_penalty=read.number(config, "presencePenalty", path),
        frequency_penalty=read.number(config, "frequencyPenalty", path),
        seed=read.integer(config, "seed", path),
        stop=tuple(stop),
        count=read.integer(config, "candidateCount", path),
        logprobs=read.flag(config, "responseLogprobs", path),
        top_logprobs=read.integer(config, "logprobs", path),
    )


def _reasoning(config: Mapping[str, Any], extras: JSON) -> Reasoning | None:
    """A budget of 0 is off, of -1 the model's own choice, for which nobody else has a word."""
    path = "generationConfig.thinkingConfig"
    thinking = read.spelled(config.get("thinkingConfig"), path)
    other = read.rest(thinking, frozenset({"thinkingBudget", "thinkingLevel", "includeThoughts"}))
    extras.update({f"{path}.{name}": value for name, value in other.items()})
    level = read.text(thinking, "thinkingLevel", path + ".")
    budget = read.integer(thinking, "thinkingBudget", path + ".")
    shown = "auto" if read.flag(thinking, "includeThoughts", path + ".") else None
    effort = level.lower() if level and not level.endswith("UNSPECIFIED") else None
    if budget is not None and budget < 0:
        extras[f"{path}.thinkingBudget"], budget = budget, None
    if budget == 0 and effort is None:
        effort, budget = "none", None
    return Reasoning(effort, budget, shown) if effort or budget is not None or shown else None


def _format(config: Mapping[str, Any], extras: JSON) -> ResponseFormat | None:
    """JSON, with or without a schema. Other media types, such as enums, only Gemini knows."""
    mime = read.text(config, "responseMimeType", "generationConfig.")
    schema = read.mapping(config, "responseJsonSchema", "generationConfig.")
    if schema is None and (own := read.mapping(config, "responseSchema", "generationConfig.")) is not None:
        schema = json_schema(own)
    if mime == "application/json":
        return ResponseFormat("json_object") if schema is None else ResponseFormat("json_schema", schema=schema)
    if mime == "text/plain" and schema is None:
        return ResponseFormat("text")
    extras.update({f"generationConfig.{name}": config[name] for name in sorted(_FORMAT) if config.get(name)})
    return None


def _tools(top: Mapping[str, Any]) -> list[Tool]:
    tools: list[Tool] = []
    for at, raw in enumerate(read.items(top, "tools")):
        path = f"tools[{at}]"
        for name, value in read.spelled(raw, path).items():
            if name != "functionDeclarations":
                tools += [HostedTool(NAME, name, {name: value})] if value is not None else []
                continue
            if not isinstance(value, list):
                raise read.wrong(f"{path}.{name}", "a list")
            for number, entry in enumerate(value):
                where = f"{path}.{name}[{number}]"
                tools.append(_function(read.spelled(entry, where), where + "."))
    return tools


def _function(entry: Mapping[str, Any], path: str) -> FunctionTool:
    parameters = read.mapping(entry, "parametersJsonSchema", path)
    if parameters is None:
        parameters = json_schema(read.mapping(entry, "parameters", path))
    other = read.rest(entry, _FUNCTION)
    return FunctionTool(
        read.required(entry, "name", path),
        read.text(entry, "description", path),
        parameters,
        extras={NAME: other} if other else {},
    )


def _tool_choice(top: Mapping[str, Any], extras: JSON) -> ToolChoice | None:
    path = "toolConfig.functionCallingConfig"
    settings = read.spelled(top.get("toolConfig"), "toolConfig")
    calling = read.spelled(settings.get("functionCallingConfig"), path)
    extras.update({f"toolConfig.{key}": item for key, item in settings.items() if key != "functionCallingConfig"})
    extras.update(
        {f"{path}.{key}": item for key, item in calling.items() if key not in ("mode", "allowedFunctionNames")}
    )
    word = read.text(calling, "mode", path + ".")
    allowed = read.items(calling, "allowedFunctionNames", path + ".")
    if not all(isinstance(name, str) for name in allowed):
        raise read.wrong(path + ".allowedFunctionNames", "a list of strings")
    if word is None and not allowed:
        return None
    mode = _CHOICES.get((word or "AUTO").upper())
    if mode is None:
        raise read.wrong(path + ".mode", f"one of {', '.join(_CHOICES)}")
    names = tuple((None, name) for name in allowed)
    if mode is ChoiceMode.REQUIRED and len(names) == 1:
        return ToolChoice(ChoiceMode.TOOL, names)
    if names and mode is not ChoiceMode.NONE:
        return ToolChoice(ChoiceMode.ALLOWED, names, mode is ChoiceMode.REQUIRED)
    if (word or "").upper() == "VALIDATED":
        extras[path + ".mode"] = "VALIDATED"
    return ToolChoice(mode)
