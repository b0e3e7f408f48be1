"""What the law tests share: fixtures of every registered protocol, and what counts as equal.

A protocol joins by files under `tests/fixtures/<name>/`: streams (`*.stream.sse`, `streams/*.sse`), whole answers
paired with them (`*.response.json`, `responses/*.json`) and requests (`*.request.json`, `requests/*.json`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from axonhub_cli.llm.content import CustomTool, FunctionTool, Part, ReasoningPart, ToolCallPart, ToolKind
from axonhub_cli.llm.events import PartDelta, ResponseEnd, StreamError, StreamEvent
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Request
from axonhub_cli.llm.response import Response, Usage
from axonhub_cli.protocols.base import Codec, UpstreamCodec
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS
from axonhub_cli.protocols.translator import Translation
from axonhub_cli.vendors import Quirks

ROOT = Path(__file__).parent.parent / "fixtures"
NATIVE = Quirks(
    custom_tools=True,
    audio=True,
    tool_images=True,
    reasoning_echo="always",
    hosted_tools=("*", "web_search", "image_generation", "file_search"),
    efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra"),
)
# How a client of each protocol counts the ends of a stream.
TERMINALS = {
    "openai_responses": re.compile(rb'"type":\s*"response\.(completed|failed|incomplete)"'),
    "openai_chat": re.compile(rb'"finish_reason":\s*"|^data: \{"error":', re.MULTILINE),
    "gemini": re.compile(rb'"finishReason":|^data: \{"error":', re.MULTILINE),
    "anthropic_messages": re.compile(rb"^event: (message_stop|error)$", re.MULTILINE),
}


# What makes a client of a protocol be told the usage, where it must ask.
TELL_USAGE = {"openai_chat": {"stream_options": {"include_usage": True}}}

_SUFFIX = re.compile(r"(\.(request|response|stream))?\.(json|sse)$")
COUNTED = ("input", "cached", "output", "reasoning")


class Fixture(msgspec.Struct, frozen=True):
    """One file of a protocol."""

    codec: Any  # a Codec, of streams and whole answers also an UpstreamCodec
    path: Path

    def __str__(self) -> str:
        return f"{self.codec.name}/{self.name}"

    @property
    def name(self) -> str:
        return _SUFFIX.sub("", self.path.name)

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()

    @property
    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = msgspec.json.decode(self.data)
        return payload

    def response(self) -> Path:
        """The whole answer paired with a stream."""
        beside = self.path.with_name(self.path.name.replace(".stream.sse", ".response.json"))
        return beside if beside != self.path else self.path.parent.parent / "responses" / f"{self.path.stem}.json"

    def request(self) -> Request:
        """What was asked, where a request is paired with a stream; else one that declares the tools called."""
        path = self.path.with_name(f"{self.name}.request.json")
        if path.exists():
            request = self.codec.decode_request(msgspec.json.decode(path.read_bytes()))
        else:
            request = declaring(fold(decode(self)))
        return replace(request, extras={**request.extras, **TELL_USAGE})


def named(value: Any) -> str:
    """How a test calls a codec or a fixture."""
    return value.name if hasattr(value, "encode_request") else str(value)


def fixtures(*patterns: str) -> list[Fixture]:
    return [
        Fixture(codec, path)
        for name, codec in UPSTREAMS.items()
        for path in sorted({path for pattern in patterns for path in (ROOT / name).glob(pattern)})
    ]


STREAMS = fixtures("*.stream.sse", "streams/*.sse")
PAIRS = [fixture for fixture in STREAMS if fixture.response().exists()]
REQUESTS = fixtures("*.request.json", "native/*.request.json", "requests/*.json")
DIALECTS = fixtures("requests/*.json")  # old and odd forms: understood, but not written
RESPONSES = fixtures("*.response.json", "responses/*.json")


def spoken(found: list[Fixture]) -> list[Fixture]:
    """Those of protocols that clients speak too."""
    return [fixture for fixture in found if fixture.codec.name in PROTOCOLS]


def decode(fixture: Fixture, step: int | None = None, data: bytes | None = None) -> list[StreamEvent]:
    data = fixture.data if data is None else data
    return decode_bytes(fixture.codec, data, step)


def decode_bytes(
    codec: UpstreamCodec, data: bytes, step: int | None = None, quirks: Quirks = NATIVE
) -> list[StreamEvent]:
    decoder = codec.stream_decoder(quirks)
    step = step or max(1, len(data))
    events = [event for at in range(0, len(data), step) for event in decoder.feed(data[at : at + step])]
    return events + decoder.close()


def declaring(response: Response) -> Request:
    """A request that this answer may be given to (pitfall 48)."""
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    tools = {
        (call.namespace, call.name): CustomTool(call.name, namespace=call.namespace)
        if call.kind is ToolKind.CUSTOM
        else FunctionTool(call.name, namespace=call.namespace)
        for call in calls
    }
    return Request(response.model, tools=tuple(tools.values()), stream=True, extras=TELL_USAGE)


def joined(events: Iterable[StreamEvent]) -> list[StreamEvent]:
    """Neighbouring deltas of one channel as one: how they were cut says nothing."""
    result: list[StreamEvent] = []
    for event in events:
        last = result[-1] if result else None
        if isinstance(event, PartDelta) and isinstance(last, PartDelta) and last.summary_index == event.summary_index:
            result[-1] = replace(last, text=last.text + event.text)
        elif not isinstance(event, PartDelta) or event.text:
            result.append(event)
    return result


def translation(client: Codec, upstream: UpstreamCodec, request: Request, quirks: Quirks = NATIVE) -> Translation:
    return Translation(
        client, upstream, request, quirks=quirks, response_id="resp1", now=1782000000, seal_part=lambda part: part
    )


def counts(usage: Usage | None) -> tuple[int, ...]:
    """What must survive every translation; a protocol that wants numbers is given 0 for unknown (pitfall 34)."""
    usage = usage or Usage()
    return tuple(getattr(usage, name) or 0 for name in COUNTED)


def plain(response: Response) -> Response:
    """Without what belongs to one wire or to one copy: ids, raw words, whether a count is 0 or unknown (pitfall 34)."""
    usage = response.usage and Usage(**dict(zip(COUNTED, counts(response.usage), strict=True)))
    finish = replace(response.finish_reason, raw=None)
    return replace(response, id="", parts=tuple(map(plain_part, response.parts)), usage=usage, finish_reason=finish)


def plain_part(part: Part) -> Part:
    if isinstance(part, ToolCallPart):
        return replace(part, id=None, opaque={})  # native state of calls has no place in an answer's wire form
    return replace(part, id=None) if isinstance(part, ReasoningPart) else part


def plain_request(request: Request) -> Request:
    """Without the flag that every request to an upstream is given (pitfall 12)."""
    extras = {
        name: {key: value for key, value in fields.items() if key != "stream_options"}
        for name, fields in request.extras.items()
    }
    return replace(request, extras={name: fields for name, fields in extras.items() if fields})


def ending(events: list[StreamEvent]) -> ResponseEnd | StreamError:
    end = events[-1]
    assert isinstance(end, (ResponseEnd, StreamError))
    return end


def cuts(data: bytes) -> list[int]:
    """Every byte of a small stream; of a large one as many as tell the same."""
    step = max(1, len(data) // 400)
    return sorted({*range(0, len(data), step), *range(max(0, len(data) - 40), len(data))})
