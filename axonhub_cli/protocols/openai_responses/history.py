"""The conversation as input items, for OpenAI itself or for servers that know plain functions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from axonhub_cli.llm.content import (
    AudioPart,
    CompactionPart,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.request import Message, Request, Role
from axonhub_cli.protocols.base import JSON, Loss
from axonhub_cli.protocols.call_ids import CallIds
from axonhub_cli.protocols.media import left_out
from axonhub_cli.protocols.openai_responses.calls import call_item, output_item
from axonhub_cli.protocols.openai_responses.content import HOLDER, encode_part
from axonhub_cli.protocols.openai_responses.fields import NAME
from axonhub_cli.protocols.openai_responses.items import CONTENT, ITEM
from axonhub_cli.protocols.openai_responses.tools import encode_tools
from axonhub_cli.vendors import Quirks

_OMITTED = "[{} omitted: this model cannot take it]"
_PLACEHOLDER = "[no output: the call was interrupted]"
_PREFIXES = {
    "message": "msg_",
    "reasoning": "rs_",
    "function_call": "fc_",
    "custom_tool_call": "ctc_",
    "tool_search_call": "tsc_",
    "local_shell_call": "lsh_",
    "compaction": "cmp_",
}
_CALLS = frozenset({"function_call", "custom_tool_call", "tool_search_call", "local_shell_call"})
_OUTPUTS = frozenset({f"{kind}_output" for kind in _CALLS} | {"tool_search_output"})
_PAIRED = _CALLS | _OUTPUTS


class History:
    """Encodes one request's messages. What cannot be said goes to `losses`."""

    def __init__(self, request: Request, quirks: Quirks, losses: list[Loss]) -> None:
        self._request = request
        self._quirks = quirks
        self._losses = losses
        self._native = quirks.custom_tools
        self._own = NAME in request.extras  # a Responses client asks
        self._custom = {  # ids of calls; Chat's results do not say what kind of call they answer
            part.call_id
            for message in request.messages
            for part in message.parts
            if isinstance(part, ToolCallPart) and part.kind is ToolKind.CUSTOM
        }
        self._items: list[JSON] = []
        self._pictures: list[JSON] = []  # out of tool results, waiting for the end of their batch (pitfall 10)
        self._system: list[str] = []
        self._path = ""

    def encode(self) -> tuple[list[JSON], str]:
        """Input items and instructions: the first system message, or with `merge_system` all of them (pitfall 2)."""
        for index, message in enumerate(self._request.messages):
            self._path = f"messages[{index}]"
            if not self._is_instruction(message, index):
                self._message(message)
        self._flush_pictures()
        return self._paired(), "\n\n".join(self._system)

    def _is_instruction(self, message: Message, index: int) -> bool:
        merged = self._quirks.merge_system and message.role in {Role.SYSTEM, Role.DEVELOPER}
        plain = any(isinstance(part, TextPart) and part.text for part in message.parts)
        plain = plain and all(isinstance(part, TextPart) for part in message.parts)
        first = index == 0 and message.role is Role.SYSTEM and len(message.parts) == 1 and message.id is None
        if not plain or not (merged or (first and not message.extras)):
            return False
        self._system += [part.text for part in message.parts if isinstance(part, TextPart)]
        return True

    def _message(self, message: Message) -> None:
        native = dict(message.extras.get(NAME, {}))
        raw = native.pop(ITEM, None)
        if self._native and isinstance(raw, Mapping):
            self._items.append(dict(raw))
            return
        for protocol, values in message.extras.items():
            if protocol != NAME:
                self._losses += [Loss(f"{self._path}.{field}", f"only {protocol} knows it") for field in values]
        if message.name:
            self._losses.append(Loss(f"{self._path}.name", "Responses names no speakers"))
        if message.role is not Role.TOOL:
            self._flush_pictures()
        contents = _of_parts(native) if native else {}
        before = len(self._items)
        self._parts(message, contents)
        if native and len(self._items) > before:
            self._extend(self._items[-1], native)

    def _extend(self, item: JSON, native: Mapping[str, Any]) -> None:
        if self._native:
            item |= native
        else:
            self._losses += [Loss(f"{self._path}.{field}", "only OpenAI knows it") for field in native]

    def _parts(self, message: Message, contents: Mapping[str, Any]) -> None:
        spoken: list[JSON] = []
        empty = not message.parts
        if not self._native:
            names = [f"content[{index}].{field}" for index, extra in contents.items() for field in extra]
            self._losses += [Loss(f"{self._path}.{name}", "only OpenAI knows it") for name in names]
        for index, part in enumerate(message.parts):
            extra = contents.get(str(index), {})
            item = self._item(part, message)
            if isinstance(part, ToolResultPart) and item and "output" in item and contents and self._native:
                _extend_output(item, contents)
            if item is None:
                content = self._content(part, message.role is Role.ASSISTANT)
                spoken += [content | (extra if self._native else {})] if content else []
            else:
                self._say(spoken, message)
                self._items += [item] if item else []
        self._say(spoken, message, empty)

    def _say(self, spoken: list[JSON], message: Message, empty: bool = False) -> None:
        """The parts collected so far as one message item."""
        if not spoken and not empty:
            return
        role = message.role.value if message.role is not Role.TOOL else "user"
        if message.role is Role.DEVELOPER:
            role = self._quirks.system_role
        item: JSON = {"type": "message", "role": role, "content": list(spoken)}
        self._items.append(self._identified(item, message.id))
        spoken.clear()

    def _item(self, part: Part, message: Message) -> JSON | None:
        """The item of a part that is one by itself; {} for one that is dropped; None for content of a message."""
        match part:
            case ToolCallPart():
                self._foreign_state(part.opaque, "tool_call")
                return self._identified(call_item(part, native=self._native), part.id)
            case ToolResultPart():
                return self._result(part, message.id)
            case ReasoningPart():
                return self._reasoning(part)
            case CompactionPart():
                return self._compaction(part)
            case ToolsPart():
                return self._tools(part, message)
            case OpaquePart(protocol=protocol, kind=kind) if message.role in {Role.ASSISTANT, Role.TOOL}:
                return self._opaque(part) if protocol != NAME or not _is_content(kind) else None
            case _:
                return None

    def _identified(self, item: JSON, id: str | None) -> JSON:
        """With its id, where OpenAI would take it (pitfall 60)."""
        if id is None:
            return item
        if len(id) > 64 or not id.startswith(_PREFIXES.get(item["type"], "")):
            self._losses.append(Loss(f"{self._path}.id", "an id that OpenAI would refuse"))
            return item
        return {"type": item["type"], "id": id, **item}

    def _result(self, part: ToolResultPart, id: str | None) -> JSON:
        quirks = self._quirks
        if part.kind is ToolKind.FUNCTION and part.call_id in self._custom:
            part = replace(part, kind=ToolKind.CUSTOM)
        stays = quirks.vision and (quirks.tool_images or self._native)
        moved = [] if stays else [image for image in part.content if isinstance(image, ImagePart)]
        content = tuple(self._kept(item) for item in part.content if item not in moved)
        if moved:
            note = "[image: see the next user message]" if quirks.vision else _OMITTED.format("image")
            content = (*content, TextPart(note))
            if quirks.vision:
                self._pictures += [item for image in moved if (item := encode_part(image, output=False))]
            self._losses.append(Loss(f"{self._path}.output", "images do not fit into this vendor's tool outputs"))
        if part.failed:
            self._losses.append(Loss(f"{self._path}.failed", "Responses has no mark for a failed call"))
        return self._identified(output_item(part, content, self._request.namespaces, native=self._native), id)

    def _flush_pictures(self) -> None:
        if self._pictures:
            pictures, self._pictures = self._pictures, []
            self._items.append({"type": "message", "role": "user", "content": pictures})

    def _reasoning(self, part: ReasoningPart) -> JSON:
        state = part.opaque.get(NAME)
        content = state.get("encrypted_content") if isinstance(state, Mapping) else None
        if not content and self._quirks.reasoning_echo == "never":
            self._losses.append(Loss(f"{self._path}.reasoning", "without its encrypted state it is not taken back"))
            return {}
        self._foreign_state(part.opaque, "reasoning")
        item: JSON = {"type": "reasoning"}
        item["summary"] = [{"type": "summary_text", "text": text} for text in part.summary]
        if part.text:
            item["content"] = [{"type": "reasoning_text", "text": part.text}]
        if content:
            item["encrypted_content"] = content
        if part.sealed is not None:
            self._losses.append(Loss(f"{self._path}.encrypted_content", "sealed for another upstream"))
        return self._identified(item, part.id)

    def _foreign_state(self, opaque: Mapping[str, Any], name: str) -> None:
        for protocol in sorted(opaque.keys() - {NAME}):
            self._losses.append(Loss(f"{self._path}.{name}.state", f"only {protocol} knows it"))

    def _compaction(self, part: CompactionPart) -> JSON:
        state = part.opaque.get(NAME)
        if isinstance(state, Mapping) and (content := state.get("encrypted_content")):
            return self._identified({"type": "compaction", "encrypted_content": content}, part.id)
        if part.summary is None:
            self._losses.append(Loss(f"{self._path}.compaction", "its text is sealed for another upstream"))
            return {}
        text = f"Summary of the conversation until here:\n{part.summary}"
        return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}

    def _tools(self, part: ToolsPart, message: Message) -> JSON:
        if not self._native:
            return {}  # hoisted into the list of tools (pitfall 21)
        item: JSON = {"type": "additional_tools", "role": message.role.value}
        item["tools"] = encode_tools(part.tools, self._request.namespaces)
        return {"type": item.pop("type"), **({"id": message.id} if message.id else {}), **item}

    def _opaque(self, part: OpaquePart) -> JSON:
        if part.protocol == NAME and self._native:
            return dict(part.raw)
        self._losses.append(Loss(f"{self._path}.{part.kind}", f"only {part.protocol} knows it"))
        return {}

    def _content(self, part: Part, output: bool) -> JSON | None:
        kept = self._kept(part)
        if output and isinstance(kept, (ImagePart, AudioPart, FilePart)):
            kept = TextPart(_OMITTED.format(_name(kept)))
            self._losses.append(Loss(f"{self._path}.{_name(part)}", "the model's own media do not go back"))
        item = encode_part(kept, output=output)
        if item is None:
            self._losses.append(Loss(f"{self._path}.{_name(kept)}", "Responses has no word for it"))
            if isinstance(kept, OpaquePart) and not output:
                return encode_part(left_out(kept), output=False)
        return item

    def _kept(self, part: Part) -> Part:
        """The part, or words in its place where the vendor cannot take it (pitfall 11)."""
        quirks = self._quirks
        audio = self._own and (quirks.audio or self._native)  # the SDK's types do not list it; the client must know
        takes = {ImagePart: quirks.vision, AudioPart: audio, FilePart: quirks.files}
        away = isinstance(part, FilePart) and not (part.data or part.url) and part.holder != HOLDER
        if takes.get(type(part), True) and not away:
            return part
        self._losses.append(Loss(f"{self._path}.{_name(part)}", "this vendor does not take it"))
        return TextPart(_OMITTED.format(_name(part)))

    def _paired(self) -> list[JSON]:
        """Each call with one output, each output with its call, under an id that no other call has: what OpenAI insists
        on (pitfalls 8, 9, 70). Vendors that count their calls anew in every answer give many the same id."""
        ids = CallIds()
        latest: dict[str, str] = {}  # by a call's own id, the id of the last such call here
        named: list[JSON] = []
        outputs: dict[str, JSON] = {}
        for item in self._items:
            call_id, kind = item.get("call_id"), item["type"]
            if call_id is None or kind not in _PAIRED:
                named.append(item)
            elif kind in _CALLS:
                latest[call_id] = ids.allocate(call_id)
                named.append({**item, "call_id": latest[call_id]})
            elif (own := latest.get(call_id)) is None:
                self._losses.append(Loss(f"output of {call_id}", "no call asked for it"))
            else:
                if own in outputs:
                    self._losses.append(Loss(f"output of {call_id}", "a second output"))
                else:
                    named.append({"type": kind, "call_id": own})
                outputs[own] = {**item, "call_id": own}  # the last one wins, at the first one's place
        return _answered(named, outputs)


