"""The laws of the design, over every fixture of every protocol: split, cut, grammar, fold, round trip, passthrough,
loss, conservation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.content import CustomTool
from axonhub_cli.llm.errors import Failure
from axonhub_cli.llm.events import ResponseEnd, StreamError, check
from axonhub_cli.llm.fold import fold, unfold
from axonhub_cli.llm.request import Request
from axonhub_cli.protocols.base import Codec, Loss, UpstreamCodec
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS
from axonhub_cli.protocols.translator import Passthrough, whole
from tests.protocols import laws
from tests.protocols.laws import NATIVE, Fixture, decode, decode_bytes, fixtures, joined

streams = pytest.mark.parametrize("stream", laws.STREAMS, ids=str)
requests = pytest.mark.parametrize("request_", laws.REQUESTS, ids=str)
responses = pytest.mark.parametrize("response", laws.RESPONSES, ids=str)
spoken_streams = pytest.mark.parametrize("stream", laws.spoken(laws.STREAMS), ids=str)
spoken_responses = pytest.mark.parametrize("response", laws.spoken(laws.RESPONSES), ids=str)
clients = pytest.mark.parametrize("client", PROTOCOLS.values(), ids=PROTOCOLS)


def test_every_protocol_has_fixtures() -> None:
    for name in UPSTREAMS:
        for found in (laws.PAIRS, laws.REQUESTS) if name in PROTOCOLS else (laws.PAIRS,):
            assert [fixture for fixture in found if fixture.codec.name == name], name


# 1. Split


@streams
@pytest.mark.parametrize("step", [1, 2, 7, 64])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_split(stream: Fixture, step: int, newline: bytes) -> None:
    data = stream.data.replace(b"\r\n", b"\n").replace(b"\n", newline)
    assert joined(decode(stream, step, data)) == joined(decode(stream))


# 2. Cut


@streams
def test_cut_upstream(stream: Fixture) -> None:  # pitfalls 37, 38
    """No half answer ends as a whole one."""
    data, answer = stream.data, laws.plain(fold(decode(stream)))
    for cut in laws.cuts(data):
        events = list(check(decode_bytes(stream.codec, data[:cut])))
        if isinstance(events[-1], ResponseEnd):
            found = laws.plain(fold(events))
            assert (found.parts, found.finish_reason) == (answer.parts, answer.finish_reason)


@streams
@clients
def test_cut_seen_by_the_client(stream: Fixture, client: Codec) -> None:  # pitfalls 29, 38; reliability F5
    data = stream.data
    for cut in laws.cuts(data):
        relay = laws.translation(client, stream.codec, stream.request())
        said = relay.feed(data[:cut]) + relay.close()
        assert relay.close() == relay.feed(data) == b""
        if client.name in laws.TERMINALS:
            assert len(laws.TERMINALS[client.name].findall(said)) == 1
        end = laws.ending(list(check(decode_bytes(client, said))))
        assert isinstance(end, StreamError) == (relay.watch.error is not None) == (not relay.watch.ended)


# 3. Grammar


@streams
def test_grammar(stream: Fixture) -> None:
    events = list(check(decode(stream)))
    assert isinstance(events[-1], ResponseEnd), "a fixture is a stream that ends well"


@streams
@clients
def test_grammar_of_the_official_types(stream: Fixture, client: Codec) -> None:  # pitfall 61
    from anthropic.types import Message, RawMessageStreamEvent
    from google.genai.types import GenerateContentResponse
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.responses import Response, ResponseStreamEvent
    from pydantic import TypeAdapter

    types: dict[str, tuple[Any, Any]] = {
        "openai_chat": (ChatCompletionChunk, ChatCompletion),
        "openai_responses": (ResponseStreamEvent, Response),
        "anthropic_messages": (RawMessageStreamEvent, Message),
        "gemini": (GenerateContentResponse, GenerateContentResponse),
    }
    event_type, answer_type = map(TypeAdapter, types[client.name])
    if client.name == "openai_chat" and any(isinstance(tool, CustomTool) for tool in stream.request().tools):
        return  # the types know custom calls in whole answers only
    relay = laws.translation(client, stream.codec, stream.request())
    said = relay.feed(stream.data) + relay.close()
    for line in said.split(b"\n"):
        if line.startswith(b"data: {"):
            event_type.validate_json(line[6:], strict=False)
    answer = client.encode_response(fold(decode(stream)), stream.request())
    answer_type.validate_python(answer)


# 4. Fold


@pytest.mark.parametrize("stream", laws.PAIRS, ids=str)
def test_fold(stream: Fixture) -> None:
    answer = stream.codec.decode_response(msgspec.json.decode(stream.response().read_bytes()), NATIVE)
    assert laws.plain(fold(decode(stream))) == laws.plain(answer)
    assert laws.plain(fold(check(list(unfold(answer))))) == laws.plain(answer)


# 5. Round trip


@requests
def test_request_round_trip(request_: Fixture) -> None:
    codec = request_.codec
    request = codec.decode_request(request_.payload)
    again = codec.decode_request(codec.encode_request(request, NATIVE).payload)
    if request_ in laws.DIALECTS:
        request, again = again, codec.decode_request(codec.encode_request(again, NATIVE).payload)
    assert laws.plain_request(again) == laws.plain_request(request)


@spoken_responses
def test_response_round_trip(response: Fixture) -> None:
    codec = response.codec
    answer = codec.decode_response(response.payload, NATIVE)
    again = codec.encode_response(answer, laws.declaring(answer))
    assert laws.plain(codec.decode_response(again, NATIVE)) == laws.plain(answer)


@spoken_streams
def test_stream_round_trip(stream: Fixture) -> None:
    events = decode(stream)
    answer = fold(events)
    encoder = stream.codec.stream_encoder(laws.declaring(answer), "resp1", 1782000000)
    again = fold(decode_bytes(stream.codec, encoder.encode(events)))
    assert laws.plain(again) == laws.plain(answer)


# 6. Passthrough


@spoken_streams
@pytest.mark.parametrize("step", [1, 13, 1 << 20])
def test_passthrough(stream: Fixture, step: int) -> None:
    data = stream.data.replace(b"\r\n", b"\n")
    first = data.index(b"\n\n") + 2
    data = data[:first] + b'event: future.event\ndata: {"type":"future.event","x":[1e3]}\n\n: hi\n\n' + data[first:]
    relay = Passthrough(stream.codec, Request("asked"), quirks=NATIVE, response_id="resp1", now=1)
    said = b"".join(relay.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert said + relay.close() == data
    end = laws.ending(decode(stream))
    assert relay.watch.ended and relay.watch.output and relay.watch.error is None
    assert laws.counts(relay.watch.usage) == laws.counts(end.usage)


@spoken_streams
def test_passthrough_cut(stream: Fixture) -> None:  # reliability F5
    data = stream.data
    for cut in laws.cuts(data):
        relay = Passthrough(stream.codec, Request("asked"), quirks=NATIVE, response_id="resp1", now=1)
        said = relay.feed(data[:cut]) + relay.close()
        assert said.startswith(data[:cut])
        end = laws.ending(decode_bytes(stream.codec, said))
        assert isinstance(end, StreamError) == (not relay.watch.ended)
        assert said.removeprefix(data[:cut]) in (b"", b"\n\n") or not relay.watch.ended


@pytest.mark.parametrize("stream", laws.spoken(laws.PAIRS), ids=str)
def test_passthrough_of_the_wrong_form(stream: Fixture) -> None:  # pitfall 50
    """A whole answer where a stream was asked for, and the reverse, by one who knows no more than the model's name."""
    codec, body, outline = stream.codec, stream.response().read_bytes(), Request("asked")
    relay = Passthrough(codec, outline, quirks=NATIVE, response_id="resp1", now=1)
    said = relay.feed(body) + relay.close()
    whole_ = whole(codec, codec, outline, stream.data, quirks=NATIVE, seal_part=lambda part: part, raw=True)
    for answer in (fold(decode_bytes(codec, said)), codec.decode_response(msgspec.json.decode(whole_.data), NATIVE)):
        assert laws.plain(answer).parts == laws.plain(fold(decode(stream))).parts


