"""A neutral request as a Gemini payload; each thing that cannot be said is a Loss.

https://ai.google.dev/api/generate-content; pitfalls 2-23, 88-96, 102-126.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON, Encoded
from axonhub_cli.protocols.gemini.answer_schemas import answer_schema
from axonhub_cli.protocols.gemini.contents import encode_contents
from axonhub_cli.protocols.gemini.decode import TIERS
from axonhub_cli.protocols.gemini.models import is_old
from axonhub_cli.protocols.gemini.signatures import NAME
from axonhub_cli.protocols.gemini.thinking import encode_thinking
from axonhub_cli.protocols.gemini.tools import encode_choice, encode_tools
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.refusals import refuse
from axonhub_cli.protocols.schema import in_words
from axonhub_cli.vendors import Quirks

NO_WORD = "Gemini has no word for it"
_TIERS = {word: tier for tier, word in TIERS.items()}


def encode_request(request: Request, quirks: Quirks) -> Encoded:
    """See `base.Codec.encode_request`. The same request gives the same bytes (pitfall 20)."""
    refuse(request, NAME)
    losses = Losses(NAME, NO_WORD)
    system, contents = encode_contents(request, quirks, losses)
    tools = encode_tools(request, quirks, losses)
    config = _config(request, quirks, losses)
    config |= _format(request, tools, system, quirks, losses)
    if thinking := encode_thinking(request, quirks, losses):
        config["thinkingConfig"] = thinking
    payload: JSON = {}
    if system:
        payload["systemInstruction"] = {"parts": system}
    payload["contents"] = contents
    if tools:
        payload["tools"] = tools
    if choice := encode_choice(request, tools, quirks, losses):
        payload["toolConfig"] = {"functionCallingConfig": choice}
    if config:
        payload["generationConfig"] = config
    if request.service_tier in _TIERS:
        payload["serviceTier"] = _TIERS[request.service_tier]
    elif request.service_tier is not None:
        losses.add("service_tier", f"Gemini has no tier {request.service_tier!r}")
    _unsaid(request, losses)
    for protocol, fields in request.extras.items():
        for field, value in fields.items():
            if protocol != NAME:
                losses.add(field)
            elif field != "alt":
                _put(payload, field.split("."), value)
    for name, value in quirks.body.items():
        known = payload.get(name)
        payload[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, Mapping) else value
    return Encoded(payload, losses.all())


def _config(request: Request, quirks: Quirks, losses: Losses) -> JSON:
    config: JSON = {}
    limit = request.max_tokens if request.max_tokens is not None else quirks.max_output_tokens
    if limit is not None:
        config["maxOutputTokens"] = limit
    for field, name, value in _sampling(request):
        if quirks.fields and field not in quirks.fields:
            losses.add(field, "this upstream does not take it")
        else:
            config[name] = value
    return config


def _sampling(request: Request) -> Iterator[tuple[str, str, Any]]:
    sampling = request.sampling
    fields = (
        ("temperature", "temperature", sampling.temperature),
        ("top_p", "topP", sampling.top_p),
        ("top_k", "topK", sampling.top_k),
        ("presence_penalty", "presencePenalty", sampling.presence_penalty),
        ("frequency_penalty", "frequencyPenalty", sampling.frequency_penalty),
        ("seed", "seed", sampling.seed),
        ("stop", "stopSequences", list(sampling.stop) or None),
        ("n", "candidateCount", sampling.count),
        ("logprobs", "responseLogprobs", sampling.logprobs),
        ("top_logprobs", "logprobs", sampling.top_logprobs),
    )
    return ((field, name, value) for field, name, value in fields if value is not None)


def _unsaid(request: Request, losses: Losses) -> None:
    """Shared meanings that Gemini has no field for."""
    fields = (
        ("parallel_tool_calls", request.parallel_tool_calls),
        ("verbosity", request.verbosity),
        ("prompt_cache_key", request.cache_key),
        ("user", request.user),
    )
    for field, value in fields:
        if value is not None:
            losses.add(field)


def _format(request: Request, tools: list[JSON], system: list[JSON], quirks: Quirks, losses: Losses) -> JSON:
    """The answer's form, lowered to what the upstream knows; a schema it does not check stands in the prompt (96)."""
    form = request.format
    if form is None:
        return {}
    for name, value in (("name", form.name), ("strict", form.strict), ("description", form.description)):
        if value is not None:
            losses.add(f"format.{name}", "Gemini takes the schema alone")
    if form.kind == "text":
        return {"responseMimeType": "text/plain"}
    best = quirks.response_format
    if tools and is_old(request.model):
        best = "none"  # refused beside functions
    if form.kind == "json_schema" and form.schema is not None and best == "json_schema":
        schema, dropped = answer_schema(form.schema)
        if dropped:
            losses.add("format.schema", f"Gemini's schemas have no {', '.join(sorted(dropped))}")
        return {"responseMimeType": "application/json", "responseJsonSchema": schema}
    if form.schema is not None:
        losses.add("format.schema", "this upstream does not check it; it stands in the prompt")
        system.append({"text": in_words(form.schema)})
    elif best == "none":
        losses.add("format", "this upstream has no JSON mode here; the prompt asks for JSON")
        system.append({"text": in_words(None)})
    return {} if best == "none" else {"responseMimeType": "application/json"}


def _put(payload: JSON, path: list[str], value: Any) -> None:
    """Puts back a field at the place that its dotted name tells."""
    node = payload
    for step in path[:-1]:
        inner = node.get(step)
        node[step] = inner = dict(inner) if isinstance(inner, Mapping) else {}
        node = inner
    node[path[-1]] = value
