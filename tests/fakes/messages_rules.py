"""What Anthropic's Messages refuses, in its own words as far as they are known from its documentation and reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.fakes.messages_cache import blocks
from tests.fakes.messages_models import MODELS, Claude
from tests.fakes.messages_thinking import Minted, thinking, thinks
from tests.fakes.messages_turns import turns
from tests.fakes.script import Fault
from tests.fakes.sdk_schema import faults

JSON = dict[str, Any]
EXTRA = "Extra inputs are not permitted"
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}\Z")
SAMPLING = ("temperature", "top_p", "top_k")  # real, but no longer typed
MARKS = 4
# What may be sent only with a beta flag, by the end of its path, and how the flag begins.
BETAS: dict[str, str | tuple[str, ...]] = {
    "context_management": "context-management-",
    "mcp_servers": "mcp-client-",
    "fallbacks": "server-side-fallback-",
    "compaction": "compact-",
    "thread": "message-threads-",
    "task_budget": "task-budgets-",
    "display": "thinking-display-updates-",
    "output_config": ("mid-conversation-output-config-", "per-turn-control-"),  # of a message; the latter: Claude Code
    "clear_at": "mid-conversation-system-clear-at-",
}


def judge(body: JSON, flags: list[str], minted: Minted) -> Fault | None:
    """The refusal Anthropic would send, if any. `flags`: the beta features that were asked for."""
    for message in _shape("messages", body, flags):
        return Fault(400, message)
    model = MODELS.get(body["model"])
    if model is None:
        return Fault(404, f"model: {body['model']}")
    rules: tuple[Callable[[JSON, Claude], Iterator[str]], ...] = (_limits, _sampling, _tools, _choice, _marks, turns)
    for rule in rules:
        for message in rule(body, model):
            return Fault(400, message)
    return next((Fault(400, message) for message in thinking(body, model, flags, minted)), None)


def judge_count(body: JSON, flags: list[str]) -> Fault | None:
    """The same for a request whose tokens are to be counted."""
    return next((Fault(400, message) for message in _shape("count messages", body, flags)), None)


def _shape(kind: str, body: JSON, flags: list[str]) -> Iterator[str]:
    """What the SDK's types do not know, and what they know as a beta whose flag is missing."""
    known = {name: value for name, value in body.items() if name not in SAMPLING}
    for where, what in faults(f"beta {kind}", known):
        yield f"{where}: {what}"
    for where, what in faults(kind, known):
        flag = BETAS.get(where.rpartition(".")[2])
        if flag is None or not any(asked.startswith(flag) for asked in flags):
            yield f"{where}: {what}"


def _limits(body: JSON, model: Claude) -> Iterator[str]:
    if body["max_tokens"] < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    if body["max_tokens"] > model.max_output:
        yield (
            f"max_tokens: {body['max_tokens']} > {model.max_output}, which is the maximum allowed number of output "
            f"tokens for {body['model']}"
        )
    if any(not word.strip() for word in body.get("stop_sequences") or ()):
        yield "stop_sequences: each stop sequence must contain non-whitespace"


def _sampling(body: JSON, model: Claude) -> Iterator[str]:
    given = [name for name in SAMPLING if name in body]
    for name in given:
        if type(body[name]) not in (int, float):
            yield f"{name}: Input should be a valid number"
        elif model.sampling == "none":
            yield f"`{name}` is deprecated for this model."
    if not 0 <= body.get("temperature", 1) <= 1:
        yield "temperature: range: 0..1"
    if {"temperature", "top_p"} <= set(given) and model.sampling == "either":
        yield "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
    if not thinks(body):
        return
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode."
    if body.get("top_p", 1) < 0.95:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled or in adaptive mode."
    if "top_k" in body:
        yield "`top_k` must be unset when thinking is enabled or in adaptive mode."


def _tools(body: JSON, model: Claude) -> Iterator[str]:
    del model
    tools = body.get("tools") or []
    names = [tool["name"] for tool in tools if "name" in tool]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    if tools and all(tool.get("defer_loading") for tool in tools):
        yield "At least one tool must have defer_loading=false."
    for at, tool in enumerate(tools):
        if "input_schema" not in tool:
            continue
        if not TOOL_NAME.match(tool["name"]):
            yield f"tools.{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        if tool["input_schema"].get("type") != "object":
            yield f"tools.{at}.custom.input_schema.type: Input should be 'object'"
        if any(word in tool["input_schema"] for word in ("oneOf", "anyOf", "allOf")):
            yield f"tools.{at}.custom.input_schema: does not support oneOf, allOf, or anyOf at the top level"
        if tool.get("defer_loading") and tool.get("cache_control"):
            yield (
                f"Tool '{tool['name']}' cannot have both defer_loading=true and cache_control set. Tools with "
                "defer_loading cannot use prompt caching."
            )
    kinds = {block.get("type") for block in blocks(body)}
    if not tools and kinds & {"tool_use", "tool_result"}:
        yield "Requests which include `tool_use` or `tool_result` blocks must define tools"


def _choice(body: JSON, model: Claude) -> Iterator[str]:
    choice = body.get("tool_choice")
    if choice is None:
        return
    names = [tool.get("name") for tool in body.get("tools") or ()]
    if not names:
        yield "tool_choice: may only be specified while providing tools"
    if choice["type"] == "tool" and choice["name"] not in names:
        yield f"Tool '{choice['name']}' not found in provided tools"
    if choice["type"] in ("any", "tool") and (model.thinks or thinks(body)):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _marks(body: JSON, model: Claude) -> Iterator[str]:
    del model
    count = 1 if body.get("cache_control") else 0
    for block in blocks(body):
        inside = block.get("content") if block.get("type") == "tool_result" else None
        count += sum(1 for part in [block, *(inside if isinstance(inside, list) else ())] if part.get("cache_control"))
        if block.get("cache_control") and block.get("text") == "":
            yield "cache_control cannot be set for empty text blocks"
    if count > MARKS:
        yield f"A maximum of {MARKS} blocks with cache_control may be provided. Found {count}."
