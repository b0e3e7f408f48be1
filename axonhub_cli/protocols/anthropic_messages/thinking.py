"""How much a model shall think, in the words its generation of Claude takes (pitfalls 16-18, 66, 72, 73).

https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking: budgets until 4.5, adaptive thinking with an
effort from 4.6 on, budgets refused from 4.7 on, `disabled` refused by models that always think.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from axonhub_cli.llm.request import Reasoning, Request
from axonhub_cli.protocols.anthropic_messages.fields import NAME
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.claude import BUDGETS, MIN_BUDGET, UNSIGNED, Model, effort_for, model_of
from axonhub_cli.protocols.efforts import LEVELS, OFF, clamp
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.vendors import Quirks

_FORCED = frozenset({"any", "tool"})


def encode_thinking(request: Request, max_tokens: int, quirks: Quirks, losses: Losses) -> JSON:
    """`thinking` and `effort`, each only where it is to be sent."""
    return _Writer(request, quirks, losses).fields(max_tokens)


def excluded(fields: JSON, choice: JSON | None, messages: list[JSON], model: Model, losses: Losses) -> None:
    """Takes thinking back where the rest of the request excludes it: a forced tool (73), a tool loop whose first
    turn lacks its signed block, or an answer begun (66). The tool constraint stays, except for models that always
    think."""
    forced = choice is not None and choice["type"] in _FORCED
    if forced and choice is not None and model.always_thinks:
        losses.add("tool_choice", "this model always thinks, which excludes a forced tool; auto was sent")
        choice["type"] = "auto"
        choice.pop("name", None)
    elif "thinking" not in fields or fields["thinking"]["type"] == "disabled":
        return
    elif forced:
        losses.add("reasoning.effort", "a forced tool choice excludes thinking")
        _disable(fields, model)
    elif fields["thinking"]["type"] == "enabled" and (reason := _unfit(messages)):
        losses.add("reasoning.effort", reason)
        _disable(fields, model)


def unsigned_loop(messages: Sequence[Any]) -> bool:
    """Whether results are being handed to a turn that does not begin with thinking. Takes a client's own messages."""
    first: Sequence[Any] | None = None
    turns = [message for message in messages if isinstance(message, dict) and message.get("role") != "system"]
    for message in reversed(turns):
        if message.get("role") == "assistant":
            first = _kinds(message)
        elif "tool_result" not in _kinds(message):
            break
    if not first or turns[-1].get("role") == "assistant":
        return False
    return first[0] not in {"thinking", "redacted_thinking"}


