"""What a message is made of: the closed union of parts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct


class ToolKind(StrEnum):
    """How a tool takes its input."""

    FUNCTION = "function"  # a JSON object, as text
    CUSTOM = "custom"  # free text (OpenAI's custom tools, Codex's apply_patch)
    SEARCH = "tool_search"  # a JSON object; the answer is a list of tools
    SHELL = "local_shell"  # a JSON object: OpenAI's local_shell action


class TextPart(Struct, frozen=True, tag="text"):
    """Visible text. `annotations` and `logprobs` stay in the wording of the protocol that made them."""

    text: str = ""
    annotations: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()


class RefusalPart(Struct, frozen=True, tag="refusal"):
    """The model's own words for declining."""

    text: str = ""


class ImagePart(Struct, frozen=True, tag="image"):
    """An image by `url` (also a data: URL). `detail` is the client's word for the resolution wanted."""

    url: str
    detail: str | None = None


class AudioPart(Struct, frozen=True, tag="audio"):
    """Sound: base64 `data` in `format` (wav, mp3, …)."""

    data: str
    format: str


class FilePart(Struct, frozen=True, tag="file"):
    """A file: base64 or data: URL in `data`, or a `url`, or the `file_id` under which `holder` (openai, anthropic)
    has it: nobody else can open it."""

    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    holder: str | None = None


class ReasoningPart(Struct, frozen=True, tag="reasoning"):
    """What the model thought.

    `text` is the raw chain, `summary` its published digest; either may be empty.
    `opaque` holds, by protocol name, state that only its maker understands and wants back
    (signatures, ciphertext). `sealed` is such state packed by `protocols.opaque` for a client
    that returns what it was given; it travels in the client's own opaque field.
    """

    text: str = ""
    summary: tuple[str, ...] = ()
    id: str | None = None
    opaque: Mapping[str, Any] = {}
    sealed: str | None = None


class ToolCallPart(Struct, frozen=True, tag="tool_call"):
    """The model calls a tool. `input` is text: JSON for every kind but CUSTOM.

    `name` and `namespace` are those of the client's declaration once restored; straight from an
    upstream without namespaces `name` is the flattened one (see `protocols.tools`).
    """

    call_id: str
    name: str
    input: str = ""
    kind: ToolKind = ToolKind.FUNCTION
    namespace: str | None = None
    id: str | None = None
    opaque: Mapping[str, Any] = {}


class ToolResultPart(Struct, frozen=True, tag="tool_result"):
    """What a tool returned. `tools` are those a tool search found, callable from now on."""

    call_id: str
    content: tuple[Part, ...] = ()
    kind: ToolKind = ToolKind.FUNCTION
    name: str | None = None
    failed: bool | None = None
    tools: tuple[Tool, ...] = ()


class ToolsPart(Struct, frozen=True, tag="tools"):
    """Tools declared in the middle of a conversation (Responses' `additional_tools`)."""

    tools: tuple[Tool, ...]


class CompactionPart(Struct, frozen=True, tag="compaction"):
    """Stands for the conversation before it. `summary` is None until `protocols.opaque` has unsealed it."""

    summary: str | None = None
    id: str | None = None
    opaque: Mapping[str, Any] = {}
    sealed: str | None = None


class OpaquePart(Struct, frozen=True, tag="opaque"):
    """Something only `protocol` has a word for: kept as it came, lost (with a Loss) elsewhere."""

    protocol: str
    kind: str
    raw: Mapping[str, Any]


Part = (
    TextPart
    | RefusalPart
    | ImagePart
    | AudioPart
    | FilePart
    | ReasoningPart
    | ToolCallPart
    | ToolResultPart
    | ToolsPart
    | CompactionPart
    | OpaquePart
)


class FunctionTool(Struct, frozen=True, tag="function"):
    """A tool that takes a JSON object. `parameters` is its JSON schema; None where none was given."""

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    namespace: str | None = None
    extras: Mapping[str, Any] = {}


class CustomTool(Struct, frozen=True, tag="custom"):
    """A tool that takes free text, perhaps bound by a grammar (`format` in OpenAI's flat form:
    `{"type": "grammar", "syntax": "lark", "definition": …}` or `{"type": "text"}`)."""

    name: str
    description: str | None = None
    format: Mapping[str, Any] | None = None
    namespace: str | None = None
    extras: Mapping[str, Any] = {}


class SearchTool(Struct, frozen=True, tag="tool_search"):
    """Lets the model look for tools that are not listed yet; the client runs it."""

    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    extras: Mapping[str, Any] = {}


class ShellTool(Struct, frozen=True, tag="local_shell"):
    """OpenAI's local_shell: the client runs a command."""

    extras: Mapping[str, Any] = {}


class HostedTool(Struct, frozen=True, tag="hosted"):
    """A tool the vendor runs (web_search, image_generation, …), as `protocol` words it."""

    protocol: str
    kind: str
    raw: Mapping[str, Any]


Tool = FunctionTool | CustomTool | SearchTool | ShellTool | HostedTool
