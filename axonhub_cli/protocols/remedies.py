"""What may be taken out of a request once, where an upstream's refusal says that it would do without (reliability 5.1).

A table of refusals and what to leave out; whoever calls upstreams asks it after a refusal and applies what it names to
the same call. Every remedy works on the payload as the upstream was sent it, whatever its protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

from msgspec import Struct

from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.protocols.base import JSON, Edited, UpstreamCodec
from axonhub_cli.protocols.omissions import (
    without_field,
    without_images,
    without_old_results,
)

_KINDS = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.NOT_FOUND, ErrorKind.CONTEXT_LENGTH})

# OpenAI's code and words, and those of relays in front of it; Anthropic's; Google's (pitfalls 66, 67, 89).
_UNREADABLE = re.compile(
    r"item[_ ]id did not match|item with id [`'\"]?rs_\w+[`'\"]? not found"
    r"|encrypted[_ ]content\b.{0,80}\b(?:could|can)(?:not| not|'t)"
    r"|(?:could|can)(?:not| not|'t)(?: be)? (?:decrypt|verif)|failed to decrypt"
    r"|invalid [`'\"]?signature[`'\"]? in [`'\"]?thinking|expected [`'\"]thinking[`'\"] or [`'\"]redacted_thinking"
    r"|redacted_thinking[`'\"]? blocks .{0,60}cannot be modified"
    r"|thought[_ ]?signature[`'\"]?\b.{0,40}\b(?:not valid|invalid|missing)"
    r"|(?:corrupted|invalid|missing a) [`'\"]?thought[_ ]?signature",
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
# OpenAI, FastAPI and pydantic, serde, Go, JSON schema, Groq, Google (pitfall 13).
_UNKNOWN = re.compile(
    r"(?:unknown|unrecogni[sz]ed|unsupported|unexpected) (?:request )?"
    r"(?:parameter|argument|field|input|key|propert|name)"
    r"|extra inputs are not permitted|additional properties|is not (?:supported|permitted|allowed)|is unsupported",
    re.IGNORECASE,
)
# OpenAI, of `reasoning.summary`, until an account has proved whose it is; its advice begins with an "if".
_UNVERIFIED = re.compile(r"must be verified to generate reasoning summar", re.IGNORECASE)
_UNKNOWN_CODES = frozenset({"unknown_parameter", "unsupported_parameter", "extra_forbidden"})
_NAMES = re.compile(
    r"[`'\"]([A-Za-z_][\w.\[\]]*)[`'\"]|(?:supplied|field|parameter|argument|property): ([A-Za-z_][\w.]*)"
    r"|([A-Za-z_][\w.]*): extra inputs",
    re.IGNORECASE,
)
# A field may be refused beside another only, or for a value: that says nothing about the next request.
_CONDITION = re.compile(
    r"\b(?:when|while|if|unless|until|because|together|combin\w+|along|both|value)\b", re.IGNORECASE
)
# Without these the answer would be one to another question.
_NEEDED = frozenset(
    {"model", "messages", "input", "contents", "instructions", "system", "systemInstruction", "stream", "tools"}
    | {"dimensions"}  # of embeddings: others would not fit those the client has
    | {"tool_choice", "toolConfig", "response_format", "text", "text.format", "previous_response_id"}
)
# Nor without these of the items inside of them.
_PARTS = frozenset(
    {"type", "role", "name", "id", "call_id", "tool_call_id", "tool_use_id", "content", "parts", "text", "function"}
    | {"arguments", "input", "output", "parameters", "input_schema", "functionCall", "functionResponse", "response"}
    | {"functionDeclarations", "source", "data", "image_url", "url", "inlineData", "mimeType", "thinking", "args"}
)


class Remedy(Struct, frozen=True):
    """`name` says what is left out; `edit` gives a copy without it, or the same object where there is none of it.
    `lasting`: any request is refused for it, not just the one that was."""

    name: str
    edit: Callable[[JSON], Edited]
    lasting: bool = False


def find(
    error: APIError,
    upstream: UpstreamCodec,
    sent: Callable[[], JSON],
    tried: Collection[str] = (),
    *,
    summing: bool = False,
) -> Remedy | None:
    """What to leave out of the payload that `upstream` was `sent` after it refused it with `error`. None where the
    refusal names nothing of the kind, where it would change nothing, or where that has been `tried`, by name.
    `summing`: the client asks for a summary of the conversation, whose end must then not be that it is too long."""
    if not error.upstream or error.kind not in _KINDS:
        return None
    if error.kind is ErrorKind.CONTEXT_LENGTH:
        found = [Remedy("the oldest results", without_old_results)] if summing else []
        payload = sent() if found else {}
    else:
        payload = sent()
        named = (_state(error, upstream), _images(error), _summary(error), _field(error, payload))
        found = [remedy for remedy in named if remedy is not None]
    fitting = (remedy for remedy in found if remedy.name not in tried and remedy.edit(payload)[0] is not payload)
    return next(fitting, None)


def _state(error: APIError, upstream: UpstreamCodec) -> Remedy | None:
    known = error.code == "invalid_encrypted_content" or _UNREADABLE.search(error.message)
    return Remedy("reasoning state", upstream.without_state) if known else None


def _images(error: APIError) -> Remedy | None:
    return Remedy("images", without_images, lasting=True) if _TEXT_ONLY.search(error.message) else None


def _summary(error: APIError) -> Remedy | None:
    if _UNVERIFIED.search(error.message):
        return Remedy("reasoning.summary", partial(without_field, path="reasoning.summary"), lasting=True)
    return None


def _field(error: APIError, payload: JSON) -> Remedy | None:
    if error.code not in _UNKNOWN_CODES and not _UNKNOWN.search(error.message):
        return None
    for name in _named(error):
        path = _resolved(payload, name)
        if path and path not in _NEEDED and path.partition(".")[2].rpartition(".")[2] not in _PARTS:
            lasting = _CONDITION.search(error.message) is None
            return Remedy(path, partial(without_field, path=path), lasting)
    return None


def _named(error: APIError) -> Iterator[str]:
    """The fields an error may mean, the likeliest first: of two names beside each other, one is inside of the other."""
    if error.param:
        yield error.param
    names = ["".join(groups) for groups in _NAMES.findall(error.message)]
    for one, other in pairwise(names):
        yield f"{one}.{other}"
        yield f"{other}.{one}"
    yield from names


def _resolved(payload: JSON, name: str) -> str:
    """The dotted path of a field as the payload has it, without indexes; empty where it has none. Google writes other
    names than it takes, and Anthropic puts the kind of an item where it has no field."""
    steps = [step for step in re.split(r"[.\[\]]+", name.removeprefix("body.")) if step and not step.isdigit()]
    values: list[Any] = [payload]
    path: list[str] = []
    for index, step in enumerate(steps):
        word = next((word for word in (step, _camel(step)) if any(word in value for value in values)), None)
        if word is not None:
            path.append(word)
            values = list(_inside(value[word] for value in values if word in value))
        elif index == len(steps) - 1 or index == 0:
            return ""
    return ".".join(path)


def _inside(values: Iterator[Any]) -> Iterator[JSON]:
    """The objects among the values and in the lists among them."""
    for value in values:
        yield from (item for item in (value if isinstance(value, list) else [value]) if isinstance(item, dict))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
