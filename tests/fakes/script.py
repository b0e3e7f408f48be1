"""What a scripted model says: the words that the fake providers understand, and the order they are used in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Say:
    """Visible text."""

    text: str


@dataclass(frozen=True)
class Think:
    """Reasoning: `reasoning_content` of a Chat vendor, encrypted at OpenAI (with `text` as its summary), a signed
    block at Anthropic, or a redacted one."""

    text: str
    redacted: bool = False


@dataclass(frozen=True)
class Call:
    """A function call. `arguments` as a string are sent as they are, broken or not."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    namespace: str | None = None


@dataclass(frozen=True)
class Custom:
    """A freeform call. A Chat vendor knows functions only and answers with `{"input": …}`, or with `lowered`,
    whatever that is."""

    name: str
    text: str
    namespace: str | None = None
    lowered: str | None = None


@dataclass(frozen=True)
class Search:
    """A `tool_search` that the client is to run."""

    query: str


@dataclass(frozen=True)
class Summary:
    """The answer to a compaction: a `compaction` item where that was asked for, else text."""

    text: str


Part = Say | Think | Call | Custom | Search | Summary


@dataclass(frozen=True)
class Fault:
    """An HTTP error instead of an answer."""

    status: int
    message: str
    code: str | None = None
    type: str = "invalid_request_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    param: str | None = None

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


@dataclass(frozen=True)
class Reply:
    """One answer. `cut`: the connection dies after that many stream events; `hang`: it stays silent after that
    many; `error`: an error in the protocol's own form ends the stream."""

    parts: tuple[Part, ...]
    cut: int | None = None
    hang: int | None = None
    error: str | None = None
    length: bool = False  # the output limit was reached
    usage: tuple[int, int, int, int] | None = None  # input, cached, output, reasoning


Step = Reply | Fault | Part | str | list[Part]
Steps = Step | Callable[[Any], Step]


def as_function(part: Call | Custom | Search) -> tuple[str, str]:
    """Flat name and arguments, as a model that knows functions only would write them."""
    if isinstance(part, Search):
        return "tool_search", json.dumps({"query": part.query})
    name = f"{part.namespace}__{part.name}" if part.namespace else part.name
    if isinstance(part, Custom):
        return name, part.lowered if part.lowered is not None else json.dumps({"input": part.text})
    return name, part.arguments if isinstance(part.arguments, str) else json.dumps(part.arguments)


def reply_of(step: Step) -> Reply | Fault:
    match step:
        case Reply() | Fault():
            return step
        case str():
            return Reply((Say(step),))
        case list():
            return Reply(tuple(step))
        case _:
            return Reply((step,))


class Script:
    """Steps in order, by routes: the first route whose condition holds for a request and that has a step left
    answers it; those without a condition come last."""

    def __init__(self) -> None:
        self._routes: list[tuple[Callable[[Any], bool], list[Steps], bool]] = []
        self._default: list[Steps] = []
        self._lock = threading.Lock()

    def then(self, *steps: Steps) -> None:
        with self._lock:
            self._default.extend(steps)

    def when(self, condition: Callable[[Any], bool], *steps: Steps, forever: bool = False) -> None:
        """`forever`: its last step is used again and again, and need not be used at all."""
        with self._lock:
            self._routes.append((condition, list(steps), forever))

    def next(self, request: Any) -> Reply | Fault | None:
        with self._lock:
            step = self._take(request)
        if step is None:
            return None
        return reply_of(step(request) if callable(step) else step)

    def _take(self, request: Any) -> Steps | None:
        for condition, steps, forever in self._routes:
            if steps and condition(request):
                return steps[0] if forever and len(steps) == 1 else steps.pop(0)
        return self._default.pop(0) if self._default else None

    def left(self) -> int:
        """How many steps nobody asked for."""
        with self._lock:
            return len(self._default) + sum(len(steps) for _, steps, forever in self._routes if not forever)