def _answered(items: list[JSON], outputs: Mapping[str, JSON]) -> list[JSON]:
    """The items with their outputs in place, and a stand-in after each run of calls for the outputs that never came."""
    answered: list[JSON] = []
    orphans: list[JSON] = []
    for item in items:
        call_id, kind = item.get("call_id"), item["type"]
        if kind in _OUTPUTS and call_id is not None:
            answered.append(outputs[call_id])
            continue
        if kind not in _CALLS:
            answered += orphans
            orphans = []
        answered.append(item)
        if kind in _CALLS and call_id is not None and call_id not in outputs:
            orphans.append(_no_output(item))
    return [*answered, *orphans]


def _of_parts(native: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Takes out of a message's own fields those of its parts, by position."""
    found: dict[str, dict[str, Any]] = {}
    for name in [name for name in native if name.startswith(CONTENT)]:
        place, _, field = name.removeprefix(CONTENT).partition("].")
        found.setdefault(place, {})[field] = native.pop(name)
    return found


def _extend_output(item: JSON, contents: Mapping[str, Any]) -> None:
    """Puts back what only OpenAI knows of the parts of a tool's output."""
    output = item["output"]
    parts: list[JSON] = [{"type": "input_text", "text": output}] if isinstance(output, str) else output
    item["output"] = [part | contents.get(str(index), {}) for index, part in enumerate(parts)]


def _no_output(call: JSON) -> JSON:
    """An honest stand-in for an output that never came."""
    if call["type"] == "tool_search_call":
        return {"type": "tool_search_output", "call_id": call["call_id"], "execution": "client", "tools": []}
    kind = "custom_tool_call_output" if call["type"] == "custom_tool_call" else "function_call_output"
    return {"type": kind, "call_id": call["call_id"], "output": _PLACEHOLDER}


def _is_content(kind: str) -> bool:
    return kind.startswith(("input_", "output_"))


def _name(part: Part) -> str:
    if isinstance(part, OpaquePart):
        return part.kind
    names: dict[type, str] = {ImagePart: "image", AudioPart: "audio", FilePart: "file", RefusalPart: "refusal"}
    return names.get(type(part), "content")
