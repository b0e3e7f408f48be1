"""Reads the conversation of a Gemini client.

https://ai.google.dev/api/caching#Content; pitfalls 64, 88-91, 95, 102.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from axonhub_cli.llm.content import OpaquePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from axonhub_cli.llm.errors import invalid
from axonhub_cli.llm.request import Message, Role
from axonhub_cli.protocols.gemini import fields as read
from axonhub_cli.protocols.gemini.media import decode_blob, decode_file
from axonhub_cli.protocols.gemini.signatures import EMPTY, FIELD, NAME, SENTINEL, TEXT, THOUGHT, state, tokens_in

_ROLES = {"user": Role.USER, "function": Role.USER, "model": Role.ASSISTANT, "assistant": Role.ASSISTANT}
_PLACES = {"system": Role.SYSTEM, "developer": Role.DEVELOPER}
_KNOWN = frozenset({"text", "thought", FIELD, "inlineData", "fileData", "functionCall", "functionResponse"})


def decode_contents(value: Any) -> tuple[Message, ...]:
    """Every message: one for each content, and one for each function's response. A string is one user's text."""
    if isinstance(value, str):
        value = [{"parts": [{"text": value}]}]
    elif isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        raise read.wrong("contents", "a list")
    return tuple(_Reader(value).messages())


def decode_system(value: Any) -> tuple[Message, ...]:
    """`systemInstruction`: a content, or what clients write for one."""
    if isinstance(value, str):
        value = {"parts": [{"text": value}]}
    elif isinstance(value, list):
        value = {"parts": value}
    content = read.spelled(value, "systemInstruction")
    if "text" in content:
        content = {"parts": [content]}
    texts = [
        TextPart(read.text(read.spelled(part, "systemInstruction.parts"), "text", "systemInstruction.parts.") or "")
        for part in read.items(content, "parts", "systemInstruction.")
    ]
    return (Message(Role.SYSTEM, tuple(texts)),) if texts else ()


class _Reader:
    """Gives ids to calls that came without, and pairs results with calls: by id, else first call of the name first."""

    def __init__(self, contents: list[Any]) -> None:
        self._contents = [read.spelled(content, f"contents[{at}]") for at, content in enumerate(contents)]
        self._taken = set(self._ids())
        self._count = 0
        self._open: defaultdict[str, deque[str]] = defaultdict(deque)  # unanswered calls by name

    def messages(self) -> Iterable[Message]:
        """The conversation."""
        for at, content in enumerate(self._contents):
            yield from self._message(content, f"contents[{at}].")

    def _ids(self) -> Iterable[str]:
        for content in self._contents:
            parts = content.get("parts")
            for part in parts if isinstance(parts, list) else ():
                call = part.get("functionCall", part.get("function_call")) if isinstance(part, Mapping) else None
                if isinstance(call, Mapping) and isinstance(call.get("id"), str):
                    yield call["id"]

    def _message(self, content: Mapping[str, Any], path: str) -> Iterable[Message]:
        word = read.text(content, "role", path) or "user"
        role = _ROLES.get(word) or _PLACES.get(word)
        if role is None:
            raise invalid(f"Invalid value at '{path}role': '{word}'. Valid roles are: user, model.", path + "role")
        parts: list[Part] = []
        extras: dict[str, Any] = {}
        for at, raw in enumerate(read.items(content, "parts", path)):
            where = f"{path}parts[{at}]"
            fields = read.spelled(raw, where)
            if fields.get("functionResponse") is not None:
                if parts:
                    yield _written(role, parts, extras)
                    parts, extras = [], {}
                result, other = self._result(read.spelled(fields["functionResponse"], where), f"{where}.")
                yield Message(Role.TOOL, (result,), extras={NAME: other} if other else {})
                continue
            found = list(self._part(fields, where + "."))
            known = not (len(found) == 1 and isinstance(found[0], OpaquePart))
            if known and (other := read.rest(fields, _KNOWN)) and found:
                extras |= {f"parts[{len(parts)}].{name}": value for name, value in other.items()}
            _extend(parts, found)
        if parts:
            yield _written(role, parts, extras)

    def _part(self, fields: dict[str, Any], path: str) -> Iterable[Part]:
        signature = read.text(fields, FIELD, path)
        if signature == SENTINEL:  # it says that there is none
            signature = None
        if signature and (tokens := tokens_in(signature)):
            yield from (ReasoningPart(sealed=token) for token in tokens)
            signature = None
        if fields.get("functionCall") is not None:
            yield self._call(read.spelled(fields["functionCall"], path + "functionCall"), path, signature)
        elif (text := read.text(fields, "text", path)) is not None:
            yield from _text(text, bool(fields.get("thought")), signature)
        elif fields.get("inlineData") is not None:
            blob = read.spelled(fields["inlineData"], path + "inlineData")
            where = path + "inlineData."
            data = read.text(blob, "data", where) or ""
            yield decode_blob(read.required(blob, "mimeType", where), data, read.text(blob, "displayName", where))
        elif fields.get("fileData") is not None:
            part = decode_file(read.spelled(fields["fileData"], path + "fileData"))
            yield replace(part, raw={**fields, **part.raw}) if isinstance(part, OpaquePart) else part
        elif signature and not read.rest(fields, _KNOWN):
            yield ReasoningPart(opaque=state(signature, THOUGHT if fields.get("thought") else EMPTY))
        elif kinds := [name for name in fields if name not in _KNOWN]:
            yield OpaquePart(NAME, kinds[0], fields)

    def _call(self, call: dict[str, Any], path: str, signature: str | None) -> ToolCallPart:
        name = read.required(call, "name", path + "functionCall.")
        call_id = read.text(call, "id", path + "functionCall.") or self._made_up()
        self._open[name].append(call_id)
        arguments = call.get("args")
        if isinstance(arguments, str):
            text = arguments  # pitfall 102
        else:
            text = msgspec.json.encode({} if arguments is None else arguments).decode()
        return ToolCallPart(call_id, name, text, opaque=state(signature) if signature else {})

    def _made_up(self) -> str:
        """The same in every turn of a conversation (pitfalls 20, 91)."""
        while (call_id := f"call_{self._count}") in self._taken:
            self._count += 1
        self._taken.add(call_id)
        return call_id

    def _result(self, fields: dict[str, Any], path: str) -> tuple[ToolResultPart, dict[str, Any]]:
        path += "functionResponse."
        name, call_id = read.text(fields, "name", path), read.text(fields, "id", path)
        waiting = self._open[name] if name else deque()
        if call_id:
            if call_id in waiting:
                waiting.remove(call_id)
        else:
            call_id = waiting.popleft() if waiting else f"no_call_{name or 'unnamed'}"
        response = fields.get("response")
        content, failed = _response(response)
        other = read.rest(fields, frozenset({"id", "name", "response", "parts"}))
        for at, raw in enumerate(read.items(fields, "parts", path)):
            where = f"{path}parts[{at}]"
            content += [part for part in self._part(read.spelled(raw, where), where + ".") if part is not None]
        return ToolResultPart(call_id, tuple(content), name=name, failed=failed), other


def _extend(parts: list[Part], found: list[Part]) -> None:
    """Adds parts. The chain that a token of ours holds was shown as the thought before it; text that a token cut in two
    is one text."""
    for part in found:
        last = parts[-1] if parts else None
        if isinstance(part, ReasoningPart) and part.sealed and isinstance(last, ReasoningPart) and not last.sealed:
            parts[-1] = replace(last, sealed=part.sealed)
        elif isinstance(part, TextPart) and isinstance(last, TextPart) and _after_token(parts):
            parts[-1] = TextPart(last.text + part.text)
        else:
            parts.append(part)


def _after_token(parts: list[Part]) -> bool:
    before = parts[-2] if len(parts) > 1 else None
    return isinstance(before, ReasoningPart) and before.sealed is not None


def _text(text: str, thought: bool, signature: str | None) -> Iterable[Part]:
    if thought:
        if text:
            yield ReasoningPart(summary=(text,))
        if signature:
            yield ReasoningPart(opaque=state(signature, THOUGHT))
        return
    if text or not signature:
        yield TextPart(text)
    if signature:
        yield ReasoningPart(opaque=state(signature, TEXT if text else EMPTY))


def _response(response: Any) -> tuple[list[Part], bool | None]:
    """`{"output": text}` and `{"error": text}` are what the documentation asks for; anything else is kept as JSON."""
    if isinstance(response, Mapping) and len(response) == 1:
        for name, failed in (("output", None), ("error", True)):
            if isinstance(response.get(name), str):
                return [TextPart(response[name])], failed
    if response is None or response == {}:
        return [], None
    return [TextPart(msgspec.json.encode(response).decode())], None


def _written(role: Role, parts: list[Part], extras: dict[str, Any]) -> Message:
    return Message(role, tuple(parts), extras={NAME: extras} if extras else {})
