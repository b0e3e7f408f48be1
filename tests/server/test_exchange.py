"""Requests that go well, end to end over real sockets."""

import json
import re

import pytest

from axonhub_cli.server.endpoints import ROUTES
from axonhub_cli.vendors import CHANNEL_TYPES
from tests.server.hub import channel, events, hub, kinds, mapped
from tests.server.upstreams import (
    Upstream,
    answers,
    chat_answer,
    chat_chunk,
    chat_stream,
    responses_events,
    streams,
)


async def test_responses_client_streams_from_a_chat_upstream(tmp_path):
    async with Upstream(streams()) as up, hub(tmp_path, [channel("deep", up.url)], profile=mapped("gpt-5", "v4")) as h:
        status, headers, text = await h.ask(
            payload={"model": "gpt-5", "input": "hi", "stream": True}, headers={"session-id": "s-1"}
        )
        record = await h.finished()
    assert status == 200
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["x-axonhub-request-id"] == record.id
    assert headers["x-axonhub-trace-id"] == "s-1"
    assert headers["x-reasoning-included"] == "true"  # pitfall 134
    assert kinds(text)[0] == "response.created"
    assert kinds(text)[-1] == "response.completed"
    assert events(text)[-1]["response"]["model"] == "gpt-5"
    assert up.calls[0].path == "/v1/chat/completions"
    assert up.calls[0].json["model"] == "v4"
    assert (record.status, record.http_status, record.channel) == ("completed", 200, "deep")
    assert (record.client_model, record.upstream_model, record.served_model) == ("gpt-5", "v4", "up-model")
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (11, 5, 3)
    assert record.trace_source == "session-id"
    assert record.ttft_ms is not None
    (attempt,) = h.records.attempts_of_last()
    assert (attempt.number, attempt.http_status, attempt.url_path) == (1, 200, "/v1/chat/completions")
    assert sorted(body.kind for _, body in h.records.bodies) == ["request", "response"]
    assert [binding.channel_id for binding in h.records.bindings] == ["ch_deep"]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/v1/responses", "/responses", "/v1/responses/"])  # pitfall 25
async def test_whole_answers(tmp_path, path):
    async with Upstream(answers(200, chat_answer())) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        status, headers, text = await h.ask(path, {"model": "m", "input": "hi"})
        record = await h.finished()
    assert status == 200
    assert headers["Content-Type"] == "application/json"
    assert json.loads(text)["output"][0]["content"][0]["text"] == "Hello there"
    assert record.stream is False
    assert record.output_tokens == 3


async def test_passthrough_keeps_every_byte_of_the_answer_and_every_field_of_the_request(tmp_path):
    pieces = responses_events()
    body = (
        b'{"stream":true, "model":"gpt-5","input":"hi","big":12345678901234567890123, "odd":"\\u00e9","new":{"x":[1]}}'
    )
    async with Upstream(streams(pieces)) as up:
        row = channel("o", up.url, type="openai")
        async with hub(tmp_path, [row], profile=mapped("gpt-5", "gpt-6")) as h:
            request = h.session.post(
                h.url + "/v1/responses",
                data=body,
                headers={"Authorization": f"Bearer {h.key}", "Content-Type": "application/json"},
            )
            async with request as response:
                received = await response.read()
            record = await h.finished()
    assert received == b"".join(pieces)
    assert up.calls[0].path == "/v1/responses"
    sent = up.calls[0].body
    assert b'"model":"gpt-6"' in sent
    for kept in (b"12345678901234567890123", b'"\\u00e9"', b'{"x":[1]}'):
        assert kept in sent
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (11, 5, 3)
    assert record.upstream_protocol == "openai_responses"


async def test_chat_client_passes_through_to_a_chat_upstream(tmp_path):
    pieces = chat_stream()
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        payload = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        status, headers, text = await h.ask("/v1/chat/completions", payload)
    assert (status, text.encode()) == (200, b"".join(pieces))
    assert "x-reasoning-included" not in headers


async def test_usage_nobody_asked_for_stays_unknown(tmp_path):  # pitfall 12: a Chat client's own bytes are left alone
    pieces = [piece for piece in chat_stream() if b'"usage"' not in piece]
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        payload = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        await h.ask("/v1/chat/completions", payload)
        record = await h.finished()
    assert "stream_options" not in up.calls[0].json
    assert (record.status, record.served_model) == ("completed", "up-model")
    assert (record.input_tokens, record.cached_tokens, record.output_tokens, record.cost_usd) == (None,) * 4
    assert record.usage_estimated is False


async def test_compaction_by_path_and_by_trigger(tmp_path):  # pitfalls 130, 131
    async with Upstream(answers(200, chat_answer("a summary"))) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "long talk"}]}
        status, _, text = await h.ask("/v1/responses/compact", {"model": "m", "input": [message]})
        assert status == 200
        assert json.loads(text)["object"] == "response.compaction"
        (item,) = json.loads(text)["output"]
        assert item["type"] == "compaction"
        assert "summary" in json.dumps(up.calls[0].json["messages"][-1]).lower()
        up.script = streams(chat_stream("a summary"))
        trigger = [message, {"type": "compaction_trigger"}]
        _, _, text = await h.ask(payload={"model": "m", "input": trigger, "stream": True})
        assert [e["item"]["type"] for e in events(text) if e["type"] == "response.output_item.done"] == ["compaction"]
        # it comes back as what the model had written
        up.script = answers(200, chat_answer())
        await h.ask(payload={"model": "m", "input": [item, message]})
        assert "a summary" in up.calls[-1].body.decode()


