"""How much a model shall think. Converse hands Claude's own fields through; other models have no switch here.

https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html; pitfalls 16, 66, 73.
"""

from __future__ import annotations

from axonhub_cli.llm.request import Reasoning, Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.bedrock_converse.models import always_thinks, claude_version
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.vendors import Quirks

UNSIGNED = "the calls being answered lack their signed thinking; off for this answer"
_LEAST = 1024
_BUDGETS = {"minimal": 1024, "low": 4096, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768, "ultra": 32768}
_WORDS = {"minimal": "low", "xhigh": "high", "ultra": "max"}  # to the nearest that every adaptive Claude knows
_STEPS = ((1024, "low"), (8192, "medium"), (24576, "high"))


def encode_thinking(
    request: Request, choice: JSON | None, messages: list[JSON], quirks: Quirks, losses: Losses
) -> JSON:
    """Fields for `additionalModelRequestFields`; empty where the model thinks as it likes."""
    asked = request.reasoning or Reasoning()
    if asked == Reasoning():
        return {}
    version = claude_version(request.model)
    if asked.summary is not None:
        losses.add("reasoning.summary", "what is shown is the model's affair here")
    if version is None or version < (3, 7) or quirks.thinking_style == "none":
        for name in ("effort", "budget"):
            if getattr(asked, name) is not None:
                losses.add(f"reasoning.{name}", "there is no switch for this model's thinking")
        return {}
    forced = choice is not None and "auto" not in choice
    if asked.effort == "none" or forced:
        if forced and asked.effort != "none":
            losses.add("reasoning.effort", "a forced tool choice excludes thinking")
        if asked.budget is not None:
            losses.add("reasoning.budget", "thinking is off")
        if always_thinks(request.model):
            losses.add("reasoning.effort", "this model always thinks")
            return {}
        return {"thinking": {"type": "disabled"}}
    if version >= (4, 6):
        return _adaptive(asked, losses)
    return _budget(request, asked, messages, losses)


def _adaptive(asked: Reasoning, losses: Losses) -> JSON:
    effort = asked.effort
    if effort is None and asked.budget is not None:
        effort = next((word for limit, word in _STEPS if asked.budget <= limit), "max")
        losses.add("reasoning.budget", f"this model takes no number of tokens; effort is {effort}")
    elif asked.budget is not None:
        losses.add("reasoning.budget", "this model takes no number of tokens")
    if effort is not None and effort not in _BUDGETS:
        losses.add("reasoning.effort", f"{effort!r} is unknown here")
        effort = None
    if effort is None:
        return {}
    sent = _WORDS.get(effort, effort)
    if sent != effort:
        losses.add("reasoning.effort", f"{effort!r} was sent as {sent!r}")
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": sent}}


def _budget(request: Request, asked: Reasoning, messages: list[JSON], losses: Losses) -> JSON:
    tokens = asked.budget if asked.budget is not None else _BUDGETS.get(asked.effort or "", 0)
    if asked.budget is not None and asked.effort is not None:
        losses.add("reasoning.effort", "the number of tokens says it")
    if request.max_tokens is not None:
        tokens = min(tokens, request.max_tokens // 2)
    if tokens < _LEAST:
        for name in ("effort", "budget"):
            if getattr(asked, name) is not None:
                losses.add(f"reasoning.{name}", "too few tokens, or no word known here")
        return {}
    if unsigned_loop(messages):
        for name in ("effort", "budget"):
            losses.add(f"reasoning.{name}", UNSIGNED)
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


def unsigned_loop(messages: list[JSON]) -> bool:
    """Whether results are being handed to a turn that does not begin with reasoning (pitfall 66)."""
    first: JSON | None = None
    for message in reversed(messages):
        if message["role"] == "assistant":
            first = message
        elif not any("toolResult" in block for block in message["content"]):
            break
    return first is not None and "reasoningContent" not in first["content"][0]
