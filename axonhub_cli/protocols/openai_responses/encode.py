"""The neutral request -> a Responses request, for OpenAI itself or for servers that know less (pitfall 104).

`Quirks.custom_tools` tells the two apart: who takes `custom` tools takes namespaces, tool_search, local_shell and
items of OpenAI's own; for all others tools are flat functions and such items are told in plain words.
"""

from __future__ import annotations

from collections.abc import Iterator

from axonhub_cli.llm.content import FunctionTool, HostedTool, Tool
from axonhub_cli.llm.request import Request, ResponseFormat, ToolChoice
from axonhub_cli.protocols.base import JSON, Encoded, Loss
from axonhub_cli.protocols.efforts import OFF, clamp, effort_of_budget
from axonhub_cli.protocols.openai_responses.fields import LOGPROBS, NAME
from axonhub_cli.protocols.openai_responses.history import History
from axonhub_cli.protocols.openai_responses.lower import lower_tool
from axonhub_cli.protocols.openai_responses.tools import encode_choice, encode_tool, encode_tools, kind_of
from axonhub_cli.protocols.refusals import refuse
from axonhub_cli.protocols.schema import in_words
from axonhub_cli.protocols.tools import CallableTool, ToolNames, declared_name, flat_name
from axonhub_cli.vendors import Quirks

_REQUIRED = frozenset({"model", "input", "instructions", "stream", "tools", "tool_choice"})
_NO_WORD = "Responses has no word for it"
_LOSSES = ("top_k", "presence_penalty", "frequency_penalty", "seed")
LEAST = 16  # tokens of an answer; OpenAI refuses fewer: https://github.com/earendil-works/pi/issues/6265


def encode_request(request: Request, quirks: Quirks) -> Encoded:
    """The payload, and each thing that could not be said in it.

    For clients of other protocols nothing is stored, and encrypted reasoning is asked for: the conversation is sent
    whole every time. A Responses client's own words on both are passed on.
    """
    refuse(request, NAME)
    losses: list[Loss] = []
    native = dict(request.extras.get(NAME, {}))
    history = History(request, quirks, losses)
    payload: JSON = {"model": request.model}
    items, instructions = history.encode()
    if instructions:
        payload["instructions"] = instructions
    payload["input"] = items
    _tools(payload, request, quirks, native, losses)
    _settings(payload, request, quirks, native, losses)
    if NAME not in request.extras:
        payload |= {"store": False, "include": ["reasoning.encrypted_content"]}
        _spell_out(payload, quirks)
        _shorten_names(payload)
        _raise_limit(payload, losses)
    if request.sampling.logprobs and NAME not in request.extras:
        payload["include"] = [*payload.get("include", ()), LOGPROBS]
    payload |= native
    for protocol, values in request.extras.items():
        if protocol != NAME:
            losses += [Loss(field, f"only {protocol} knows it") for field in values]
    if request.stream:
        payload["stream"] = True
    return Encoded(_allowed(payload, quirks, losses), tuple(losses))


def _spell_out(payload: JSON, quirks: Quirks) -> None:
    """What other protocols' clients leave to a default: here it is required, and `strict` would else be true."""
    for tool in payload.get("tools", ()):
        if tool["type"] == "function" and quirks.strict_tools:
            tool.setdefault("strict", False)
            tool.setdefault("parameters", {"type": "object", "properties": {}})
    for item in payload["input"]:
        for part in item.get("content") or ():
            if part["type"] == "input_image":
                part.setdefault("detail", "auto")


def _shorten_names(payload: JSON) -> None:
    """Other protocols take longer names, and dots in them; who asks gets its own back in a call (pitfall 19)."""
    choice = payload.get("tool_choice")
    chosen = (choice, *choice.get("tools", ())) if isinstance(choice, dict) else ()
    for item in (*payload.get("tools", ()), *payload["input"], *chosen):
        if name := item.get("name"):
            item["name"] = flat_name(None, name)


