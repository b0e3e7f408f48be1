"""Answers that are well-formed and hold nothing (pitfall 150)."""

import json

import pytest

from tests.server.hub import channel, hub
from tests.server.speakers import ANSWERS, gemini_chunk, messages_answer, messages_stream, speaks, sse
from tests.server.upstreams import Upstream, chat_answer, chat_chunk, chat_stream, responses_events

COMPLETED = json.loads(responses_events()[-1].split(b"data: ")[1])
COMPLETED["response"]["output"] = []
HOLLOW = {
    "openai_responses": ([*responses_events()[:2], *sse(COMPLETED, named=True)], COMPLETED["response"]),
    "openai_chat": (
        [chat_chunk({"role": "assistant", "content": ""}), chat_chunk(finish="stop"), chat_stream()[-1]],
        chat_answer(""),
    ),
    "anthropic_messages": (
        [piece for piece in messages_stream() if b"content_block" not in piece],
        {**messages_answer(), "content": []},
    ),
    "gemini": (sse(gemini_chunk(finish="STOP")), gemini_chunk(finish="STOP")),
}
PATHS = {
    "openai_responses": ("/v1/responses", {"input": "hi"}),
    "openai_chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "anthropic_messages": ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
}
STREAMED = "/v1beta/models/m:streamGenerateContent?alt=sse"
TYPES = {"openai_responses": "openai", "openai_chat": "ollama", "anthropic_messages": "anthropic", "gemini": "gemini"}


def hollow(protocol, times):
    """A script: so many answers with nothing in them, then a good one."""
    streamed, whole = HOLLOW[protocol]
    left = [times]

    async def script(wire):
        if not left[0]:
            await speaks(protocol)(wire)
            return
        left[0] -= 1
        if wire.call.json.get("stream") or "alt=sse" in wire.call.path:
            await wire.head()
            for piece in streamed:
                await wire.chunk(piece)
            await wire.end()
        else:
            await wire.answer(200, whole)

    return script


async def ask(h, client, stream):
    path, payload = PATHS[client]
    if client == "gemini":
        return await h.ask(STREAMED if stream else path, payload)
    return await h.ask(path, {"model": "m", "stream": stream, **payload})


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("upstream", ANSWERS)
@pytest.mark.parametrize("same", [True, False], ids=["raw", "translated"])
async def test_one_more_call_where_the_channel_wants_it(tmp_path, same, upstream, stream):
    client = upstream if same else "openai_chat" if upstream != "openai_chat" else "anthropic_messages"
    options = {"retry_empty": "true", **({"protocol": upstream} if upstream == "openai_responses" else {})}
    async with Upstream(hollow(upstream, 1)) as up:
        url = up.url.removesuffix("/v1") if upstream in ("anthropic_messages", "gemini") else up.url
        async with hub(tmp_path, [channel("a", url, type=TYPES[upstream], options=options)]) as h:
            status, _, text = await ask(h, client, stream)
            record = await h.finished()
            first = h.records.attempts_of_last()[0]
    assert (status, record.status, len(up.calls)) == (200, "completed", 2)
    assert "there" in text and first.error == "The model's answer was empty."


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_an_answer_that_stays_empty_is_a_failure(tmp_path, stream):
    async with Upstream(hollow("openai_chat", 9)) as up:
        rows = [channel("a", up.url, options={"retry_empty": "true"})]
        async with hub(tmp_path, rows) as h:
            status, _, text = await ask(h, "openai_responses", stream)
            again, _, _ = await ask(h, "openai_responses", stream)
    assert (status, json.loads(text)["error"]["message"], again) == (502, "The model's answer was empty.", 502)
    assert len(up.calls) == 4  # and the channel is none the worse for it


async def test_by_default_an_empty_answer_is_one(tmp_path):
    async with Upstream(hollow("openai_chat", 9)) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        for stream in (True, False):
            assert (await ask(h, "openai_chat", stream))[0] == 200
    assert len(up.calls) == 2