# 7. Loss


# Fields whose absence says the same as their presence: a form's default, a copy's name, what was true before.
NO_MEANING = {"type", "id", "status", "execution", "defer_loading", "role", "stream_options"}
NATIVE_JSON = {"parameters", "schema"}  # taken whole or not at all
NO_ARGUMENTS = {"type": "object", "properties": {}}  # of a tool; what is said of one without a schema
NOTHING = (None, "", "{}", False, {}, [], {"type": "object"}, NO_ARGUMENTS)
CONTAINERS = {"input", "content", "contents", "parts", "messages", "tools", "function", "message"}
UNION = {"fileData", "executableCode", "codeExecutionResult"}
OUR_WORDS: dict[str, tuple[str, ...]] = {
    "agent_message": ("item",),
    "thinking": ("reasoning",),
    "redacted_thinking": ("reasoning",),
    "thought": ("reasoning", "state"),
    "thoughtSignature": ("reasoning", "state"),
    "signature": ("state",),
    "encrypted_content": ("state",),
    "reasoning_details": ("reasoning", "state"),
    "citations": ("annotations",),
    "input_image": ("image",),
    "input_file": ("file",),
    "input_audio": ("audio",),
    "document": ("file",),
    "inlineData": ("audio",),
    "fileData": ("file",),
}
IN_THE_PATH = {
    "gemini": ({"model"}, {"stream"}),
    "bedrock_converse": ({"model"}, {"stream"}),
}  # what such a wire says beside the body
DEFAULTS = (
    (("n",), 1),
    (("generationConfig", "candidateCount"), 1),
    (("generation_config", "candidate_count"), 1),
    (("tool_choice",), "auto"),
    (("text", "format", "name"), "codex_output_schema"),
)


