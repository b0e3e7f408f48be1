"""What may be taken out of a request once, where an upstream's refusal says that it would do without (reliability 5.1).

A table of refusals and what to leave out; whoever calls upstreams asks it after a refusal and applies what it names to
the same call. Every remedy works on the payload as the upstream was sent it, whatever its protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from msgspec import Struct

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import JSON, Loss

_NO_IMAGE = "[image left out: this model reads text only]"
_KINDS = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.NOT_FOUND})

# OpenAI's code and words, and those of relays in front of it (pitfall 67).
_UNREADABLE = re.compile(
    r"item[_ ]id did not match|encrypted[_ ]content\b.{0,80}\b(?:could|can)(?:not| not|'t)"
    r"|(?:could|can)(?:not| not|'t)(?: be)? (?:decrypt|verif)|failed to decrypt",
    re.IGNORECASE | re.DOTALL,
)
# DeepSeek, Zhipu, OpenRouter, vLLM, llama.cpp, OpenAI (pitfall 11).
_TEXT_ONLY = re.compile(
    r"unknown variant `?image_url|only supports? text|at most 0 image|not a (?:multimodal|vision) model"
    r"|no endpoints found that support image|image_url is only supported by"
    r"|(?:does|do)(?: not|n't) (?:support|accept|allow) (?:\w+ )?(?:images?\b|image_url|vision|multimodal)"
    r"|images?(?:_url)?(?: inputs?)? (?:is|are)(?: not|n't) (?:supported|allowed|accepted|enabled)",
    re.IGNORECASE,
)
# OpenAI, FastAPI and pydantic, serde, Go, JSON schema, Groq (pitfall 13).
_UNKNOWN = re.compile(
    r"(?:unknown|unrecogni[sz]ed|unsupported|unexpected) (?:request )?(?:parameter|argument|field|input|key|propert)"
    r"|extra inputs are not permitted|additional properties|is not (?:supported|permitted|allowed)|is unsupported",
    re.IGNORECASE,
)
_UNKNOWN_CODES = frozenset({"unknown_parameter", "unsupported_parameter", "extra_forbidden"})
_NAMES = re.compile(r"[`'\"]([A-Za-z_][\w.]*)[`'\"]|(?:supplied|field|parameter|argument|property): ([A-Za-z_][\w.]*)")
# Without these the answer would be one to another question.
_NEEDED = frozenset(
    {"model", "messages", "input", "contents", "instructions", "system", "systemInstruction", "stream", "tools"}
    | {"tool_choice", "toolConfig", "response_format", "text", "text.format", "previous_response_id"}
)
_OPAQUE_ITEMS = frozenset({"reasoning"})
_MADE_BY_MODEL = frozenset({"message", "function_call", "custom_tool_call", "local_shell_call", "tool_search_call"})
_IMAGES = {"input_image": "input_text", "image_url": "text", "image": "text"}


class Remedy(Struct, frozen=True):
    """`name` says what is left out; `edit` gives a copy without it, or the same object where there is none of it."""

    name: str
    edit: Callable[[JSON], tuple[JSON, tuple[Loss, ...]]]


def find(error: APIError, sent: Callable[[], JSON], tried: Collection[str] = ()) -> Remedy | None:
    """What to leave out of the payload that was `sent` after an upstream refused it with `error`. None where the
    refusal names nothing of the kind, where it would change nothing, or where that has been `tried`, by name."""
    if not error.upstream or error.kind not in _KINDS:
        return None
    payload = sent()
    for matches in (_state, _images, _field):
        remedy = matches(error, payload)
        if remedy is not None and remedy.name not in tried and remedy.edit(payload)[0] is not payload:
            return remedy
    return None


def _state(error: APIError, _payload: JSON) -> Remedy | None:
    known = error.code == "invalid_encrypted_content" or _UNREADABLE.search(error.message)
    return Remedy("reasoning state", _without_state) if known else None


def _images(error: APIError, _payload: JSON) -> Remedy | None:
    return Remedy("images", _without_images) if _TEXT_ONLY.search(error.message) else None


def _field(error: APIError, payload: JSON) -> Remedy | None:
    if error.code not in _UNKNOWN_CODES and not _UNKNOWN.search(error.message):
        return None
    named = [error.param or "", *(one or other for one, other in _NAMES.findall(error.message))]
    for path in (name.removeprefix("body.") for name in named):
        if path and path not in _NEEDED and _has(payload, path):
            return Remedy(path, partial(_without_field, path=path))
    return None


def _without_state(payload: JSON) -> tuple[JSON, tuple[Loss, ...]]:
    """Reasoning items go; ids of what the model made go too, since each names the reasoning it came from. What the
    conversation says stays, compactions among it."""
    items = payload.get("input")
    if not isinstance(items, list) or not any(_kind(item) in _OPAQUE_ITEMS for item in items):
        return payload, ()
    kept = [_without_id(item) for item in items if _kind(item) not in _OPAQUE_ITEMS]
    return {**payload, "input": kept}, (Loss("input.reasoning", "the upstream could not read its state"),)


def _without_id(item: Any) -> Any:
    if isinstance(item, dict) and "id" in item and item.get("type", "message") in _MADE_BY_MODEL:
        return {name: value for name, value in item.items() if name != "id"}
    return item


def _without_images(payload: JSON) -> tuple[JSON, tuple[Loss, ...]]:
    for field in ("input", "messages"):
        changed = _no_images(payload.get(field), 0)
        if changed is not payload.get(field):
            return {**payload, field: changed}, (Loss(f"{field}.image", "the upstream refused images"),)
    return payload, ()


def _no_images(value: Any, depth: int) -> Any:
    """The same object where there is no image in it. Content is never nested deeper than this looks."""
    if depth > 6:
        return value
    if isinstance(value, list):
        changed = [_no_images(item, depth + 1) for item in value]
        return value if all(a is b for a, b in zip(changed, value, strict=True)) else changed
    if not isinstance(value, dict):
        return value
    if (text := _IMAGES.get(_kind(value))) is not None:
        return {"type": text, "text": _NO_IMAGE}
    for name in ("content", "output"):
        if isinstance(value.get(name), list):
            changed = _no_images(value[name], depth + 1)
            if changed is not value[name]:
                value = {**value, name: changed}
    return value


def _without_field(payload: JSON, path: str) -> tuple[JSON, tuple[Loss, ...]]:
    return _pruned(payload, path.split(".")), (Loss(path, "the upstream refused the field"),)


def _pruned(value: JSON, steps: list[str]) -> JSON:
    name, *rest = steps
    if name not in value:
        return value
    if not rest:
        return {key: kept for key, kept in value.items() if key != name}
    return {**value, name: _pruned(value[name], rest)} if isinstance(value[name], dict) else value


def _has(payload: JSON, path: str) -> bool:
    value: Any = payload
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            return False
        value = value[step]
    return True


def _kind(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else ""
