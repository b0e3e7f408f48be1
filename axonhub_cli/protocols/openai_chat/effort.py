"""How much a model shall think, in each vendor's words (pitfalls 16, 17)."""

from __future__ import annotations

from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.efforts import LEVELS, OFF, clamp, effort_of_budget
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.vendors import Quirks


def encode_effort(request: Request, quirks: Quirks, losses: Losses) -> JSON:
    """The fields that say it; none where the client said nothing. `none` becomes the vendor's own switch."""
    reasoning = request.reasoning
    if reasoning is None:
        return {}
    if reasoning.summary is not None:
        losses.add("reasoning.summary", "Chat Completions has no summaries of reasoning")
    effort, budget = reasoning.effort, reasoning.budget
    if effort is None and budget is None:
        return {}
    style = quirks.effort_style
    if style == "none":
        losses.add("reasoning.effort", "this upstream has no switch for reasoning")
        return {}
    if effort is None and style in {"reasoning", "enable_thinking"}:
        return _budget(budget, style)
    effort = effort or effort_of_budget(budget) or ""
    if budget is not None and style not in {"reasoning", "enable_thinking"}:
        losses.add("reasoning.budget", f"this upstream takes no number of tokens; effort is {effort}")
    if effort == OFF:
        return _off(quirks, losses)
    level = clamp(effort, quirks.efforts)
    switch = style in {"thinking", "enable_thinking"}
    if level is None and (effort not in LEVELS or not switch):
        losses.add("reasoning.effort", f"{effort!r} is unknown to this upstream")
        return {}
    if level != effort:
        losses.add("reasoning.effort", f"{effort!r} was sent as {level!r}" if level else "only on or off here")
    return _on(level, budget, style, request.stream)


def _off(quirks: Quirks, losses: Losses) -> JSON:
    if OFF not in quirks.efforts:
        losses.add("reasoning.effort", "this upstream cannot switch reasoning off")
        return {}
    match quirks.effort_style:
        case "reasoning":
            return {"reasoning": {"effort": OFF}}
        case "thinking":
            return {"thinking": {"type": "disabled"}}
        case "enable_thinking":
            return {"enable_thinking": False}
        case _:
            return {"reasoning_effort": OFF}


def _on(level: str | None, budget: int | None, style: str, stream: bool) -> JSON:
    match style:
        case "reasoning":
            return {"reasoning": {"effort": level}}
        case "thinking":
            fields: JSON = {"thinking": {"type": "enabled"}}
            return {**fields, "reasoning_effort": level} if level else fields
        case "enable_thinking":
            # Qwen's open models refuse to think in an answer that is not streamed.
            return {"enable_thinking": True, **_budget(budget, style)} if stream else {}
        case _:
            return {"reasoning_effort": level}


def _budget(budget: int | None, style: str) -> JSON:
    if budget is None:
        return {}
    if style == "reasoning":
        return {"reasoning": {"max_tokens": budget}}
    return {"thinking_budget": budget} if style == "enable_thinking" else {}