async def test_state_sealed_for_one_channel_never_reaches_a_real_responses_upstream(tmp_path):
    thinking = [
        chat_chunk({"role": "assistant", "reasoning_content": "secret thought"}),
        *chat_stream("done")[1:],
    ]
    async with Upstream(streams(thinking)) as chat, Upstream(streams(responses_events())) as real:
        rows = [channel("c", chat.url), channel("o", real.url, type="openai")]
        async with hub(tmp_path, rows, profile=mapped("first", "c/m")) as h:
            _, _, text = await h.ask(payload={"model": "first", "input": "hi", "stream": True})
            items = events(text)[-1]["response"]["output"]
            assert items[0]["encrypted_content"].startswith("axh1.")
            again = [*items, {"type": "message", "role": "user", "content": "more"}]
            await h.ask(payload={"model": "first", "input": again, "stream": True})
            assert "axh1." not in chat.calls[-1].body.decode()
            await h.ask(payload={"model": "other", "input": again, "stream": True}, headers={"session-id": "x"})
            h.store.channels.replace(channel("c", chat.url, enabled=False))
            await h.ask(payload={"model": "other", "input": again, "stream": True})
            assert "axh1." not in real.calls[-1].body.decode()
            assert real.calls[-1].json["input"][-1]["content"] == "more"


async def test_the_trace_stays_with_its_channel(tmp_path):  # pitfall 169
    async with Upstream(streams()) as one, Upstream(streams()) as two:
        rows = [channel("one", one.url, priority=5), channel("two", two.url, priority=5)]
        async with hub(tmp_path, rows) as h:
            for _ in range(6):
                await h.ask(headers={"session-id": "same"})
                await h.finished()
            assert sorted((len(one.calls), len(two.calls))) == [0, 6]
            assert len(h.records.bindings) == 1


async def test_model_lists(tmp_path):  # pitfall 164
    rows = [channel("a", "http://127.0.0.1:9/v1", models=("deepseek-chat",))]
    async with hub(tmp_path, rows, profile=mapped("gpt-5", "deepseek-chat")) as h:
        auth = {"Authorization": f"Bearer {h.key}"}
        async with h.session.get(h.url + "/v1/models", headers=auth) as response:
            listed = await response.json()
        async with h.session.get(h.url + "/v1/models?client_version=0.169.0", headers=auth) as response:
            catalog = await response.json()
        async with h.session.get(h.url + "/v1/models/gpt-5", headers=auth) as response:
            assert (await response.json())["id"] == "gpt-5"
        async with h.session.get(h.url + "/v1/models/nope", headers=auth) as response:
            assert response.status == 404
    assert {row["id"] for row in listed["data"]} == {"gpt-5", "deepseek-chat"}
    assert {row["slug"] for row in catalog["models"]} == {"gpt-5", "deepseek-chat"}


async def test_probes_are_answered_at_once(tmp_path):  # pitfall 159, reliability 5.2
    async with hub(tmp_path) as h:
        auth = {"Authorization": f"Bearer {h.key}"}
        async with h.session.head(h.url + "/") as response:
            assert response.status == 200
        async with h.session.head(h.url + "/v1/responses", headers=auth) as response:
            assert response.status == 200
        async with h.session.get(h.url + "/v1/responses", headers=auth) as response:
            assert (response.status, response.headers["Upgrade"]) == (426, "websocket")
        broken = {**auth, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "12"}
        async with h.session.get(h.url + "/v1/responses", headers=broken) as response:
            assert response.status == 426  # at which Codex goes on over HTTP at once
        async with h.session.get(h.url + "/health") as response:
            assert (await response.json())["status"] == "ok"


async def test_every_answer_has_a_request_id(tmp_path):
    async with hub(tmp_path) as h:
        auth = {"Authorization": f"Bearer {h.key}"}
        for route in ROUTES:
            path = route.path.replace("*", "m:generateContent")
            async with h.session.request(route.method, h.url + path, headers=auth) as response:
                assert response.headers["x-axonhub-request-id"].startswith("req_"), (route.method, path)
        assert b"\r\nx-axonhub-request-id: req_" in await h.raw(b"nonsense\r\n\r\n")


async def test_the_demo_channel_needs_no_configuration(tmp_path, caplog):
    caplog.set_level("INFO", "axonhub")
    assert "demo" in CHANNEL_TYPES
    async with hub(tmp_path, demo=True) as h:
        status, _, text = await h.ask(payload={"model": "anything", "input": "hello", "stream": True})
        assert (status, kinds(text)[-1]) == (200, "response.completed")
        assert (await h.finished()).channel == "demo"
    line = next(record.getMessage() for record in caplog.records if "POST" in record.getMessage())
    form = r"POST /v1/responses anything → demo POST /chat/completions anything 200 "
    assert re.fullmatch(form + r"ttft \d+ ms \d+\.\d s in \d+ \(cached \d+\) out \d+", line)


async def test_metrics_count_what_happened_and_name_nothing(tmp_path):
    async with Upstream(streams()) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        await h.ask()
        async with h.session.get(h.url + "/metrics") as response:
            text = await response.text()
    assert 'axonhub_requests_total{status="200"} 1' in text
    assert 'axonhub_tokens_total{kind="input"} 11' in text
    assert "tester" not in text


async def test_a_new_channel_is_in_force_with_the_next_request(tmp_path):
    async with Upstream(streams()) as up, hub(tmp_path) as h:
        status, _, text = await h.ask()
        assert (status, json.loads(text)["error"]["code"]) == (404, "model_not_found")
        h.store.channels.add(channel("late", up.url))
        assert (await h.ask())[0] == 200
