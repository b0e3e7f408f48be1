"""Reads an Anthropic client's request into the neutral model.

https://platform.claude.com/docs/en/api/messages; `extras` always names this protocol, so that an encoder can tell
whose words they are.
"""

from __future__ import annotations

from typing import Any

import msgspec

from axonhub_cli.llm.content import FunctionTool, HostedTool, Part, TextPart, Tool, ToolResultPart
from axonhub_cli.llm.errors import invalid
from axonhub_cli.llm.request import ChoiceMode, Message, Reasoning, Request, ResponseFormat, Role, Sampling, ToolChoice
from axonhub_cli.protocols.anthropic_messages import fields as read
from axonhub_cli.protocols.anthropic_messages.blocks import Extras, decode_content
from axonhub_cli.protocols.anthropic_messages.fields import NAME, JSONObject
from axonhub_cli.protocols.base import JSON

BILLING = "x-anthropic-billing-header:"
BILLING_KEY = "system[0]"  # in the extras: the line, or the block it stood in
_KNOWN = frozenset(
    {"model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences"}
    | {"tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier"}
)
_TOOL_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict"})
_MODES = {"auto": ChoiceMode.AUTO, "any": ChoiceMode.REQUIRED, "none": ChoiceMode.NONE, "tool": ChoiceMode.TOOL}
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
TIERS = {"auto": "auto", "standard_only": "default"}


def decode_request(payload: JSON) -> Request:
    """See `base.Codec.decode_request`. A missing model is an empty name (pitfall 24)."""
    extras = read.rest(payload, _KNOWN)
    system = _system(payload, extras)
    choice, parallel = _tool_choice(payload)
    reasoning, form = _thinking(payload, extras)
    user, cache_key = _user(payload, extras)
    tools = tuple(_tool(entry, at, extras) for at, entry in enumerate(read.items(payload, "tools")))
    tier = read.text(payload, "service_tier")
    if tier is not None and tier not in TIERS:
        extras["service_tier"] = tier
    return Request(
        model=read.text(payload, "model") or "",
        messages=(*system, *_messages(payload)),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        sampling=_sampling(payload),
        reasoning=reasoning,
        format=form,
        max_tokens=read.integer(payload, "max_tokens"),
        stream=read.flag(payload, "stream") or False,
        cache_key=cache_key,
        user=user,
        service_tier=TIERS.get(tier) if tier else None,
        extras={NAME: extras},
    )


def _system(payload: JSON, extras: Extras) -> tuple[Message, ...]:
    """The leading instructions without Claude Code's billing line, whose token changes with every call and would
    spoil every other vendor's prompt cache (pitfall 28)."""
    parts, notes = decode_content(payload.get("system"), "system")
    if not all(isinstance(part, TextPart) for part in parts):
        raise read.wrong("system", "a string or a list of text blocks")
    if parts and isinstance(parts[0], TextPart) and parts[0].text.startswith(BILLING):
        line, _, rest = parts[0].text.partition("\n")
        own = {key: value for key, value in notes.items() if key.startswith("content[0]")}
        if rest:
            extras[BILLING_KEY], parts[0] = line, TextPart(rest)
        else:
            system = payload.get("system")
            extras[BILLING_KEY] = dict(system[0]) if isinstance(system, list) else line
            notes = {_earlier(key): value for key, value in notes.items() if key not in own}
            del parts[0]
    if not parts:
        return ()
    return (Message(Role.SYSTEM, tuple(parts), extras={NAME: notes} if notes else {}),)


def _earlier(key: str) -> str:
    """The path of an extra after the block before it has gone."""
    place, bracket, field = key.removeprefix("content[").partition("]")
    return f"content[{int(place) - 1}{bracket}{field}"


def _messages(payload: JSON) -> list[Message]:
    if not isinstance(payload.get("messages"), list):
        raise read.wrong("messages", "a list")
    found: list[Message] = []
    for at, entry in enumerate(payload["messages"]):
        path = f"messages[{at}]"
        found += _message(read.as_object(entry, path), path + ".")
    return found


def _message(entry: JSONObject, path: str) -> list[Message]:
    """One message; of a user's, each tool result becomes a message of its own, as everywhere in the neutral model."""
    word = read.required(entry, "role", path)
    role = _ROLES.get(word)
    if role is None:
        raise invalid(f"{path}role: Input should be one of {', '.join(_ROLES)}.", path + "role")
    parts, notes = decode_content(entry.get("content"), path + "content")
    more = read.rest(entry, frozenset({"role", "content"}))
    messages: list[Message] = []
    run: list[tuple[int, Part]] = []
    for at, part in enumerate(parts):
        if isinstance(part, ToolResultPart) and role is Role.USER:
            if run:
                messages.append(_built(role, run, notes, more))
            messages.append(_built(Role.TOOL, [(at, part)], notes, {}))
            run = []
        else:
            run.append((at, part))
    if run or not messages:
        messages.append(_built(role, run, notes, more))
    return messages