def _raise_limit(payload: JSON, losses: list[Loss]) -> None:
    """Other protocols have no least length: Claude Code tries a key with an answer of one token."""
    limit = payload.get("max_output_tokens")
    if limit is not None and limit < LEAST:
        losses.append(Loss("max_tokens", f"{limit} was sent as {LEAST}, the fewest that Responses takes"))
        payload["max_output_tokens"] = LEAST


def _allowed(payload: JSON, quirks: Quirks, losses: list[Loss]) -> JSON:
    """Without the optional fields that this vendor refuses (pitfall 13)."""
    if not quirks.fields:
        return payload
    kept = _REQUIRED | set(quirks.fields)
    implied = {"store": False, "include": ["reasoning.encrypted_content"]}
    for name, value in payload.items():
        if name not in kept and implied.get(name) != value:
            losses.append(Loss(name, "this vendor does not take it"))
    return {name: value for name, value in payload.items() if name in kept}


def _tools(payload: JSON, request: Request, quirks: Quirks, native: JSON, losses: list[Loss]) -> None:
    choice, native_choice = request.tool_choice, native.pop("tool_choice", None)
    losses += _foreign(request)
    if request.compaction and not quirks.custom_tools:
        losses.append(Loss("tools", "a summary is wanted, no call"))
        return
    if quirks.custom_tools:
        tools = [tool for tool in request.tools if _runs(tool, quirks, losses)]
        items = encode_tools(tools, request.namespaces)
        kinds = {declared_name(tool): kind_of(tool) for _, tool in ToolNames(request)}
    else:
        items = _flat_tools(request, quirks, losses)
        kinds = {}
        choice = _flat_choice(choice)
    if items:
        payload["tools"] = items
    if not items and not quirks.custom_tools:  # pitfall 3
        given = {"tool_choice": choice or native_choice, "parallel_tool_calls": request.parallel_tool_calls}
        losses += [Loss(name, "no tools are left") for name, value in given.items() if value is not None]
        return
    if native_choice is not None and quirks.custom_tools:
        payload["tool_choice"] = native_choice
    elif native_choice is not None:
        losses.append(Loss("tool_choice", "it names a tool that only OpenAI runs"))
    elif choice is not None:
        payload["tool_choice"] = encode_choice(choice, kinds)
    if request.parallel_tool_calls is not None:
        if quirks.parallel_tool_calls:
            payload["parallel_tool_calls"] = request.parallel_tool_calls
        else:
            losses.append(Loss("parallel_tool_calls", "this vendor does not take it"))


def _runs(tool: Tool, quirks: Quirks, losses: list[Loss]) -> bool:
    """Whether the vendor has this tool, as far as it is the vendor who runs it (pitfalls 110, 111)."""
    if not isinstance(tool, HostedTool):
        return True
    if tool.protocol == NAME and (tool.kind in quirks.hosted_tools or "*" in quirks.hosted_tools):
        return True
    losses.append(Loss(f"tools.{tool.kind}", "this vendor does not run this tool"))
    return False


def _foreign(request: Request) -> Iterator[Loss]:
    """What only other protocols know of a tool."""
    for name, tool in ToolNames(request):
        for protocol, values in tool.extras.items():
            if protocol != NAME:
                yield from (Loss(f"tools.{name}.{field}", f"only {protocol} knows it") for field in values)


def _flat_tools(request: Request, quirks: Quirks, losses: list[Loss]) -> list[JSON]:
    """Every tool declared anywhere, as a function under its flat name (pitfalls 21, 106, 108, 114)."""
    namespaces = dict(request.namespaces)
    items = []
    for name, tool in ToolNames(request):
        about = namespaces.pop(declared_name(tool)[0] or "", None)  # said once, at the first of its tools
        items.append(_flat_tool(lower_tool(tool, name, about), tool, quirks, losses))
    hosted = [tool for tool in request.declared_tools() if isinstance(tool, HostedTool)]
    return items + [encode_tool(tool) for tool in hosted if _runs(tool, quirks, losses)]


