"""One answer of the demo model, from a neutral request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from axonhub_cli.demo.shapes import instance
from axonhub_cli.demo.tools import Toolbox
from axonhub_cli.demo.wishes import wants_summary, wishes, words_to_say
from axonhub_cli.llm.content import CompactionPart, ImagePart, Part, ReasoningPart, TextPart, ToolResultPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage
from axonhub_cli.llm.tokens import estimate_messages, estimate_parts, estimate_request, estimate_text

MODELS = ("demo",)
MAX_REPORT = 4000
_GREETING = "Hello from the AxonHub demo model."


def reply(request: Request) -> Response:
    """The answer to `request`: it calls the tools the user's words ask for ("run `ls`", "create file X with
    Y"), one at a time, then reports what they said; it fulfils a JSON format; it summarises when told to.
    `request.model` may be any name. Tools may be flattened (`protocols.tools`) or as the client declared them."""
    digest = hashlib.sha256(msgspec.json.encode(request)).hexdigest()
    talk = _Talk(request)
    parts: tuple[Part, ...] = tuple(_answer(request, talk, f"call_{digest[:24]}"))
    effort = request.reasoning.effort if request.reasoning else None
    if effort not in (None, "none", "minimal"):
        parts = (ReasoningPart(text=f"The user said: {_short(talk.text, 80)!r}. I know what to do."), *parts)
    parts, finish = _limited(parts, request.max_tokens)
    return Response(f"demo-{digest[:24]}", request.model, parts, finish, _usage(request, parts))


class _Talk:
    """The last thing the user said and what tools have returned since."""

    def __init__(self, request: Request) -> None:
        self.text = ""
        self.images = 0
        self.results: list[str] = []
        for message in request.messages:
            if message.role is Role.USER:
                self._hear(message)
            for part in message.parts:
                if isinstance(part, ToolResultPart):
                    self.results.append(_text(part.content) or "nothing")

    def _hear(self, message: Message) -> None:
        text = _text(message.parts)
        self.images = sum(isinstance(part, ImagePart) for part in message.parts)
        # Agents put their surroundings in messages of their own, between tags.
        if text.strip() and not text.lstrip().startswith("<"):
            self.text, self.results = text, []


def _answer(request: Request, talk: _Talk, call_id: str) -> Iterator[Part]:
    if request.compaction or wants_summary(talk.text):
        yield TextPart(_summary(request))
        return
    if request.format and request.format.kind != "text":
        yield TextPart(_formatted(request, talk))
        return
    tools = Toolbox(request)
    plan = wishes(talk.text)
    done = len(talk.results)
    call = tools.call(plan[done], call_id) if done < len(plan) else None
    if call is None and not done:
        call = tools.forced(talk.text, call_id)
    if call is not None:
        yield call
    elif talk.results:
        yield TextPart(f"The tool said:\n{_short(talk.results[-1], MAX_REPORT)}")
    elif plan:
        yield TextPart("I have no tool that can do this.")
    else:
        yield TextPart(_chat(talk))


def _chat(talk: _Talk) -> str:
    if said := words_to_say(talk.text):
        return _GREETING if said.lower().strip(".! ") in ("hello", "hi") else said
    seen = f" I see {talk.images} image{'s' if talk.images > 1 else ''}." if talk.images else ""
    return (
        f"{_GREETING} You said: {_short(talk.text, 200)!r}.{seen}"
        " Ask me to run a command, to create a file with some text, or to say something."
    )


def _summary(request: Request) -> str:
    said = [text for message in request.messages if message.role is Role.USER and (text := _text(message.parts))]
    asked = "\n".join(f"- {_short(text, 200)}" for text in said[:-1] if not text.lstrip().startswith("<"))
    return f"Summary of {len(request.messages)} messages so far. The user said:\n{asked or '- nothing yet'}"


def _formatted(request: Request, talk: _Talk) -> str:
    wanted = request.format
    schema = wanted.schema if wanted else None
    text = words_to_say(talk.text) or _GREETING
    value = instance(schema, text) if schema else {"answer": text}
    return msgspec.json.encode(value).decode()


def _limited(parts: tuple[Part, ...], max_tokens: int | None) -> tuple[tuple[Part, ...], FinishReason]:
    last = parts[-1]
    if not isinstance(last, TextPart):
        return parts, FinishReason(FinishKind.TOOL_CALLS, "tool_calls")
    if max_tokens is None or estimate_parts(parts) <= max_tokens:
        return parts, FinishReason(FinishKind.STOP, "stop")
    low, high = 0, len(last.text)  # the longest text that fits
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if estimate_text(last.text[:middle]) <= max_tokens else (low, middle - 1)
    return (*parts[:-1], TextPart(last.text[:low])), FinishReason(FinishKind.LENGTH, "length")


def _usage(request: Request, parts: tuple[Part, ...]) -> Usage:
    """Counted by estimate; everything before the model's last turn counts as cached."""
    turns = [i for i, message in enumerate(request.messages) if message.role is Role.ASSISTANT]
    cached = estimate_messages(request.messages[: turns[-1]]) if turns else 0
    thought = estimate_parts(tuple(part for part in parts if isinstance(part, ReasoningPart)))
    return Usage(
        input=max(estimate_request(request), cached, 1),
        cached=cached,
        output=max(estimate_parts(parts), 1),
        reasoning=thought,
    )


def _text(parts: tuple[Part, ...]) -> str:
    return "\n".join(text for part in parts if (text := _words(part)))


def _words(part: Part) -> str:
    match part:
        case TextPart(text=text):
            return text
        case CompactionPart(summary=summary):
            return summary or ""
        case _:
            return ""


def _short(text: str, longest: int) -> str:
    text = text.strip()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