def _built(role: Role, run: list[tuple[int, Part]], notes: Extras, more: Extras) -> Message:
    """A message of neighbouring blocks; what their parts have no place for is counted from its own first block."""
    extras = dict(more)
    for place, (at, _) in enumerate(run):
        own = f"content[{at}]"
        extras |= {f"content[{place}]{key[len(own) :]}": value for key, value in notes.items() if key.startswith(own)}
    return Message(role, tuple(part for _, part in run), extras={NAME: extras} if extras else {})


def _tool(entry: Any, at: int, extras: Extras) -> Tool:
    path = f"tools[{at}]"
    raw = read.as_object(entry, path)
    kind = read.text(raw, "type", path + ".")
    if kind not in (None, "custom"):
        return HostedTool(NAME, kind or "", dict(raw))
    extras |= {f"{path}.{name}": value for name, value in read.rest(raw, _TOOL_FIELDS).items()}
    path += "."
    return FunctionTool(
        read.required(raw, "name", path),
        read.text(raw, "description", path),
        read.mapping(raw, "input_schema", path),
        read.flag(raw, "strict", path),
    )


def _tool_choice(payload: JSON) -> tuple[ToolChoice | None, bool | None]:
    form = read.mapping(payload, "tool_choice")
    if form is None:
        return None, None
    mode = _MODES.get(read.required(form, "type", "tool_choice."))
    if mode is None:
        raise read.wrong("tool_choice.type", f"one of {', '.join(_MODES)}")
    names = ((None, read.required(form, "name", "tool_choice.")),) if mode is ChoiceMode.TOOL else ()
    single = read.flag(form, "disable_parallel_tool_use", "tool_choice.")
    return ToolChoice(mode, names), None if single is None else not single


def _thinking(payload: JSON, extras: Extras) -> tuple[Reasoning | None, ResponseFormat | None]:
    """`thinking` and `output_config`; what the neutral words do not hold stays in the extras under their names.

    Who asks for thinking is shown it here unless it is to be `omitted`; other protocols want that said.
    """
    thinking, config = read.mapping(payload, "thinking"), dict(read.mapping(payload, "output_config") or {})
    form = _format(config.pop("format", None), "output_config.format") or _format(
        payload.get("output_format"), "output_format"
    )
    kind = read.required(thinking, "type", "thinking.") if thinking else None
    budget = read.integer(thinking, "budget_tokens", "thinking.") if thinking else None
    effort = read.text(config, "effort", "output_config.")
    if kind == "disabled":
        effort = "none"  # an effort beside it stays native: others refuse the pair (pitfall 18)
    else:
        config.pop("effort", None)
    if config:
        extras["output_config"] = config
    if thinking and (kind not in {"enabled", "disabled"} or len(thinking) > 1 + (budget is not None)):
        extras["thinking"] = {name: value for name, value in thinking.items() if name != "budget_tokens"}
    shown = "auto" if thinking and kind != "disabled" and thinking.get("display") != "omitted" else None
    return (Reasoning(effort, budget, shown) if effort or shown or budget is not None else None), form


def _format(value: Any, path: str) -> ResponseFormat | None:
    if value is None:
        return None
    form = read.as_object(value, path)
    kind = read.required(form, "type", path + ".")
    return ResponseFormat(kind, schema=read.mapping(form, "schema", path + "."))


def _user(payload: JSON, extras: Extras) -> tuple[str | None, str | None]:
    """The user, and a cache key. Claude Code packs device, account and session into the one field: only the session
    means something to others (pitfall 14), the rest is nobody else's business and stays native."""
    metadata = dict(read.mapping(payload, "metadata") or {})
    user = read.text(metadata, "user_id", "metadata.")
    session = None
    if user is not None and user.startswith("{"):
        session = _session(user)
        user = None
    else:
        metadata.pop("user_id", None)
    if metadata:
        extras["metadata"] = metadata
    return user, session


def _session(user: str) -> str | None:
    try:
        identity = msgspec.json.decode(user)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    session = identity.get("session_id") if isinstance(identity, dict) else None
    return session if isinstance(session, str) and session else None


def _sampling(payload: JSON) -> Sampling:
    stop = read.items(payload, "stop_sequences")
    if not all(isinstance(word, str) for word in stop):
        raise read.wrong("stop_sequences", "a list of strings")
    return Sampling(
        temperature=read.number(payload, "temperature"),
        top_p=read.number(payload, "top_p"),
        top_k=read.integer(payload, "top_k"),
        stop=tuple(stop),
    )
