"""Which model answered, and what that cost."""

import json

import pytest

from tests.server.hub import channel, hub, mapped
from tests.server.speakers import messages_answer, messages_stream, sse
from tests.server.upstreams import Upstream, answers, chat_answer, chat_chunk, chat_stream, streams

COUNTS = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}


def served_by(model):
    return answers(200, {**chat_answer(), "model": model, "usage": COUNTS})


@pytest.mark.parametrize(
    ("asked", "served", "cost"),
    [
        ("gpt-5", "gpt-5-2025-08-07", 1.25),
        ("gpt-5", "gpt-5-mini-2025-08-07", 0.25),  # the model that answered has the price
        ("gpt-5", "something-else", 1.25),
    ],
)
async def test_the_price_is_that_of_the_model_that_answered(tmp_path, asked, served, cost):  # pitfall 181
    async with Upstream(served_by(served)) as up:
        rows = [channel("a", up.url, type="openai", options={"protocol": "openai_chat"})]
        async with hub(tmp_path, rows, profile=mapped("claude-opus-4-5", asked)) as h:
            await h.ask(payload={"model": "claude-opus-4-5", "input": "hi"})
            record = await h.finished()
    assert (record.client_model, record.upstream_model, record.served_model) == ("claude-opus-4-5", asked, served)
    assert record.cost_usd == pytest.approx(cost)


@pytest.mark.parametrize("client", ["raw", "translated"])
async def test_each_lifetime_of_cached_tokens_has_its_price(tmp_path, client):  # pitfall 178
    lifetimes = {"ephemeral_5m_input_tokens": 600_000, "ephemeral_1h_input_tokens": 400_000}
    usage = {"input_tokens": 0, "cache_creation_input_tokens": 1_000_000, "output_tokens": 0}
    answer = {
        **messages_answer(),
        "model": "claude-3-5-haiku-20241022",
        "usage": {**usage, "cache_creation": lifetimes},
    }
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    path, payload = ("/v1/messages", asked) if client == "raw" else ("/v1/responses", {"model": "m", "input": "hi"})
    async with Upstream(answers(200, answer)) as up:
        rows = [channel("c", up.url.removesuffix("/v1"), type="anthropic")]
        async with hub(tmp_path, rows, profile=mapped("m", "claude-3-5-haiku-20241022")) as h:
            assert (await h.ask(path, payload))[0] == 200
            record = await h.finished()
    assert (record.cache_written_tokens, record.cache_written_1h_tokens) == (1_000_000, 400_000)
    assert record.cost_usd == pytest.approx(0.6 * 1.00 + 0.4 * 1.60)


@pytest.mark.parametrize(("served", "flagged"), [("v4-mini", True), ("v4-2025-08-07", False), ("V4", False)])
async def test_another_model_is_flagged(tmp_path, caplog, served, flagged):  # pitfall 143
    caplog.set_level("INFO", logger="axonhub")
    pieces = [chat_chunk({"content": "hi"}, model=served), chat_chunk(finish="stop", model=served), chat_stream()[-1]]
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [channel("a", up.url)], profile=mapped("m", "v4")) as h:
        assert (await h.ask())[0] == 200
        record = await h.finished()
    (line,) = (line for line in caplog.messages if line.startswith("POST"))
    assert record.served_model == served and ("(answered by v4-mini)" in line) == flagged
    assert json.dumps(line).count("answered") == flagged


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
async def test_who_answered_is_known_of_what_broke_off(tmp_path, path):  # pitfalls 143, 181
    *pieces, _, _ = messages_stream()
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    count = sse({"type": "message_delta", "delta": {}, "usage": usage})
    pieces = [piece.replace(b"claude-up", b"claude-haiku-4-5-20251001") for piece in (*pieces, *count)]

    async with Upstream(streams(pieces)) as up:
        rows = [channel("c", up.url.removesuffix("/v1"), type="anthropic")]
        async with hub(tmp_path, rows, profile=mapped("m", "claude-opus-4-5")) as h:
            asked = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
            await h.ask(path, asked if path == "/v1/messages" else None)
            record = await h.finished()
    assert (record.status, record.served_model) == ("failed", "claude-haiku-4-5-20251001")
    assert record.cost_usd == pytest.approx(1.00)
