"""What upstreams and clients put into headers, and what becomes of it."""

import gzip
import json
import zlib

import pytest

from axonhub_cli.server.limits import MIB
from tests.server.hub import UPSTREAM_KEY, channel, hub, kinds
from tests.server.upstreams import Upstream, answers, chat_answer, chat_stream, responses_events, streams

# What tells a client things that are not so here (pitfalls 55, 165, 170, 171).
MISLEADING = (
    "OpenAI-Model: gpt-5.5-mini",
    "x-models-etag: W/1",
    "ETag: W/2",
    "x-codex-turn-state: abc",
    "x-openai-model: gpt-5.5-mini",
    "openai-organization: org",
    "openai-processing-ms: 5",
    "Set-Cookie: a=b",
    "Server: upstream",
    "Alt-Svc: h3",
    "Content-Encoding: identity",
)
OURS = {"Content-Type", "Transfer-Encoding", "Content-Length", "Date", "Server", "Cache-Control"}
OURS |= {"X-Content-Type-Options", "X-Accel-Buffering", "x-axonhub-request-id", "x-upstream-request-id"}


@pytest.mark.parametrize("kind", ["openai", "openai-compatible"])
@pytest.mark.parametrize("stream", [True, False])
async def test_no_mark_of_an_upstreams_reaches_the_client(tmp_path, kind, stream):  # pitfalls 55, 165
    """Codex takes another model's name for a downgrade, and another mark for a new list of models."""
    whole = json.loads(responses_events()[-1].split(b"data: ")[1])["response"] if kind == "openai" else chat_answer()
    pieces = responses_events() if kind == "openai" else chat_stream()
    headers = (*MISLEADING, "x-request-id: up-1", "x-ratelimit-remaining-tokens: 5")

    async def script(wire):
        if not stream:
            await wire.answer(200, whole, extra=headers)
            return
        await wire.head(extra=headers)
        for piece in pieces:
            await wire.chunk(piece)
        await wire.end()

    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url, type=kind)]) as h:
        status, told, _ = await h.ask(payload={"model": "m", "input": "hi", "stream": stream})
    allowed = OURS | ({"x-ratelimit-remaining-tokens"} if kind == "openai" else {"x-reasoning-included"})
    assert status == 200 and told["Server"] == "axonhub" and told["x-upstream-request-id"] == "up-1"
    assert set(told) <= allowed


@pytest.mark.parametrize(
    "value",
    ["a\rb", "a\x01b", "a\0b", "a\x7f", "a" * 20_000, f"a-{UPSTREAM_KEY}"],
    ids=["cr", "soh", "nul", "del", "long", "key"],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_header_that_cannot_be_shown_costs_no_answer(tmp_path, value, stream):  # reliability K5
    extra = (f"x-request-id: {value}", f"x-ratelimit-limit-tokens: {value}", "x-ratelimit-remaining-tokens: 5")
    script = answers(200, b"".join(chat_stream()) if stream else chat_answer(), extra=extra)
    payload = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        status, told, text = await h.ask("/v1/chat/completions", payload)
        record = await h.finished()
    assert status == 200 and "Hello" in text and record.status == "completed"
    assert h.records.attempts_of_last()[-1].upstream_request_id is None
    assert {name for name in told if name.startswith("x-")} == {"x-axonhub-request-id", "x-ratelimit-remaining-tokens"}


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_compressed_error_is_read_and_told_plainly(tmp_path, pack):  # pitfall 148
    encoding = "gzip" if pack is gzip.compress else "deflate"
    body = pack(json.dumps({"error": {"message": "no such tool", "code": "bad_tool"}}).encode())
    script = answers(400, body, extra=(f"Content-Encoding: {encoding}",))
    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        status, headers, text = await h.ask()
    assert (status, json.loads(text)["error"]["message"]) == (400, "no such tool")
    assert "Content-Encoding" not in headers and int(headers["Content-Length"]) == len(text.encode())
    assert headers.getall("Content-Type") == ["application/json"]


@pytest.mark.parametrize("kind", ["openai", "openai-compatible"])
async def test_a_compressed_stream_comes_as_it_was_meant(tmp_path, kind):  # pitfall 157
    """Upstreams are asked for plain bytes, and some compress all the same."""
    pieces = responses_events() if kind == "openai" else chat_stream()
    packer = zlib.compressobj(wbits=31)

    async def script(wire):
        await wire.head(extra=("Content-Encoding: gzip",))
        for piece in pieces:
            await wire.chunk(packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH))
        await wire.chunk(packer.flush())
        await wire.end()

    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url, type=kind)]) as h:
        status, headers, text = await h.ask()
        record = await h.finished()
    assert up.calls[0].headers["accept-encoding"] == "identity"
    assert (status, kinds(text)[-1], record.output_tokens) == (200, "response.completed", 3)
    assert "Content-Encoding" not in headers
    assert kind != "openai" or text.encode() == b"".join(pieces)


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        ("br", b"\x8b\x02\x80{}\x03", "compressed (br)"),
        ("gzip", b'{"not":"gzip"}', "damaged"),
        ("gzip", gzip.compress(json.dumps(chat_answer()).encode())[:-20], "broke before its answer ended"),
        ("gzip", gzip.compress(b" " * (80 * MIB)), "too large"),
    ],
    ids=["unknown", "no gzip", "cut", "bomb"],
)
async def test_what_cannot_be_inflated_is_the_upstreams_fault(tmp_path, encoding, body, words):
    script = answers(200, body, extra=(f"Content-Encoding: {encoding}",))
    async with (
        Upstream(script) as bad,
        Upstream(answers(200, chat_answer())) as good,
        hub(tmp_path, [channel("bad", bad.url), channel("good", good.url)]) as h,
    ):
        status, _, _ = await h.ask(payload={"model": "m", "input": "hi"})
        await h.finished()
        first = h.records.attempts_of_last()[0]
    assert status == 200 and words in first.error


@pytest.mark.parametrize("value", [b"\xff\xfe", "é".encode(), b"\xed\xa0\x80"])
async def test_a_header_of_codex_passes_byte_by_byte(tmp_path, value):
    async with (
        Upstream(streams(responses_events())) as up,
        hub(tmp_path, [channel("a", up.url, type="openai")]) as h,
    ):
        said = f"Host: 127.0.0.1:{h.port}\r\nAuthorization: Bearer {h.key}\r\nContent-Type: application/json\r\n"
        body = b'{"model":"m","input":"hi","stream":true}'
        head = f"POST /v1/responses HTTP/1.1\r\n{said}Connection: close\r\nContent-Length: {len(body)}\r\n"
        received = await h.raw(head.encode() + b"x-codex-turn-metadata: " + value + b"\r\n\r\n" + body)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert up.calls[0].headers["x-codex-turn-metadata"].encode("utf-8", "surrogateescape") == value


async def test_turn_metadata_of_20_kb_is_let_in(tmp_path):  # pitfall 158
    metadata = json.dumps({"session_id": "s-1", "request_kind": "turn", "notes": "x" * 20_000})
    async with Upstream(streams()) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        status, _, _ = await h.ask(headers={"x-codex-turn-metadata": metadata})
        record = await h.finished()
    assert (status, record.trace_id) == (200, "s-1")
