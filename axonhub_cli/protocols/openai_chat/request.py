"""A neutral request as a Chat Completions payload; each thing that cannot be said is a Loss.

https://platform.openai.com/docs/api-reference/chat/create; pitfalls 2-23, 103-126.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from axonhub_cli.llm.request import Request, ResponseFormat
from axonhub_cli.protocols.base import JSON, Encoded
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.openai_chat.effort import encode_effort
from axonhub_cli.protocols.openai_chat.fields import NAME, NO_WORD
from axonhub_cli.protocols.openai_chat.messages import encode_messages, plain
from axonhub_cli.protocols.openai_chat.tools import encode_choice, encode_tools
from axonhub_cli.protocols.refusals import refuse
from axonhub_cli.protocols.schema import in_words
from axonhub_cli.vendors import Quirks

SCHEMA_NAME = "codex_output_schema"  # what Codex calls it, for clients that gave no name
_LEGACY = frozenset({"functions", "function_call"})  # said in today's words by `tools` and `tool_choice`
_NOT_OPENAI = frozenset({"top_k"})  # fields sent only where a vendor's list names them


def encode_request(request: Request, quirks: Quirks) -> Encoded:
    """See `base.Codec.encode_request`. The same request gives the same bytes (pitfall 20)."""
    refuse(request, NAME)
    losses = Losses(NAME, NO_WORD)
    messages = encode_messages(request, quirks, losses)
    payload: JSON = {"model": request.model, "messages": messages}
    tools = encode_tools(request, quirks, losses)
    if tools:
        payload["tools"] = tools
    payload |= encode_choice(request, tools, quirks, losses)
    payload |= _format(request.format, messages, quirks, losses)
    payload |= encode_effort(request, quirks, losses)
    limit = request.max_tokens if request.max_tokens is not None else quirks.max_output_tokens
    if limit is not None:
        payload[quirks.max_tokens_field] = limit
    for field, value in _optional(request):
        if _taken(field, quirks):
            payload[field] = value
        else:
            losses.add(field, "this upstream does not take it")
    for protocol, fields in request.extras.items():
        if protocol == NAME:
            _own(fields, payload, quirks, losses)
        else:
            for field, value in fields.items():
                if value:  # `store: false` and the like ask for nothing
                    losses.add(field)
    payload |= quirks.body
    _stream(request, payload, quirks)
    return Encoded(payload, losses.all())


def _taken(field: str, quirks: Quirks) -> bool:
    return field in quirks.fields if quirks.fields else field not in _NOT_OPENAI


def _optional(request: Request) -> Iterator[tuple[str, Any]]:
    """Shared meanings whose field is not known everywhere (pitfalls 13, 14)."""
    sampling = request.sampling
    fields = (
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("top_k", sampling.top_k),
        ("presence_penalty", sampling.presence_penalty),
        ("frequency_penalty", sampling.frequency_penalty),
        ("seed", sampling.seed),
        ("stop", list(sampling.stop) or None),
        ("n", sampling.count),
        ("logprobs", sampling.logprobs),
        ("top_logprobs", sampling.top_logprobs),
        ("prompt_cache_key", request.cache_key),
        ("user", request.user),
        ("service_tier", request.service_tier),
        ("verbosity", request.verbosity),
    )
    return ((field, value) for field, value in fields if value is not None)


def _own(fields: Any, payload: JSON, quirks: Quirks, losses: Losses) -> None:
    """Fields that only Chat knows: passed on to OpenAI, elsewhere where the vendor's list names them."""
    for field, value in fields.items():
        if field in _LEGACY or field == "stream_options":
            continue
        if quirks.fields and field not in quirks.fields:
            losses.add(field, "this upstream does not take it")
        else:
            payload[field] = value


def _stream(request: Request, payload: JSON, quirks: Quirks) -> None:
    """Usage is always asked for, whatever the client wants to see of it (pitfall 12)."""
    if not request.stream:
        return
    payload["stream"] = True
    if quirks.stream_usage:
        options = request.extras.get(NAME, {}).get("stream_options")
        own = options if isinstance(options, dict) and not quirks.fields else {}
        payload["stream_options"] = {**own, "include_usage": True}


def _format(form: ResponseFormat | None, messages: list[JSON], quirks: Quirks, losses: Losses) -> JSON:
    """`response_format`, lowered to what the upstream knows; the schema then stands in the prompt (pitfall 15)."""
    if form is None:
        return {}
    if form.kind == "text":
        return {"response_format": {"type": "text"}} if not quirks.fields else {}
    best = quirks.response_format
    if form.kind == "json_schema" and best == "json_schema":
        return {"response_format": {"type": "json_schema", "json_schema": _schema(form)}}
    if form.kind == "json_schema":
        _instruct(messages, quirks, form)
        losses.add("format.schema", "this upstream does not check schemas; it stands in the prompt")
    elif best == "none":
        _instruct(messages, quirks, form)
        losses.add("format", "this upstream has no JSON mode; the prompt asks for JSON")
    elif not any("json" in plain(message["content"] or "").lower() for message in messages):
        _instruct(messages, quirks, form)  # JSON mode is refused where the word is missing
    return {} if best == "none" else {"response_format": {"type": "json_object"}}


def _schema(form: ResponseFormat) -> JSON:
    written: JSON = {"name": re.sub(r"[^a-zA-Z0-9_-]", "_", form.name or SCHEMA_NAME)[:64]}
    fields = (("description", form.description), ("schema", form.schema), ("strict", form.strict))
    return written | {name: value for name, value in fields if value is not None}


def _instruct(messages: list[JSON], quirks: Quirks, form: ResponseFormat) -> None:
    """Asks for JSON in the leading system text, where it is the same in every turn."""
    text = in_words(form.schema)
    lead = 0
    while lead < len(messages) and messages[lead]["role"] in {"system", "developer"}:
        lead += 1
    if quirks.merge_system and lead:
        first = messages[0]
        messages[0] = {**first, "content": f"{plain(first['content'])}\n\n{text}"}
    else:
        messages.insert(lead, {"role": quirks.system_role, "content": text})