def _kinds(message: JSON) -> Sequence[Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return ("text",)
    return [block.get("type") if isinstance(block, dict) else None for block in content]


def switched_off(payload: JSON) -> JSON:
    """A payload with thinking off, and without the edits of the context that want it on."""
    payload = {**payload, "thinking": {"type": "disabled"}}
    context = payload.get("context_management")
    edits = context.get("edits") if isinstance(context, dict) else None
    if isinstance(context, dict) and isinstance(edits, list):
        kept = [edit for edit in edits if not str(dict(edit).get("type")).startswith("clear_thinking")]
        payload["context_management"] = {**context, "edits": kept}
    return payload


def budgeted(payload: JSON) -> bool:
    """Whether a payload wants thinking that its turns have to begin with."""
    thinking = payload.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _disable(fields: JSON, model: Model) -> None:
    fields.clear()
    if model.since(4, 6):
        fields["thinking"] = {"type": "disabled"}  # newer models think unless told not to


def _unfit(messages: list[JSON]) -> str | None:
    """Why the answer cannot be thought about first."""
    if [message["role"] for message in messages if message["role"] != "system"][-1] == "assistant":
        return "an answer that was begun goes on without thinking"
    return UNSIGNED if unsigned_loop(messages) else None


class _Writer:
    """Says what the client wants, in the words of one model."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        native = request.extras.get(NAME)
        own = native.get("thinking") if native is not None else None
        self._native = native is not None
        self._own: JSON = dict(own) if isinstance(own, Mapping) else {}
        self._reasoning = request.reasoning or Reasoning()
        self._model = model_of(request.model)
        self._style = _style(self._model, quirks)
        self._efforts = quirks.efforts if self._style == "enabled" else self._model.efforts
        self._losses = losses

    def fields(self, max_tokens: int) -> JSON:
        """`thinking` and `effort`."""
        reasoning = self._reasoning
        if reasoning == Reasoning() and not self._own:
            return {}
        if self._style == "none":
            for name in ("effort", "budget", "summary"):
                if getattr(reasoning, name) is not None:
                    self._losses.add(f"reasoning.{name}", "this upstream has no switch for thinking")
            return {}
        fields = self._off() if reasoning.effort == OFF else self._on(max_tokens)
        if fields.get("thinking", {}).get("type") in {"enabled", "adaptive"}:
            fields["thinking"] |= self._display()
        elif reasoning.summary is not None:
            self._losses.add("reasoning.summary", "there is no thinking to sum up")
        return fields

    def _off(self) -> JSON:
        if self._reasoning.budget is not None:
            self._losses.add("reasoning.budget", "thinking is off")
        if self._model.always_thinks:
            self._losses.add("reasoning.effort", "this model always thinks")
            return {"effort": "low"}
        return {"thinking": {"type": "disabled"}}  # and no effort beside it (pitfall 18)

    def _on(self, max_tokens: int) -> JSON:
        effort, budget = self._reasoning.effort, self._reasoning.budget
        if effort is None and budget is None and self._own.get("type") != "adaptive":
            return {}  # only a summary was asked for
        if self._native and effort is not None and budget is None and not self._own:
            return self._effort(effort)
        if budget is not None and (self._style != "adaptive" or not self._model.since(4, 7)):
            return self._budget(min(budget, max_tokens - 1)) | self._effort(effort)
        if self._style == "adaptive":
            return self._adaptive(effort, budget)
        effort = effort or "high"
        if effort not in LEVELS:
            self._losses.add("reasoning.effort", f"{effort!r} is unknown here")
            return {}
        fields = self._budget(min(BUDGETS[effort], max_tokens // 2))
        return fields | self._effort(effort) if self._style == "enabled" and fields else fields

    def _adaptive(self, effort: str | None, budget: int | None) -> JSON:
        if effort is None and budget is not None:
            effort = effort_for(budget)
            self._losses.add("reasoning.budget", f"this model takes no number of tokens; effort is {effort}")
        return {"thinking": {"type": "adaptive"}} | self._effort(effort)

    def _effort(self, effort: str | None) -> JSON:
        if effort is None:
            return {}
        level = clamp(effort, self._efforts)
        if level != effort:
            told = f"{effort!r} was sent as {level!r}" if level else f"{effort!r} is unknown here"
            self._losses.add("reasoning.effort", told)
        return {"effort": level} if level else {}

    def _budget(self, tokens: int) -> JSON:
        if tokens < MIN_BUDGET:
            self._losses.add("reasoning.effort", "max_tokens leaves no room for thinking")
            self._losses.add("reasoning.budget", "max_tokens leaves no room for thinking")
            return {}
        return {"thinking": {"type": "enabled", "budget_tokens": tokens}}

    def _display(self) -> JSON:
        """Newer models hide what they thought unless asked; older ones show it anyway. Anthropic's own clients know."""
        kept = {name: value for name, value in self._own.items() if name != "type"}
        summary = self._reasoning.summary
        if summary is None or self._native:
            return kept
        if not self._model.since(4, 6):
            self._losses.add("reasoning.summary", "thinking is always shown here")
            return kept
        return {**kept, "display": "omitted" if summary == OFF else "summarized"}


def _style(model: Model, quirks: Quirks) -> str:
    if quirks.thinking_style != "auto":
        return quirks.thinking_style
    if not model.thinks:
        return "none"
    return "adaptive" if model.since(4, 6) else "budget"
