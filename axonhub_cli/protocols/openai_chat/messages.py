"""The conversation as Chat messages: one assistant message per turn, each call followed by its result.

https://platform.openai.com/docs/api-reference/chat/create (messages); pitfalls 2, 6-11, 22, 117-126.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from axonhub_cli.llm.content import (
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    ToolCallPart,
    ToolKind,
    ToolsPart,
)
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.call_ids import CallIds
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import left_out
from axonhub_cli.protocols.openai_chat.content import content, content_part, result_content, text_part
from axonhub_cli.protocols.openai_chat.echo import Thoughts
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.openai_chat.order import answered
from axonhub_cli.protocols.patch import wrap_input
from axonhub_cli.protocols.results import NO_RESULT, pair_results
from axonhub_cli.protocols.tools import call_name
from axonhub_cli.vendors import Quirks

_RAW = msgspec.json.Decoder(msgspec.Raw)
_DECLARATIONS = frozenset({ToolsPart})


def encode_messages(request: Request, quirks: Quirks, losses: Losses) -> list[JSON]:
    """The messages, in the order of the conversation, fit for an upstream that remembers nothing."""
    writer = _Writer(request, quirks, losses)
    for message in request.messages:
        writer.add(message)
    writer.finish()
    messages = _merge_system(writer.messages) if quirks.merge_system else writer.messages
    return answered(messages) if quirks.answered_results else messages


class _Writer:
    """Gathers an assistant's turn until somebody else speaks, then writes it with the results of its calls."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self.messages: list[JSON] = []
        self._quirks = quirks
        self._losses = losses
        self._results = pair_results(request.messages, losses)
        self._thoughts = Thoughts(request, quirks, losses)
        self._ids = CallIds(short=True) if quirks.short_call_ids else None
        self._count = 0  # of calls met so far
        self._texts: list[JSON] = []
        self._sources = 0  # messages that gave texts
        self._refusal: str | None = None
        self._calls: list[tuple[int, ToolCallPart]] = []
        self._extras: JSON = {}
        self._name: str | None = None
        self._answered = False  # a result has been seen since the calls

    def add(self, message: Message) -> None:
        """The next message of the conversation."""
        for protocol, fields in message.extras.items():
            for field in fields:
                if protocol != NAME:
                    self._losses.add(f"messages.{field}")
                elif "." in field:
                    self._losses.add(f"messages.{field}", "this upstream is sent plain parts")
        match message.role:
            case Role.ASSISTANT:
                self._assistant(message)
            case Role.TOOL:
                self._answered = self._answered or bool(self._calls)
                for part in message.parts:
                    if isinstance(part, OpaquePart):  # what answers nothing that we know
                        self._losses.add(f"messages.{part.kind}")
            case Role.SYSTEM | Role.DEVELOPER | Role.USER:
                if message.parts and _DECLARATIONS.issuperset(map(type, message.parts)):
                    return
                self.close()
                self._other(message)

    def finish(self) -> None:
        """The conversation is over."""
        self.close()
        self._thoughts.forget()

    def close(self) -> None:
        """The assistant's turn is over."""
        texts, calls = self._texts, self._calls
        if texts or calls or self._refusal is not None or self._extras:
            message: JSON = {"role": "assistant", "content": self._content()}
            if self._refusal is not None:
                message["refusal"] = self._refusal
            if self._name is not None:
                message["name"] = self._name
            if calls:
                message["tool_calls"] = [self._call(part) for _, part in calls]
            message.update(self._extras)
            self._thoughts.attach(message)
            self.messages.append(message)
            self._write_results()
        self._texts, self._calls, self._extras = [], [], {}
        self._sources, self._refusal, self._name, self._answered = 0, None, None, False

    def _assistant(self, message: Message) -> None:
        if self._answered:
            self.close()
        before = len(self._texts)
        for part in message.parts:
            match part:
                case ReasoningPart():
                    self._thoughts.add(part)
                case ToolCallPart():
                    self._calls.append((self._count, self._identified(part)))
                    self._count += 1
                case RefusalPart() if not self._quirks.fields:  # OpenAI alone has the field
                    self._refusal = (self._refusal or "") + part.text
                case _:
                    if (encoded := content_part(part, self._quirks, self._losses)) is not None:
                        self._texts.append(encoded)
        self._sources += len(self._texts) > before
        self._name = self._name or message.name
        if message.extras:
            self._extras.update(_native(message))

    def _identified(self, part: ToolCallPart) -> ToolCallPart:
        return replace(part, call_id=self._ids.allocate(part.call_id)) if self._ids else part

    def _other(self, message: Message) -> None:
        if message.role is Role.USER:
            self._thoughts.forget()
        found = [self._shown(part, message.role) for part in message.parts]
        parts = [part for part in found if part is not None]
        if found and not parts:
            return
        role = self._quirks.system_role if message.role is Role.DEVELOPER else message.role.value
        written: JSON = {"role": role, "content": content(parts, self._quirks) if parts else ""}
        if message.name is not None:
            written["name"] = message.name
        if message.extras:
            written |= _native(message)
        self.messages.append(written)

    def _shown(self, part: Part, role: Role) -> JSON | None:
        found = content_part(part, self._quirks, self._losses)
        if found is None and role is Role.USER and isinstance(part, OpaquePart):
            return text_part(left_out(part).text)
        return found

    def _content(self) -> str | list[JSON] | None:
        """A string; the list only where one message had several parts, which only OpenAI's own clients send."""
        if not self._texts:
            return None
        if all(part.get("type") == "text" for part in self._texts):
            if len(self._texts) == 1 or self._sources > 1 or not self._quirks.vision:
                return "\n\n".join(part["text"] for part in self._texts)
        elif self._quirks.fields:
            self._losses.add("messages.content", "an assistant's message is text here")
            return "\n\n".join(part["text"] for part in self._texts if part.get("type") == "text")
        return self._texts

    def _call(self, part: ToolCallPart) -> JSON:
        self._losses.state(part.opaque, "tool_call")
        name, is_custom = call_name(part), part.kind is ToolKind.CUSTOM
        if is_custom and self._quirks.custom_tools:
            return {"id": part.call_id, "type": "custom", "custom": {"name": name, "input": part.input}}
        arguments = wrap_input(part.input) if is_custom else self._arguments(part.input)
        call: JSON = {"id": part.call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
        state = part.opaque.get(NAME)
        return {**call, **state} if isinstance(state, Mapping) else call

    def _arguments(self, text: str) -> str:
        """JSON, whatever the model once wrote: one broken call must not break every later turn (pitfalls 6, 46)."""
        if not text or text.isspace():
            return "{}"
        try:
            _RAW.decode(text)
        except (msgspec.DecodeError, UnicodeEncodeError):
            self._losses.add("messages.tool_call.input", "broken JSON was wrapped")
            return msgspec.json.encode({"broken_json": text.encode("utf-8", "replace").decode()}).decode()
        return text

    def _write_results(self) -> None:
        """One result for each call, in the order of the calls; what only a user may show follows (pitfall 10)."""
        shown: list[JSON] = []
        for ordinal, call in self._calls:
            result = self._results.get(ordinal)
            written: JSON = {"role": "tool", "tool_call_id": call.call_id}
            if result is None:
                self._losses.add("messages.tool_call", f"no result for {call.call_id!r}; a note stands in for it")
                written["content"] = NO_RESULT
            else:
                text, media = result_content(result.part, self._quirks, self._losses)
                if result.part.failed:
                    self._losses.add("messages.tool_result.failed", "Chat Completions has no mark for a failed call")
                if media and self._quirks.tool_images:
                    written["content"] = [*([text_part(text)] if text else []), *media]
                else:
                    written["content"] = text
                    if media:
                        shown += [text_part(f"From the tool call {call.call_id}:"), *media]
            self.messages.append(written)
        if shown:
            self.messages.append({"role": "user", "content": shown})


def _native(message: Message) -> dict[str, Any]:
    """The message's own Chat fields; parts of content fields are kept only as a note of their loss."""
    fields = message.extras.get(NAME)
    return {name: value for name, value in fields.items() if "." not in name} if fields else {}


def _merge_system(messages: list[JSON]) -> list[JSON]:
    """All system text in one leading message, order kept (pitfall 2)."""
    texts: list[str] = []
    rest: list[JSON] = []
    for message in messages:
        if message["role"] in {"system", "developer"}:
            texts.append(plain(message["content"]))
        else:
            rest.append(message)
    return [{"role": "system", "content": "\n\n".join(texts)}, *rest] if texts else rest


def plain(content: str | list[JSON]) -> str:
    """The text of a content."""
    if isinstance(content, str):
        return content
    texts = (part.get("text") for part in content)
    return "\n\n".join(text for text in texts if isinstance(text, str))
