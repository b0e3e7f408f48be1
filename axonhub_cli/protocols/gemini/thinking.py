"""How much a model shall think, as a level or as a number of tokens (pitfalls 16, 17).

https://ai.google.dev/gemini-api/docs/thinking
"""

from __future__ import annotations

from axonhub_cli.llm.request import Reasoning, Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.efforts import LEVELS, OFF, clamp
from axonhub_cli.protocols.gemini.models import Thinking, thinking, thinking_style
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.vendors import Quirks

AUTOMATIC = -1  # the model decides
# Google's own table for OpenAI's words: https://ai.google.dev/gemini-api/docs/openai#thinking
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}


def encode_thinking(request: Request, quirks: Quirks, losses: Losses) -> JSON:
    """`thinkingConfig`, empty where the client said nothing. Thoughts are shown only where it wants to read them."""
    reasoning = request.reasoning
    if reasoning is None:
        return {}
    style = thinking_style(request.model, quirks)
    if style == "none":
        losses.add("reasoning", "this upstream has no switch for reasoning")
        return {}
    fields: JSON = {}
    if style == "level" and reasoning.effort is not None:
        fields = _level(reasoning, request.model, quirks, losses)
    elif reasoning.effort is not None or reasoning.budget is not None:
        fields = _budget(reasoning, request.model, losses)
    if reasoning.summary is not None and reasoning.summary != OFF:
        fields["includeThoughts"] = True
        if reasoning.summary != "auto":
            losses.add("reasoning.summary", f"{reasoning.summary!r}: Gemini has one kind of summary")
    return fields


def _level(reasoning: Reasoning, model: str, quirks: Quirks, losses: Losses) -> JSON:
    effort = reasoning.effort or ""
    if reasoning.budget is not None:
        losses.add("reasoning.budget", "this model takes an effort or a number of tokens, not both")
    legal = [level for level in thinking(model).levels or Thinking().levels if level in quirks.efforts]
    if effort == OFF:
        effort = "minimal"  # it cannot be switched off
        losses.add("reasoning.effort", f"this model always thinks; {clamp(effort, legal)!r} is the least")
    elif effort not in LEVELS:
        losses.add("reasoning.effort", f"{effort!r} is unknown to this upstream")
        return {}
    level = clamp(effort, legal)
    if level is None:
        losses.add("reasoning.effort", "this upstream has no levels")
        return {}
    if level != effort and reasoning.effort != OFF:
        losses.add("reasoning.effort", f"{effort!r} was sent as {level!r}")
    return {"thinkingLevel": level.upper()}


def _budget(reasoning: Reasoning, model: str, losses: Losses) -> JSON:
    effort, budget = reasoning.effort, reasoning.budget
    able = thinking(model)
    if budget is not None:
        if effort is not None:
            losses.add("reasoning.effort", "the number of tokens stands for it")
        if budget == AUTOMATIC or (budget == 0 and able.off):
            return {"thinkingBudget": budget}
        near = min(max(budget, able.least), able.most)
        if near != budget:
            losses.add("reasoning.budget", f"{budget} was sent as {near}: this model takes {able.least} to {able.most}")
        return {"thinkingBudget": near}
    if effort == OFF:
        if not able.off:
            losses.add("reasoning.effort", f"this model always thinks; {able.least} tokens are the least")
        return {"thinkingBudget": 0 if able.off else able.least}
    if effort not in LEVELS:
        losses.add("reasoning.effort", f"{effort!r} is unknown to this upstream")
        return {}
    if effort not in _BUDGETS:
        losses.add("reasoning.effort", f"{effort!r} was sent as 'high'")
    return {"thinkingBudget": _BUDGETS.get(effort or "", _BUDGETS["high"])}
