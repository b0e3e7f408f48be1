"""Whole answers of Responses, both ways, and the frame that streamed events share with them.

https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.request import ChoiceMode, Request
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.compaction import compact_response
from axonhub_cli.protocols.failures import error_in
from axonhub_cli.protocols.openai_responses.answer import decode_output_item
from axonhub_cli.protocols.openai_responses.fields import NAME
from axonhub_cli.protocols.openai_responses.output import (
    Names,
    call_input,
    call_item,
    message_item,
    reasoning_item,
    shown_reasoning,
    whole_item,
)
from axonhub_cli.protocols.openai_responses.usage import decode_usage, encode_usage

INCOMPLETE: dict[FinishKind, str] = {
    FinishKind.LENGTH: "max_output_tokens",
    FinishKind.CONTENT_FILTER: "content_filter",
}
_INCOMPLETE_REASONS = {
    "max_output_tokens": FinishKind.LENGTH,
    "max_tokens": FinishKind.LENGTH,
    "content_filter": FinishKind.CONTENT_FILTER,
}


def skeleton(request: Request, id: str, created: int) -> JSON:
    """A response object before anything is in it. It echoes what was asked for, but for texts and tools:
    those are long, the client has them, and this object is sent three times in every stream."""
    extras = request.extras.get(NAME, {})
    reasoning = request.reasoning
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": request.max_tokens,
        "metadata": extras.get("metadata") or {},
        "model": request.model,
        "output": [],
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "previous_response_id": None,
        "prompt_cache_key": request.cache_key,
        "reasoning": {
            "effort": reasoning.effort if reasoning else None,
            "summary": reasoning.summary if reasoning else None,
        },
        "safety_identifier": extras.get("safety_identifier"),
        "service_tier": request.service_tier,
        "temperature": request.sampling.temperature,
        "text": _text(request),
        "tool_choice": _choice(request),
        "tools": [],
        "top_p": request.sampling.top_p,
        "truncation": "disabled",
        "usage": None,
        "user": request.user,
    }


def _text(request: Request) -> JSON:
    form = request.format
    if form is None or form.kind != "json_schema":
        return {"format": {"type": form.kind if form else "text"}} | _given(verbosity=request.verbosity)
    described = _given(description=form.description, strict=form.strict, verbosity=None)
    schema = {"type": "json_schema", "name": form.name or "response", "schema": form.schema or {}} | described
    return {"format": schema} | _given(verbosity=request.verbosity)


def _given(**values: Any) -> JSON:
    return {name: value for name, value in values.items() if value is not None}


def _choice(request: Request) -> Any:
    choice = request.tool_choice
    plain = {ChoiceMode.NONE: "none", ChoiceMode.REQUIRED: "required", ChoiceMode.TOOL: "required"}
    return plain.get(choice.mode, "auto") if choice else "auto"


def encode_response(response: Response, request: Request, fallback_id: str = "0") -> JSON:
    """The whole answer. Raises Failure where it calls a tool that was not declared, or none by name."""
    if request.compaction:
        response = compact_response(response)
    names = Names(request, response.id or fallback_id)
    output = _output(response, names)
    payload = skeleton(request, names.response_id, response.created or 0)
    reason = INCOMPLETE.get(response.finish_reason.kind)
    payload["status"] = "incomplete" if reason else "completed"
    payload["incomplete_details"] = {"reason": reason} if reason else None
    payload["output"] = output
    payload["service_tier"] = response.service_tier or request.service_tier
    payload["usage"] = encode_usage(response.usage, request, response.parts)
    return payload


def encode_compacted(response: Response, request: Request) -> JSON:
    """The answer of `POST /responses/compact`: the same item in an object of its own."""
    payload = encode_response(response, request)
    return {
        "id": payload["id"],
        "object": "response.compaction",
        "created_at": payload["created_at"],
        "output": payload["output"],
        "usage": payload["usage"],
    }


def _output(response: Response, names: Names) -> list[JSON]:
    cut = response.finish_reason.kind in INCOMPLETE
    output: list[JSON] = []
    nameless = called = 0
    for part in response.parts:
        if isinstance(part, ToolCallPart):
            called += bool(part.name)
            nameless += not part.name
        if (item := _item(part, names, len(output), cut)) is not None:
            output.append(item)
    if nameless and not called:
        raise Failure(NAMELESS)
    return output


NAMELESS = APIError(ErrorKind.SERVER_ERROR, "The model called a tool without naming it.", 502, upstream=True)  # 42


def _item(part: Part, names: Names, index: int, cut: bool) -> JSON | None:
    match part:
        case TextPart() | RefusalPart():
            return message_item(names.item_id("msg", index), part, "completed")
        case ReasoningPart():
            return reasoning_item(names.item_id("rs", index, part.id), part, *shown_reasoning(part))
        case ToolCallPart(name=name):
            if not name:
                return None
            call = names.call(part, index)
            text, whole = call_input(call, part.input)
            return call_item(call, text, "completed" if whole or not cut else "incomplete")
        case _:
            return whole_item(part, names, index)


def decode_response(payload: JSON) -> Response:
    """Raises Failure: with the error inside, or bad_gateway for what is no finished answer."""
    if not isinstance(payload, dict):
        raise Failure(_not_an_answer("no JSON object"))
    status = payload.get("status")
    if payload.get("error") or status == "failed":
        raise Failure(error_in(payload))
    items = payload.get("output")
    if not isinstance(items, list):
        raise Failure(_not_an_answer("no output"))
    if status in ("queued", "in_progress", "cancelled"):
        raise Failure(_not_an_answer(f"status {status}"))
    parts = tuple(part for item in items if isinstance(item, dict) for part in decode_output_item(item))
    return Response(
        _string(payload.get("id")),
        _string(payload.get("model")),
        parts,
        finish_reason(payload, any(isinstance(part, ToolCallPart) for part in parts)),
        decode_usage(payload.get("usage")),
        _seconds(payload.get("created_at")),
        payload.get("service_tier") if isinstance(payload.get("service_tier"), str) else None,
    )


def response_usage(payload: JSON) -> Usage | None:
    """The usage of a whole answer."""
    return decode_usage(payload.get("usage")) if isinstance(payload, dict) else None


def finish_reason(payload: Mapping[str, Any], called: bool) -> FinishReason:
    """Why a response object that is over is over; `called` when it holds tool calls."""
    details = payload.get("incomplete_details")
    if payload.get("status") == "incomplete" or (isinstance(details, Mapping) and details):
        reason = details.get("reason") if isinstance(details, Mapping) else None
        raw = reason if isinstance(reason, str) else "incomplete"
        return FinishReason(_INCOMPLETE_REASONS.get(raw, FinishKind.LENGTH), raw)
    return FinishReason(FinishKind.TOOL_CALLS if called else FinishKind.STOP, "completed")


def _not_an_answer(found: str) -> APIError:
    message = f"The upstream sent no answer in the Responses form ({found})."
    return APIError(ErrorKind.BAD_GATEWAY, message, 502, upstream=True)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
