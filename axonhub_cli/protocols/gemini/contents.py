"""The conversation as Gemini's contents: user and model in turns, each call followed by its response.

https://ai.google.dev/api/caching#Content; pitfalls 2, 7-11, 75, 88-95, 126.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from axonhub_cli.llm.content import OpaquePart, ReasoningPart, ToolCallPart, ToolResultPart, ToolsPart
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.gemini.models import takes_sentinel
from axonhub_cli.protocols.gemini.parts import call_arguments, encode_part
from axonhub_cli.protocols.gemini.results import encode_result
from axonhub_cli.protocols.gemini.signatures import FIELD, NAME, SENTINEL, TEXT, THOUGHT, signature_of
from axonhub_cli.protocols.losses import Losses
from axonhub_cli.protocols.media import left_out
from axonhub_cli.protocols.results import pair_results
from axonhub_cli.protocols.tools import call_name
from axonhub_cli.vendors import Quirks

OPENING = "[Earlier messages are left out.]"
NUDGE = "Continue."


def encode_contents(request: Request, quirks: Quirks, losses: Losses) -> tuple[list[JSON], list[JSON]]:
    """The parts of the system instruction, and the contents."""
    writer = _Writer(request, quirks, losses)
    for message in request.messages:
        writer.add(message)
    writer.finish()
    contents = writer.contents
    if not contents or contents[0]["role"] == "model":  # pitfall 94
        contents.insert(0, {"role": "user", "parts": [{"text": OPENING}]})
    if quirks.user_last and contents[-1]["role"] == "model":
        contents.append({"role": "user", "parts": [{"text": NUDGE}]})
    if takes_sentinel(request.model, quirks):
        _mark_unsigned(contents)
    return writer.system, contents


class _Writer:
    """Gathers a model's turn until somebody else speaks, then writes it with the responses to its calls."""

    def __init__(self, request: Request, quirks: Quirks, losses: Losses) -> None:
        self.system: list[JSON] = []
        self.contents: list[JSON] = []
        self._asked = request.model
        self._quirks = quirks
        self._losses = losses
        self._results = pair_results(request.messages, losses)
        self._count = 0  # of calls met so far
        self._model: list[JSON] = []
        self._calls: list[tuple[int, ToolCallPart]] = []
        self._answered = False  # a result has been seen since the calls
        self._thoughts = self._foreign = 0  # how much of the reasoning stays behind

    def add(self, message: Message) -> None:
        """The next message of the conversation."""
        for protocol, fields in message.extras.items():
            if protocol != NAME:
                for field in fields:
                    self._losses.add(f"messages.{field}")
        if message.name is not None:
            self._losses.add("messages.name", "Gemini has no names of speakers")
        match message.role:
            case Role.ASSISTANT:
                self._assistant(message)
            case Role.TOOL:
                self._answered = self._answered or bool(self._calls)
                for part in message.parts:
                    if isinstance(part, OpaquePart):  # what answers nothing that we know
                        encode_part(part, self._quirks, self._losses)
                if own := message.extras.get(NAME):
                    self._losses.add(f"messages.{next(iter(own))}", "not sent again with a function's response")
            case Role.SYSTEM | Role.DEVELOPER:
                self.system += self._encoded(message)
            case Role.USER:
                parts = self._encoded(message)
                if parts or not message.parts:
                    self.close_model()
                    self._say("user", parts)

    def finish(self) -> None:
        """The conversation is over."""
        self.close_model()
        if self._thoughts:
            words = f"Gemini takes no thoughts back, only their signatures ({self._thoughts} characters)"
            self._losses.add("messages.reasoning", words)
        if self._foreign:
            words = f"it is another upstream's ({self._foreign} bytes)"
            self._losses.add("messages.reasoning.encrypted_content", words)

    def close_model(self) -> None:
        """The model's turn is over."""
        if self._model:
            self._say("model", self._model)
            shown: list[JSON] = []
            for ordinal, call in self._calls:
                result = self._results.get(ordinal)
                part, media = encode_result(
                    call, result.part if result else None, self._asked, self._quirks, self._losses
                )
                self._say("user", [part])
                shown += media
            self._say("user", shown)
        self._model, self._calls, self._answered = [], [], False

    def _say(self, role: str, parts: list[JSON]) -> None:
        """Neighbours of one role are one content."""
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": list(parts)})

    def _encoded(self, message: Message) -> list[JSON]:
        written: list[JSON] = []
        own = message.extras.get(NAME, {})
        for at, part in enumerate(message.parts):
            if isinstance(part, (ToolsPart, ToolResultPart, ToolCallPart)):
                continue
            if isinstance(part, ReasoningPart):
                self._losses.add("messages.reasoning", "nobody but the model thinks here")
                continue
            encoded = encode_part(part, self._quirks, self._losses)
            if encoded is None and message.role is Role.USER and isinstance(part, OpaquePart):
                encoded = {"text": left_out(part).text}
            if encoded is not None and encoded.get("text") != "":  # an empty text is refused
                written.append(encoded | _fields(own, at))
        return written

    def _assistant(self, message: Message) -> None:
        if self._answered:
            self.close_model()
        own = message.extras.get(NAME, {})
        for at, part in enumerate(message.parts):
            match part:
                case ReasoningPart():
                    self._thought(part)
                case ToolCallPart():
                    self._call(part, _fields(own, at))
                case _:
                    encoded = encode_part(part, self._quirks, self._losses)
                    if encoded is not None and encoded.get("text") != "":
                        self._model.append(encoded | _fields(own, at))

    def _thought(self, part: ReasoningPart) -> None:
        """Only Google's own signatures go back, never the words (pitfalls 64, 95)."""
        self._thoughts += len(part.text) + sum(map(len, part.summary))
        self._foreign += len(part.sealed or "")
        self._foreign += sum(len(msgspec.json.encode(value)) for name, value in part.opaque.items() if name != NAME)
        found = signature_of(part.opaque)
        if found is None:
            return
        signature, place = found
        last = self._model[-1] if self._model else {}
        if place == TEXT and "text" in last and FIELD not in last:
            last[FIELD] = signature
        else:
            thought = {"thought": True} if place == THOUGHT else {}
            self._model.append({"text": "", **thought, FIELD: signature})

    def _call(self, part: ToolCallPart, fields: JSON) -> None:
        arguments, clean = call_arguments(part)
        if not clean:
            self._losses.add("messages.tool_call.input", "arguments that are no object were wrapped")
        call: JSON = {"name": call_name(part), "args": arguments}
        if self._quirks.call_ids:
            call = {"id": part.call_id, **call}
        written: JSON = {"functionCall": call}
        if found := signature_of(part.opaque):
            written[FIELD] = found[0]
        self._losses.state(part.opaque, "tool_call")
        self._model.append(written | fields)
        self._calls.append((self._count, part))
        self._count += 1


def _fields(own: Mapping[str, Any], at: int) -> JSON:
    """The fields of a part that only Gemini knows."""
    start = f"parts[{at}]."
    return {name.removeprefix(start): value for name, value in own.items() if name.startswith(start)}


def _mark_unsigned(contents: list[JSON]) -> None:
    """The stand-in on the first call of each model turn since the user last spoke; not beside results, of which Google
    does not say whether it ends the loop (pitfall 89)."""
    start = 0
    for at, content in enumerate(contents):
        if content["role"] == "user" and not any("functionResponse" in part for part in content["parts"]):
            start = at
    for content in contents[start:]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        if content["role"] == "model" and calls and FIELD not in calls[0]:
            calls[0][FIELD] = SENTINEL
