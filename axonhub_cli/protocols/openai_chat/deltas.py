"""Takes deltas, or whole messages, apart into pieces for the part writer (pitfalls 39-43, 57, 58)."""

from __future__ import annotations

import msgspec

from axonhub_cli.llm.content import ImagePart, ToolKind
from axonhub_cli.protocols.openai_chat.details import DetailReader
from axonhub_cli.protocols.openai_chat.fields import NAME
from axonhub_cli.protocols.openai_chat.think import ThinkSplitter
from axonhub_cli.protocols.openai_chat.wire import WireCall, WireDelta, WireFunction
from axonhub_cli.protocols.parts import PartWriter


class DeltaReader:
    """One answer's deltas. `plain` is whether text needs no second look before it is written."""

    def __init__(self, writer: PartWriter, think_tags: bool) -> None:
        self._writer = writer
        self._think = ThinkSplitter() if think_tags else None
        self._details = DetailReader()
        self._mirrored = False  # reasoning comes in a field of its own: the blocks beside it only repeat it

    @property
    def plain(self) -> bool:
        """Whether text may go to the writer as it is."""
        return self._think is None and not self._details.pending

    def finish(self) -> None:
        """The answer is complete: what was held goes to the writer."""
        if self._think is not None:
            self._split(self._think.close())
        self._details.release(self._writer)

    def read(self, delta: WireDelta) -> None:
        """All that one chunk adds to the answer."""
        if delta.reasoning_content or delta.reasoning or delta.reasoning_details:
            self._reason(delta)
        content = delta.content
        if content:
            if type(content) is not str:
                if thought := _thought(content):
                    self._writer.reasoning(thought)
                content = _joined(content)
            if self._details.pending:
                self._details.release(self._writer)
            if self._think is None:
                self._writer.text(content)
            else:
                self._split(self._think.feed(content))
        if delta.tool_calls:
            self._details.release(self._writer)
            for call in delta.tool_calls:
                self._call(call)
        if delta.function_call is not None:
            self._writer.call("function_call", None, delta.function_call.name, _input(delta.function_call))
        if delta.refusal:
            self._writer.refusal(delta.refusal)
        if isinstance(delta.annotations, list):
            self._writer.annotate(note for note in delta.annotations if isinstance(note, dict))
        if isinstance(delta.images, list):
            self._images(delta.images)

    def _reason(self, delta: WireDelta) -> None:
        """Vendors mirror one text in several fields: the first of them counts (pitfall 58)."""
        text = delta.reasoning_content or delta.reasoning
        told = self._details.read(delta.reasoning_details) if isinstance(delta.reasoning_details, list) else ""
        if not isinstance(text, str):
            text = _joined(text)
        self._mirrored = self._mirrored or bool(text)
        if text or (told and not self._mirrored):
            self._writer.reasoning(text or told)

    def _split(self, pieces: list[tuple[bool, str]]) -> None:
        for thought, text in pieces:
            if thought:
                self._writer.reasoning(text)
            else:
                self._writer.text(text)

    def _call(self, call: WireCall) -> None:
        function = call.function or call.custom
        kind = ToolKind.CUSTOM if call.custom is not None else ToolKind.FUNCTION
        name = function.name if function else None
        opaque = {NAME: {"extra_content": call.extra_content}} if isinstance(call.extra_content, dict) else None
        self._writer.call(call.index, call.id, name, _input(function), kind=kind, opaque=opaque)

    def _images(self, images: list[object]) -> None:
        for image in images:
            url = image.get("image_url") if isinstance(image, dict) else None
            url = url.get("url") if isinstance(url, dict) else url
            if isinstance(url, str) and url:
                self._writer.whole(ImagePart(url))


def _input(function: WireFunction | None) -> str:
    if function is None:
        return ""
    value = function.arguments if function.arguments is not None else function.input
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()


def _thought(content: object) -> str:
    """What a list of parts holds of reasoning: https://docs.mistral.ai/capabilities/reasoning."""
    parts = content if isinstance(content, list) else []
    return "".join(_joined(part.get("thinking")) for part in parts if isinstance(part, dict))


def _joined(content: object) -> str:
    """The text of a part (Envoy's reasoning), or of a list of parts (Mistral's thinking models, some whole answers)."""
    if not isinstance(content, list):
        content = [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in content)
    return "".join(text for text in texts if isinstance(text, str))
