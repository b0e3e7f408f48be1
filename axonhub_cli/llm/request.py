"""One call to a model, without a wire format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from axonhub_cli.llm.content import Part, Tool, ToolResultPart, ToolsPart


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Message(Struct, frozen=True):
    """One turn or one item of it.

    Neighbours may share a role: a codec whose wire wants them merged merges them.
    `extras` keeps, by protocol name, fields of the item that only that protocol knows.
    """

    role: Role
    parts: tuple[Part, ...]
    id: str | None = None
    name: str | None = None
    extras: Mapping[str, Mapping[str, Any]] = {}


class ChoiceMode(StrEnum):
    """Whether the model may, must or must not call tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    TOOL = "tool"  # exactly the one in `names`
    ALLOWED = "allowed"  # only those in `names`; `required` says whether one must be called


class ToolChoice(Struct, frozen=True):
    """`names` are (namespace, name) pairs of declared tools."""

    mode: ChoiceMode
    names: tuple[tuple[str | None, str], ...] = ()
    required: bool = False


class ResponseFormat(Struct, frozen=True):
    """`kind` is text, json_object or json_schema; the rest belongs to json_schema."""

    kind: str
    name: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class Reasoning(Struct, frozen=True):
    """`effort` is the client's word (none, minimal, low, medium, high, xhigh, max, ultra);
    `budget` a number of tokens; `summary` how much of it the client wants to read."""

    effort: str | None = None
    budget: int | None = None
    summary: str | None = None


class Sampling(Struct, frozen=True):
    """None means the client did not say."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    count: int | None = None  # n
    logprobs: bool | None = None
    top_logprobs: int | None = None


class Request(Struct, frozen=True):
    """Everything a client asked for.

    `extras` keeps, by protocol name, the top-level fields that only that protocol knows;
    a codec of another protocol reports each as a Loss. `compaction` is set when the client
    wants the conversation replaced by a summary and nothing else. `namespaces` holds the
    descriptions of tool namespaces by name. `needed` says of fields in `extras` why a server of another protocol
    must not be asked without them.
    """

    model: str
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    namespaces: Mapping[str, str] = {}
    sampling: Sampling = Sampling()
    reasoning: Reasoning | None = None
    format: ResponseFormat | None = None
    verbosity: str | None = None
    max_tokens: int | None = None
    stream: bool = False
    cache_key: str | None = None
    user: str | None = None
    service_tier: str | None = None
    compaction: bool = False
    extras: Mapping[str, Mapping[str, Any]] = {}
    needed: Mapping[str, str] = {}

    def declared_tools(self) -> Iterator[Tool]:
        """Every tool the model may call now, in the order it was declared: the list itself,
        then what the conversation added (pitfalls 21, 108, 114). Duplicates are not removed."""
        yield from self.tools
        for message in self.messages:
            for part in message.parts:
                if isinstance(part, (ToolsPart, ToolResultPart)):
                    yield from part.tools
