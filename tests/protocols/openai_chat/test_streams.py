"""Laws over every recorded-like stream: the same answer however it is cut, one end, the client's own types."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from axonhub_cli.llm.content import ToolCallPart, ToolKind
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, StreamError, check
from axonhub_cli.llm.fold import fold, unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.openai_chat import CODEC
from tests.protocols.openai_chat.support import STREAMS, decode, plain, quirks_of

streams = pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
ASKED = Request("asked-for", extras={"openai_chat": {"stream_options": {"include_usage": True}}})


@streams
@pytest.mark.parametrize("step", [1, 2, 7, 64])
def test_split_anywhere(path: Path, step: int) -> None:  # pitfall 49: emoji and all
    data, quirks = path.read_bytes(), quirks_of(path)
    assert fold(decode(data, step, quirks)) == fold(decode(data, quirks=quirks))


@streams
def test_line_ends(path: Path) -> None:
    data, quirks = path.read_bytes().replace(b"\r\n", b"\n"), quirks_of(path)
    for end in (b"\r\n", b"\r"):
        assert fold(decode(data.replace(b"\n", end), 3, quirks)) == fold(decode(data, quirks=quirks))


@streams
def test_cut_anywhere(path: Path) -> None:  # pitfalls 29, 37, 38: exactly one terminal, and no half answer called whole
    data, quirks = path.read_bytes(), quirks_of(path)
    whole = fold(decode(data, quirks=quirks))
    for size in range(len(data)):
        last = decode(data[:size], quirks=quirks)[-1]
        if isinstance(last, ResponseEnd):
            cut = fold(decode(data[:size], quirks=quirks))
            assert cut.parts == whole.parts
            assert cut.finish_reason == whole.finish_reason
        else:
            assert isinstance(last, StreamError)


@streams
def test_deltas_add_up(path: Path) -> None:
    text: dict[int, str] = {}
    for event in decode(path.read_bytes(), 11, quirks_of(path)):
        match event:
            case PartStart(index=index):
                text[index] = ""
            case PartDelta(index=index, text=more):
                text[index] += more
            case PartEnd(index=index, part=part):
                assert text[index] == (part.input if isinstance(part, ToolCallPart) else part.text)
            case _:
                pass


@streams
def test_clients_chunks(path: Path) -> None:
    events = decode(path.read_bytes(), quirks=quirks_of(path))
    written = CODEC.stream_encoder(ASKED, "resp_1", 9).encode(events)
    frames = written.decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    custom = any(
        isinstance(e, PartStart) and isinstance(e.part, ToolCallPart) and e.part.kind is ToolKind.CUSTOM for e in events
    )
    finishes = 0
    for at, frame in enumerate(frames[:-2]):
        payload = msgspec.json.decode(frame.removeprefix("data: "))
        if not custom:  # the SDK types only function calls there, OpenAI sends both
            ChatCompletionChunk.model_validate(payload, strict=True)
        assert payload["model"] == "asked-for"
        choices = payload["choices"]
        assert ("role" in choices[0]["delta"] if choices else False) == (at == 0)
        finishes += sum(choice["finish_reason"] is not None for choice in choices)
    assert finishes == 1
    assert "usage" in payload  # the last chunk that is one


@streams
def test_there_and_back(path: Path) -> None:
    """What we write for a client is read again as the same answer, but for what is renamed."""
    first = fold(decode(path.read_bytes(), quirks=quirks_of(path)))
    again = fold(decode(CODEC.stream_encoder(ASKED, "resp_1", 9).encode(unfold(first))))
    assert again.parts == first.parts or _without_state(again.parts) == _without_state(first.parts)
    assert again.finish_reason.kind == first.finish_reason.kind
    if first.usage:
        assert again.usage is not None
        assert (again.usage.input, again.usage.output) == (first.usage.input, first.usage.output)


def _without_state(parts: tuple[object, ...]) -> list[object]:
    return [{**plain(part), "opaque": None, "logprobs": None} for part in parts]


@streams
def test_whole_answer(path: Path) -> None:
    """fold(stream) equals decode_response of the same answer written whole."""
    first = fold(decode(path.read_bytes(), quirks=quirks_of(path)))
    written = CODEC.encode_response(first, Request("asked-for"))
    ChatCompletion.model_validate(written, strict=True)
    again = CODEC.decode_response(msgspec.json.decode(msgspec.json.encode(written)), quirks_of(path))
    assert sorted(map(str, _without_state(again.parts))) == sorted(map(str, _without_state(first.parts)))
    assert again.finish_reason.kind == first.finish_reason.kind


@streams
def test_watcher_hears_what_the_decoder_knows(path: Path) -> None:
    data = path.read_bytes()
    known = fold(decode(data, quirks=quirks_of(path)))
    for step in (1, 13, len(data)):
        watcher = CODEC.stream_watcher()
        for at in range(0, len(data), step):
            watcher.feed(data[at : at + step])
        watch = watcher.watch
        assert (watch.output, watch.error, watch.usage) == (True, None, known.usage)
        assert watch.ended == (b"[DONE]" in data)
        assert watch.model == known.model
        assert watch.finish == known.finish_reason.raw


def test_unfolded_answers_are_grammatical() -> None:
    for path in STREAMS:
        list(check(unfold(fold(decode(path.read_bytes(), quirks=quirks_of(path))))))
