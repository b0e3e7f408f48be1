"""How much a model shall think. Converse hands Claude's own fields through; other models have no switch here.

https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html; pitfalls 16, 66, 73.
"""

from __future__ import annotations

from axonhub_cli.llm.request import Reasoning, Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.claude import BUDGETS, MIN_BUDGET, UNSIGNED, Model, effort_for, model_of
from axonhub_cli.protocols.efforts import OFF, clamp
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.vendors import Quirks


def encode_thinking(
    request: Request, choice: JSON | None, messages: list[JSON], quirks: Quirks, losses: Losses
) -> JSON:
    """Fields for `additionalModelRequestFields`; empty where the model thinks as it likes."""
    asked = request.reasoning or Reasoning()
    if asked == Reasoning():
        return {}
    model = model_of(request.model)
    if asked.summary is not None:
        losses.add("reasoning.summary", "what is shown is the model's affair here")
    if not model.since(3, 7) or quirks.thinking_style == "none":
        for name in ("effort", "budget"):
            if getattr(asked, name) is not None:
                losses.add(f"reasoning.{name}", "there is no switch for this model's thinking")
        return {}
    forced = choice is not None and "auto" not in choice
    if asked.effort == OFF or forced:
        if forced and asked.effort != OFF:
            losses.add("reasoning.effort", "a forced tool choice excludes thinking")
        if asked.budget is not None:
            losses.add("reasoning.budget", "thinking is off")
        if model.always_thinks:
            losses.add("reasoning.effort", "this model always thinks")
            return {}
        return {"thinking": {"type": "disabled"}}
    if model.since(4, 6):
        return _adaptive(asked, model, losses)
    return _budget(request, asked, messages, losses)


def _adaptive(asked: Reasoning, model: Model, losses: Losses) -> JSON:
    effort = asked.effort
    if effort is None and asked.budget is not None:
        effort = effort_for(asked.budget)
        losses.add("reasoning.budget", f"this model takes no number of tokens; effort is {effort}")
    elif asked.budget is not None:
        losses.add("reasoning.budget", "this model takes no number of tokens")
    if effort is None:
        return {}
    sent = clamp(effort, model.efforts)
    if sent != effort:
        losses.add("reasoning.effort", f"{effort!r} was sent as {sent!r}" if sent else f"{effort!r} is unknown here")
    if sent is None:
        return {}
    return {"thinking": {"type": "adaptive"}, "output_config": {"effort": sent}}


def _budget(request: Request, asked: Reasoning, messages: list[JSON], losses: Losses) -> JSON:
    tokens = asked.budget if asked.budget is not None else BUDGETS.get(asked.effort or "", 0)
    if asked.budget is not None and asked.effort is not None:
        losses.add("reasoning.effort", "the number of tokens says it")
    if request.max_tokens is not None:
        tokens = min(tokens, request.max_tokens // 2)
    if tokens < MIN_BUDGET:
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
