"""A neutral request as a Converse payload; each thing that cannot be said is a Loss.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import msgspec

from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON, Encoded
from axonhub_cli.protocols.bedrock_converse.messages import encode_messages
from axonhub_cli.protocols.bedrock_converse.response import NAME
from axonhub_cli.protocols.bedrock_converse.thinking import encode_thinking
from axonhub_cli.protocols.bedrock_converse.tools import encode_tools
from axonhub_cli.protocols.claude import model_of, sampled, stops
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.refusals import refuse
from axonhub_cli.protocols.schema import in_words
from axonhub_cli.vendors import Quirks

_OTHERS = ("top_k", "presence_penalty", "frequency_penalty", "seed", "logprobs", "top_logprobs")
_TIERS = frozenset({"default", "flex", "priority"})
_CACHING = ("claude", "nova")  # models that take cache points; others refuse them
_TURNS = 2  # whose ends are marked for the cache


def encode_request(request: Request, quirks: Quirks) -> Encoded:
    """See `base.UpstreamCodec.encode_request`. The same request gives the same bytes (pitfall 20)."""
    refuse(request, NAME)
    losses = Losses(NAME, "Converse has no word for it")
    system, messages = encode_messages(request, quirks, losses)
    tools = encode_tools(request, quirks, losses)
    choice = tools.get("toolChoice") if tools else None
    form = _format(request, system, quirks, losses)
    thinking = encode_thinking(request, choice, messages, quirks, losses)
    if quirks.cache_control and any(name in request.model.lower() for name in _CACHING):
        _mark(system, tools, messages)
    payload: JSON = {"messages": messages}
    optional: JSON = {
        "system": system,
        "inferenceConfig": _inference(request, thinking, quirks, losses),
        "toolConfig": tools,
        "additionalModelRequestFields": thinking,
        "outputConfig": form,
        "serviceTier": {"type": request.service_tier} if request.service_tier in _TIERS else None,
    }
    payload |= {name: value for name, value in optional.items() if value}
    _unsaid(request, losses)
    return Encoded({**payload, **quirks.body}, losses.all())


def _inference(request: Request, thinking: JSON, quirks: Quirks, losses: Losses) -> JSON:
    """Limits and sampling. Without a limit a model writes as much as it can."""
    given = sampled(request.sampling, ("temperature", "top_p"), model_of(request.model), thinking, losses)
    config: JSON = {
        "maxTokens": request.max_tokens if request.max_tokens is not None else quirks.max_output_tokens,
        "temperature": given.get("temperature"),
        "topP": given.get("top_p"),
        "stopSequences": stops(request.sampling, losses) or None,
    }
    return {name: value for name, value in config.items() if value is not None}


def _format(request: Request, system: list[JSON], quirks: Quirks, losses: Losses) -> JSON | None:
    """`outputConfig`, or None after asking for JSON in the system text."""
    form = request.format
    if form is None or form.kind == "text":
        return None
    if form.strict is not None:
        losses.add("format.strict")
    schema = msgspec.json.encode(form.schema, order="sorted").decode() if form.schema is not None else None
    if schema is not None and quirks.response_format == "json_schema":
        named = {"name": form.name, "description": form.description}
        definition = {"schema": schema, **{name: value for name, value in named.items() if value is not None}}
        return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": definition}}}
    losses.add("format", "this upstream checks no format; the prompt asks for JSON")
    system.append({"text": in_words(form.schema)})
    return None


def _unsaid(request: Request, losses: Losses) -> None:
    for name in _OTHERS:
        if getattr(request.sampling, name) is not None:
            losses.add(name)
    for field, value in (
        ("verbosity", request.verbosity),
        ("prompt_cache_key", request.cache_key),
        ("user", request.user),
        ("service_tier", None if request.service_tier in _TIERS else request.service_tier),
    ):
        if value is not None:
            losses.add(field)
    losses.foreign(request.extras, "")


def _mark(system: list[JSON], tools: JSON | None, messages: list[JSON]) -> None:
    """Cache points after the tools, the system and the last user turns, in place; at most four are taken (pitfall 77).

    https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    """
    turns = [message["content"] for message in messages if message["role"] == "user"][-_TURNS:]
    for blocks in (tools["tools"] if tools else [], system, *turns):
        if blocks:
            blocks.append({"cachePoint": {"type": "default"}})
