from __future__ import annotations

import json
from typing import Any

import pytest

from axonhub_cli.llm.content import TextPart
from axonhub_cli.llm.errors import APIError, ErrorKind
from axonhub_cli.llm.events import StreamError
from axonhub_cli.llm.response import FinishKind
from axonhub_cli.protocols.base import Watch
from axonhub_cli.protocols.openai_responses import CODEC, watcher

from .helpers import answer, request
from .test_encoder import USAGE


def watch(data: bytes, step: int | None = None) -> Watch:
    found = CODEC.stream_watcher()
    step = step or len(data)
    for at in range(0, len(data), step):
        found.feed(data[at : at + step])
    return found.watch


def encoded(events: Any) -> bytes:
    return CODEC.stream_encoder(request(), "req_1", 1).encode(events)


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_whole_stream(step: int, newline: bytes) -> None:
    text = 'says "type":"response.completed" and {"error":{}}'
    data = encoded(answer(TextPart(text), usage=USAGE)).replace(b"\n", newline)
    found = watch(data, step)
    assert (found.output, found.ended, found.error, found.finish, found.model) == (
        True,
        True,
        None,
        "completed",
        "asked-for",
    )
    assert found.usage and (found.usage.input, found.usage.reasoning) == (100, 30)
    assert not watch(data[: data.index(b"response.completed")], step).ended


def test_no_output_yet_136() -> None:
    data = encoded(answer(TextPart("x")))
    found = watch(data[: data.index(b"event: response.output_text.delta")])
    assert not found.output and found.model == "asked-for"


def test_a_failure_first_is_no_output() -> None:
    found = watch(encoded([StreamError(APIError(ErrorKind.OVERLOADED, "busy"))]))
    assert found.ended and not found.output
    assert found.error and found.error.kind is ErrorKind.OVERLOADED
    assert found.finish == "failed"


def test_incomplete_and_errors() -> None:
    assert watch(encoded(answer(TextPart("x"), kind=FinishKind.LENGTH))).finish == "max_output_tokens"
    for event in ({"type": "error", "message": "boom"}, {"error": {"message": "boom"}}):
        found = watch(f"data: {json.dumps(event)}\n\n".encode())
        assert found.error and found.error.message == "boom" and not found.output


def test_big_events_of_no_interest_are_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []
    decode = watcher._decode
    monkeypatch.setattr(watcher, "_decode", lambda data: parsed.append(len(data)) or decode(data))
    watch(encoded(answer(*[TextPart("x" * 1000)] * 20)))
    assert len(parsed) == 2  # created and completed


def test_junk_is_left_alone() -> None:
    assert watch(b'\xff\xfe\ndata: {"type":"response.completed", broken\n\n\n') == Watch()
