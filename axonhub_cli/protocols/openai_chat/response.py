"""Whole answers: chat.completion objects, in and out.

https://platform.openai.com/docs/api-reference/chat/object
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from axonhub_cli.llm.content import ImagePart, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import FinishKind, Response
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.openai_chat.calls import CallNames
from axonhub_cli.protocols.openai_chat.details import FIELD, stored
from axonhub_cli.protocols.openai_chat.finish import FINISH_WORDS, gave_up
from axonhub_cli.protocols.openai_chat.stream import ChatStreamDecoder
from axonhub_cli.protocols.openai_chat.usage import encode_usage
from axonhub_cli.vendors import Quirks

_URL = "url_citation"


def decode_response(payload: JSON, quirks: Quirks) -> Response:
    """See `base.Codec.decode_response`; the first choice is the answer."""
    return fold(ChatStreamDecoder(quirks).whole(payload))


def encode_response(response: Response, request: Request) -> JSON:
    """See `base.Codec.encode_response`. Raises Failure for an answer that ended in an error."""
    if response.finish_reason.kind is FinishKind.ERROR:
        raise Failure(gave_up(response.finish_reason.raw))
    names = CallNames(request)
    finish = FINISH_WORDS[response.finish_reason.kind]
    message = _message(response, names)
    choice: JSON = {
        "index": 0,
        "message": message,
        "logprobs": _logprobs(response),
        "finish_reason": "function_call" if "function_call" in message and finish == "tool_calls" else finish,
    }
    written: JSON = {
        "id": completion_id(response.id),
        "object": "chat.completion",
        "created": response.created or 0,
        "model": request.model or response.model,
        "choices": [choice],
    }
    if (usage := encode_usage(response.usage)) is not None:
        written["usage"] = usage
    if response.service_tier is not None:
        written["service_tier"] = response.service_tier
    return written


def completion_id(response_id: str) -> str:
    """An id with Chat's own prefix; clients of it check no more than that it is a string."""
    return response_id if response_id.startswith("chatcmpl") else f"chatcmpl-{response_id or 'none'}"


def thought(part: ReasoningPart) -> str:
    """What a Chat client is shown of reasoning: the chain, else its summary."""
    return part.text or "\n\n".join(part.summary)


def citations(part: TextPart) -> list[Any]:
    """Citations of the web in Chat's words; Responses keeps the fields one level up."""
    return [{"type": _URL, _URL: place} for note in part.annotations if (place := _place(note))]


def _place(note: Mapping[str, Any]) -> Any:
    if note.get("type") == _URL and "url" in note:
        return {name: value for name, value in note.items() if name != "type"}
    place = note.get(_URL)
    return place if isinstance(place, Mapping) else None


def _message(response: Response, names: CallNames) -> JSON:
    texts, refusals, thoughts, calls, notes, details = [], [], [], [], [], []  # type: ignore[var-annotated]
    images: list[JSON] = []
    for part in response.parts:
        match part:
            case TextPart():
                texts.append(part.text)
                notes += citations(part)
            case RefusalPart():
                refusals.append(part.text)
            case ReasoningPart():
                thoughts.append(thought(part))
                details += stored(part.opaque)
            case ToolCallPart():
                calls.append(part)
            case ImagePart():
                images.append({"type": "image_url", "image_url": {"url": part.url}})
            case _:
                pass  # nothing a Chat client has a place for; the trace keeps it
    message: JSON = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) or None,
    }
    if any(thoughts):
        message["reasoning_content"] = "\n\n".join(filter(None, thoughts))
    optional = (("annotations", notes), (FIELD, details), ("images", images))
    message |= {name: value for name, value in optional if value}
    if calls and names.legacy:
        message["function_call"] = names.whole(calls[0])["function"]
    elif calls:
        message["tool_calls"] = [names.whole(call) for call in calls]
    return message


def _logprobs(response: Response) -> JSON | None:
    found = [entry for part in response.parts if isinstance(part, TextPart) for entry in part.logprobs]
    return {"content": found, "refusal": None} if found else None
