"""The ways in which an upstream may depart from its protocol's documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Quirks(Struct, frozen=True):
    """How one channel's upstream departs from its protocol's documentation. The defaults suit OpenAI itself.

    Every field may be set for one channel with `--option NAME=VALUE`.
    """

    # Every protocol
    auth: str = "x-api-key"  # how the key is shown: x-api-key (the protocol's own way), bearer, api-key, aws, google
    cloud: str = "none"  # whose paths and bodies: none, azure, bedrock, vertex
    api_version: str = ""  # Azure: asks its dated API of this version instead of /v1
    retry_empty: bool = False  # an answer with nothing in it counts as a failure, not as an answer (pitfall 150)

    # Chat Completions and Responses
    system_role: str = "developer"  # what a developer message becomes: developer or system
    merge_system: bool = False  # all system text in one leading message (pitfall 2)
    max_tokens_field: str = "max_completion_tokens"
    max_output_tokens: int | None = None  # sent where the client asked for none and the vendor's default is low
    effort_style: str = "reasoning_effort"  # reasoning_effort, reasoning, thinking, enable_thinking, none
    efforts: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh")
    reasoning_echo: str = "never"  # never, tool_calls, always: whether reasoning must come back (pitfalls 117, 122)
    reasoning_field: str = "reasoning_content"  # under which name it goes back
    reasoning_placeholder: str = ""  # sent where the vendor insists and we have none
    reasoning_unsigned: bool = True  # takes reasoning_details rebuilt from the text, without the vendor's own state
    response_format: str = "json_schema"  # the best the vendor knows: json_schema, json_object, none
    fields: tuple[str, ...] = ()  # optional top-level fields the vendor takes; () is the codec's own full list
    body: Mapping[str, Any] = {}  # fields added to every request
    hosted_tools: tuple[str, ...] = ()  # kinds of hosted tools it runs
    custom_tools: bool = False  # takes `custom` tools itself (pitfalls 103, 104)
    strict_tools: bool = True  # takes `strict` on functions
    parallel_tool_calls: bool = True  # takes the field of that name
    forced_tool_choice: bool = True  # takes `required`, a named tool and `allowed_tools` as tool_choice
    short_call_ids: bool = False  # takes ids of calls of nine letters and digits only
    answered_results: bool = False  # refuses a user's words right after a tool's result: the assistant must speak first
    vision: bool = True  # takes images in user messages
    tool_images: bool = False  # takes images in tool results
    audio: bool = False
    files: bool = True
    think_tags: bool = False  # writes reasoning into the text between <think> tags (pitfall 57)
    stream_usage: bool = True  # takes stream_options.include_usage
    codex_headers: bool = False  # is told what Codex's own headers say (pitfall 171)

    # Anthropic Messages; also max_output_tokens, efforts, response_format, fields, hosted_tools, vision and files
    thinking_style: str = "auto"  # auto (by the Claude model), adaptive, budget, enabled (budget and effort), none
    unsigned_thinking: bool = False  # wants thinking back without a signature (pitfall 124)
    cache_control: bool = True  # takes cache_control (pitfall 77)
    mid_system: str = "auto"  # system messages amid the conversation: auto (by the Claude model), always, never
    betas: tuple[str, ...] = ("*",)  # beginnings of the anthropic-beta flags it takes; * is all (pitfall 82)

    # Gemini; also max_output_tokens, efforts, response_format, fields, body, hosted_tools, forced_tool_choice, vision,
    # tool_images, audio and files
    thinking_config: str = "auto"  # how effort is said: auto (by the Gemini model), level, budget, none
    signature_sentinel: bool = True  # takes the documented stand-in for a missing thought signature (pitfall 89)
    call_ids: bool = True  # takes ids on calls and their responses (pitfall 91)
    user_last: bool = False  # refuses a conversation that ends with the model (pitfall 94)
    mixed_tools: bool = False  # takes hosted tools beside functions


class Fact(Struct, frozen=True):
    """One departure: which field of `Quirks` has which `value`, when that was last true, and who says so
    ("pitfall N" is a line of docs/pitfalls.md)."""

    field: str
    value: Any
    as_of: str
    source: str


class Setting(Struct, frozen=True):
    """A fact about one account, given with `--option`: `pattern` is what its whole value must match, `example` one
    that does. `needed` even where the person gives the base URL."""

    name: str
    pattern: str
    example: str
    needed: bool = False


class ChannelType(Struct, frozen=True):
    """A preset. `protocols` in order of preference: a client's own is used where it is among them.

    No `base_url`: the person has to give one. One with `{names}` is filled in from `settings`; `urls` are others, by
    the option (`name` or `name=value`) that asks for them. No `api_key_env`: it works without a key. `families` are
    the beginnings, in lower case, of the names of the vendor's own models.
    """

    name: str
    protocols: tuple[str, ...]
    base_url: str
    api_key_env: str | None
    quirks: Quirks = Quirks()
    facts: tuple[Fact, ...] = ()
    families: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    urls: Mapping[str, str] = {}

    def serves(self, model: str) -> bool:
        """Whether a channel of this type with no models of its own may well have `model`: True for every name
        where the vendor sells other vendors' models or runs what the person loaded."""
        return not self.families or model.lower().startswith(self.families)