def _flat_tool(function: FunctionTool, tool: CallableTool, quirks: Quirks, losses: list[Loss]) -> JSON:
    item: JSON = {"type": "function", "name": function.name}
    if function.description is not None:
        item["description"] = function.description
    item["parameters"] = function.parameters
    if quirks.strict_tools:
        item["strict"] = bool(function.strict)  # the API's own default is true, unlike a client that says nothing
    elif function.strict:
        losses.append(Loss(f"tools.{function.name}.strict", "this vendor does not take it"))
    native = tool.extras.get(NAME, {})
    losses += [Loss(f"tools.{function.name}.{field}", "this vendor knows plain functions only") for field in native]
    return item


def _flat_choice(choice: ToolChoice | None) -> ToolChoice | None:
    if choice is None or not choice.names:
        return choice
    return ToolChoice(choice.mode, tuple((None, flat_name(*name)) for name in choice.names), choice.required)


def _settings(payload: JSON, request: Request, quirks: Quirks, native: JSON, losses: list[Loss]) -> None:
    sampling = request.sampling
    values = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_logprobs": sampling.top_logprobs,
        "max_output_tokens": request.max_tokens or quirks.max_output_tokens,
        "prompt_cache_key": request.cache_key,
        "user": request.user,
        "service_tier": request.service_tier,
    }
    payload |= {name: value for name, value in values.items() if value is not None}
    losses += [Loss(name, _NO_WORD) for name in _LOSSES if getattr(sampling, name) is not None]
    losses += [Loss(f"stop[{index}]", _NO_WORD) for index in range(len(sampling.stop))]
    if reasoning := _reasoning(request, quirks, native, losses):
        payload["reasoning"] = reasoning
    if text := _text(payload, request, quirks, native, losses):
        payload["text"] = text


def _reasoning(request: Request, quirks: Quirks, native: JSON, losses: list[Loss]) -> JSON:
    value: JSON = native.pop("reasoning", {})
    if (reasoning := request.reasoning) is None:
        return value
    effort = reasoning.effort or effort_of_budget(reasoning.budget)
    if reasoning.budget is not None:
        losses.append(Loss("reasoning.budget", f"Responses counts no thinking tokens; effort is {effort}"))
    if effort is not None:
        least = "minimal" if effort == OFF and OFF not in quirks.efforts else effort
        legal = clamp(least, quirks.efforts) if quirks.effort_style != "none" else None
        if legal != effort:
            losses.append(
                Loss("reasoning.effort", f"{effort} becomes {legal}" if legal else "this vendor has no effort")
            )
        value = {**({"effort": legal} if legal else {}), **value}
    return value | ({"summary": reasoning.summary} if reasoning.summary else {})


def _text(payload: JSON, request: Request, quirks: Quirks, native: JSON, losses: list[Loss]) -> JSON:
    value: JSON = dict(native.pop("text", {}))
    extra = value.pop("format", {})
    if (form := request.format) is not None:
        kind = _format_kind(form.kind, quirks)
        if kind != form.kind:
            words = payload.get("instructions", "")
            payload["instructions"] = "\n\n".join(filter(None, (words, in_words(form.schema))))
            losses.append(Loss("text.format", f"this vendor has no {form.kind}; it is asked for in words"))
        if kind is not None:
            value["format"] = _format(form, kind, extra)
    if request.verbosity is not None:
        value["verbosity"] = request.verbosity
    return value


def _format_kind(kind: str, quirks: Quirks) -> str | None:
    """The best the vendor has: its own list ends at json_object, or has text alone."""
    if kind == "text" or quirks.response_format in {"json_schema", kind}:
        return kind
    return "json_object" if quirks.response_format == "json_object" else None


def _format(form: ResponseFormat, kind: str, extra: JSON) -> JSON:
    if kind != "json_schema":
        return {"type": kind, **extra}
    described = {"schema": form.schema, "strict": form.strict, "description": form.description}
    given = {name: value for name, value in described.items() if value is not None}
    return {"type": kind, "name": form.name or "response", **given, **extra}