def without_each(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """(path, what was there, the payload without it) for every field and list entry, however deep."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name), item, {key: other for key, other in value.items() if key != name}
            for below, gone, less in without_each(item, (*path, name)) if name not in NATIVE_JSON else ():
                yield below, gone, {**value, name: less}
    elif isinstance(value, list):
        for place, item in enumerate(value):
            if len(value) > 1:
                yield (*path, str(place)), item, value[:place] + value[place + 1 :]
            for below, gone, less in without_each(item, (*path, str(place))):
                yield below, gone, [*value[:place], less, *value[place + 1 :]]


def is_answer(payload: Any, path: tuple[str, ...]) -> bool:
    """Whether this is a tool's answer: what it says of the tool's name, the call has said."""
    for step in path:
        payload = payload[int(step)] if isinstance(payload, list) else payload[step]
    role, kind = payload.get("role"), payload.get("type")
    return path[-1] == "functionResponse" or role in ("tool", "function") or str(kind).endswith("_output")


def words_for(payload: Any, path: tuple[str, ...]) -> set[str]:
    """What a loss may call a field, or a thing that it is in: by key, by `type`, or in our own words."""
    words = {path[-1]}
    for step in path:
        payload = payload[int(step)] if isinstance(payload, list) else payload[step]
        if not isinstance(payload, dict):
            words |= {step} if isinstance(payload, list) else set()
            continue
        words |= {step, *([payload["type"]] if isinstance(payload.get("type"), str) else [])}
        words |= payload.keys() & UNION  # of Gemini's parts, which have no type
    return {our for word in words for our in (word, *OUR_WORDS.get(word, ()))} - CONTAINERS


def told(path: tuple[str, ...], payload: Any, losses: tuple[Loss, ...]) -> bool:
    """Whether a loss tells of a field: by its path, one above it, or a word for it."""
    fields = [re.sub(r"\[(\d+)\]", r".\1", loss.field) for loss in losses]
    words = words_for(payload, path)
    whole_path = ".".join((*path, ""))
    return any(whole_path.startswith(f"{field}.") or field.split(".")[-1] in words for field in fields)


@pytest.mark.parametrize(
    ("request_", "target"),
    [(fixture, codec) for fixture in laws.REQUESTS for codec in UPSTREAMS.values()],
    ids=laws.named,
)
def test_loss(request_: Fixture, target: UpstreamCodec) -> None:
    """What can be taken away unnoticed was lost in silence."""
    codec, payload = request_.codec, request_.payload
    full = target.encode_request(codec.decode_request(payload), NATIVE)
    silent = []
    for path, gone, less in without_each(payload):
        if NO_MEANING.intersection(path) or gone in NOTHING or (path, gone) in DEFAULTS:
            continue
        if set(path) in IN_THE_PATH.get(target.name, ()) or (path[-1] == "name" and is_answer(payload, path[:-1])):
            continue
        try:
            encoded = target.encode_request(codec.decode_request(less), NATIVE)
        except Failure:
            continue  # it is needed, so it is seen
        if encoded == full and not told(path, payload, full.losses):
            silent.append(".".join(path))
    assert silent == []


# 8. Conservation


@streams
@clients
def test_conservation(stream: Fixture, client: Codec) -> None:
    end = laws.ending(decode(stream))
    relay = laws.translation(client, stream.codec, stream.request())
    said = relay.feed(stream.data) + relay.close()
    assert laws.counts(relay.watch.usage) == laws.counts(end.usage)
    if end.usage is not None:  # else a client that insists is given an estimate (pitfall 35)
        assert laws.counts(laws.ending(decode_bytes(client, said)).usage) == laws.counts(end.usage)
    told, cached, output, reasoning = laws.counts(end.usage)
    assert 0 <= cached <= told and 0 <= reasoning <= output


@responses
@clients
def test_conservation_of_whole_answers(response: Fixture, client: Codec) -> None:
    upstream = response.codec
    request = laws.declaring(upstream.decode_response(response.payload, NATIVE))
    found = whole(client, upstream, request, response.data, quirks=NATIVE, seal_part=lambda part: part)
    usage = upstream.decode_usage(response.payload)
    assert laws.counts(client.decode_usage(msgspec.json.decode(found.data))) == laws.counts(usage)
    assert laws.counts(found.watch.usage) == laws.counts(usage)


def test_fixtures_are_found() -> None:
    assert fixtures("*.none") == [] and len(laws.STREAMS) > 3
