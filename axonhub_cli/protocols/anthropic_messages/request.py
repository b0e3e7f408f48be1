"""A neutral request as an Anthropic Messages payload; each thing that cannot be said is a Loss.

https://platform.claude.com/docs/en/api/messages; pitfalls 28, 63-78.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.anthropic_messages import cache
from axonhub_cli.protocols.anthropic_messages.clouds import fitted
from axonhub_cli.protocols.anthropic_messages.content import text_block
from axonhub_cli.protocols.anthropic_messages.decode import BILLING_KEY, TIERS
from axonhub_cli.protocols.anthropic_messages.fields import NAME, NO_WORD
from axonhub_cli.protocols.anthropic_messages.messages import encode_messages
from axonhub_cli.protocols.anthropic_messages.output_format import encode_format
from axonhub_cli.protocols.anthropic_messages.thinking import encode_thinking, excluded
from axonhub_cli.protocols.anthropic_messages.tools import encode_choice, encode_tools
from axonhub_cli.protocols.base import JSON, Encoded
from axonhub_cli.protocols.claude import model_of, sampled, stops
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.refusals import refuse
from axonhub_cli.vendors import Quirks

_OTHERS = ("presence_penalty", "frequency_penalty", "seed", "logprobs", "top_logprobs")
_PLACED = frozenset({"thinking", "output_config", "metadata", "output_format"})  # put back where their rest is
_NEEDED = frozenset(
    {
        "anthropic_version",
        "anthropic_beta",
        "model",
        "messages",
        "system",
        "max_tokens",
        "stream",
        "tools",
        "tool_choice",
    }
)
_TIER_WORDS = {neutral: word for word, neutral in TIERS.items()}


def encode_request(request: Request, quirks: Quirks) -> Encoded:
    """See `base.Codec.encode_request`. The same request gives the same bytes (pitfall 20)."""
    refuse(request, NAME)
    losses = Losses(NAME, NO_WORD)
    native = request.extras.get(NAME)
    system, messages = encode_messages(request, quirks, losses)
    _bill(system, native)
    form = encode_format(request, system, quirks, losses)
    tools = encode_tools(request, quirks, losses)
    choice = encode_choice(request, tools, losses)
    max_tokens = _max_tokens(request, quirks, losses)
    thinking = encode_thinking(request, max_tokens, quirks, losses)
    excluded(thinking, choice, messages, model_of(request.model), losses)
    if native is None and quirks.cache_control:
        cache.mark(system, tools, messages)
    payload: JSON = {"model": request.model, "max_tokens": max_tokens}
    optional: JSON = {"system": system, "messages": messages, "tools": tools, "tool_choice": choice}
    optional |= {"thinking": thinking.get("thinking"), "output_config": _config(thinking, form, native, losses)}
    optional |= _sampling(request, thinking, losses)
    optional |= _about(request, native, losses)
    payload |= {name: value for name, value in optional.items() if value not in (None, [], {})}
    _own(native, payload)
    losses.foreign(request.extras, "")
    payload |= quirks.body
    if request.stream:
        payload["stream"] = True
    return Encoded(fitted(allowed(payload, quirks, losses), quirks), losses.all())


def _bill(system: list[JSON], native: Mapping[str, Any] | None) -> None:
    """Puts Claude Code's billing line back in front, where the request has not left Anthropic (pitfall 28)."""
    billing = native.get(BILLING_KEY) if native else None
    if isinstance(billing, Mapping):
        system.insert(0, dict(billing))
    elif isinstance(billing, str) and system:
        system[0] = {**system[0], "text": f"{billing}\n{system[0]['text']}"}
    elif isinstance(billing, str):
        system.append(text_block(billing))


def _config(thinking: JSON, form: JSON | None, native: Mapping[str, Any] | None, losses: Losses) -> JSON:
    config: JSON = {}
    kept = native.get("output_config") if native else None
    if isinstance(kept, Mapping):
        config |= kept
        if "effort" in config and thinking.get("thinking", {}).get("type") == "disabled":
            del config["effort"]
            losses.add("output_config.effort", "thinking is off")  # pitfall 18
    if thinking.get("effort") is not None:
        config["effort"] = thinking["effort"]
    if form is not None:
        config["format"] = form
    return config


def _sampling(request: Request, thinking: JSON, losses: Losses) -> JSON:
    sampling = request.sampling
    given = sampled(sampling, ("temperature", "top_p", "top_k"), model_of(request.model), thinking, losses)
    for name in _OTHERS:
        if getattr(sampling, name) is not None:
            losses.add(name)
    return given | {"stop_sequences": stops(sampling, losses)}


def _about(request: Request, native: Mapping[str, Any] | None, losses: Losses) -> JSON:
    metadata: JSON = {}
    kept = native.get("metadata") if native else None
    if isinstance(kept, Mapping):
        metadata |= kept
    if request.user is not None:
        metadata["user_id"] = request.user
    if request.cache_key is not None and native is None:
        losses.add("prompt_cache_key", "Anthropic caches by marked places")
    if request.verbosity is not None:
        losses.add("verbosity")
    tier = _TIER_WORDS.get(request.service_tier or "")
    if request.service_tier is not None and tier is None:
        losses.add("service_tier", f"Anthropic has no tier {request.service_tier!r}")
    return {"metadata": metadata, "service_tier": tier}


def _own(native: Mapping[str, Any] | None, payload: JSON) -> None:
    """The fields that only Anthropic knows; paths into other fields have been put back already."""
    for field, value in (native or {}).items():
        if "[" not in field and field not in _PLACED:
            payload[field] = value


def allowed(payload: JSON, quirks: Quirks, losses: Losses) -> JSON:
    """Without the optional fields that this vendor refuses (pitfall 82)."""
    if not quirks.fields:
        return payload
    kept = _NEEDED | set(quirks.fields) | set(quirks.body)
    for name in payload:
        if name not in kept:
            losses.add(name, "this upstream does not take it")
    return {name: value for name, value in payload.items() if name in kept}


def _max_tokens(request: Request, quirks: Quirks, losses: Losses) -> int:
    """Anthropic insists on the field (pitfall 71), and on no more than the model can write."""
    model = model_of(request.model)
    most = quirks.max_output_tokens or model.max_output
    if request.max_tokens is None:
        return most
    if model.version is not None and request.max_tokens > most and NAME not in request.extras:
        losses.add("max_output_tokens", f"{request.max_tokens} was sent as {most}, the most this model writes")
        return most
    return request.max_tokens
