"""Anthropic's clients: routes, errors, counts, lists, headers; pitfalls 25, 81, 82, 87."""

import json
from types import SimpleNamespace

import anthropic
import pytest

from axonhub_cli.routing.affinity import identify
from axonhub_cli.server.endpoints import plain_path
from tests.server.hub import UPSTREAM_KEY, channel, hub, mapped
from tests.server.speakers import TEXT, clients, messages_answer, messages_stream, speaks
from tests.server.upstreams import Upstream, answers, chat_answer, streams

MESSAGES = "anthropic_messages"
ASKED = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}
VERSION = {"anthropic-version": "2023-06-01"}


def claude(up, **fields):
    return channel("a", up.url, type=fields.pop("type", "anthropic"), **fields)


@pytest.mark.parametrize(
    ("path", "plain"),
    [  # pitfall 25
        ("/v1/messages", "/v1/messages"),
        ("/messages", "/v1/messages"),
        ("/v1/v1/messages/", "/v1/messages"),
        ("/anthropic/v1/messages", "/v1/messages"),
        ("/anthropic/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("/anthropic", "/"),
        ("/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
        ("/v1/v1beta/models", "/v1beta/models"),
        ("/v1beta/v1beta/models", "/v1beta/models"),
        ("/v1alpha/models", "/v1beta/models"),
        ("/v1betamax/models", "/v1betamax/models"),
        ("/", "/"),
    ],
)
def test_one_spelling_of_a_path(path, plain):
    assert plain_path(path) == plain


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/anthropic/v1/messages", "/messages"])
async def test_routes(tmp_path, path):
    async with Upstream(answers(200, messages_answer())) as up, hub(tmp_path, [claude(up)]) as h:
        status, _, text = await h.ask(path, ASKED)
    assert (status, json.loads(text)) == (200, messages_answer())
    assert up.calls[0].path == "/v1/messages"  # the base URL has a /v1 of its own


async def test_head_is_quick_and_needs_no_key(tmp_path):
    async with hub(tmp_path) as h, h.session.head(h.url + "/") as response:
        assert response.status == 200


async def test_passthrough_keeps_every_byte(tmp_path):  # pitfall 65
    pieces = messages_stream()
    body = b'{"stream":true, "model":"m","max_tokens":9,"messages":[], "big":12345678901234567890123,"odd":"\\u00e9"}'
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [claude(up)], profile=mapped("m", "claude")) as h:
        headers = {"x-api-key": h.key, "Content-Type": "application/json", **VERSION}
        async with h.session.post(h.url + "/v1/messages", data=body, headers=headers) as response:
            received = await response.read()
        record = await h.finished()
    assert received == b"".join(pieces)
    for kept in (b"12345678901234567890123", b'"\\u00e9"', b'"model":"claude"'):
        assert kept in up.calls[0].body
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (11, 5, 3)


async def test_what_of_a_clients_headers_goes_along(tmp_path):  # pitfalls 82, 171
    headers = {
        **VERSION,
        "anthropic-beta": "context-management-2025-06-27,claude-code-20250219",
        "cookie": "c",
        "x-stainless-os": "linux",
        "x-claude-code-session-id": "s1",
    }
    async with Upstream(answers(200, messages_answer())) as up, hub(tmp_path, [claude(up)]) as h:
        await h.ask("/v1/messages", ASKED, headers=headers)
        sent = up.calls[0].headers
        assert sent["anthropic-beta"] == headers["anthropic-beta"]
        assert sent["x-api-key"] == UPSTREAM_KEY
        assert not {"authorization", "cookie", "x-stainless-os", "x-claude-code-session-id"} & sent.keys()
        assert (await h.finished()).trace_id == "s1"


async def test_a_vendor_gets_the_betas_and_fields_it_takes(tmp_path):  # pitfall 82
    rows = {"type": "anthropic-compatible", "options": {"betas": "claude-code-", "auth": "bearer"}}
    async with Upstream(answers(200, messages_answer())) as up, hub(tmp_path, [claude(up, **rows)]) as h:
        headers = {**VERSION, "anthropic-beta": "context-management-2025-06-27,claude-code-20250219"}
        await h.ask("/v1/messages", {**ASKED, "context_management": {"edits": []}}, headers=headers)
        record = await h.finished()
    sent = up.calls[0]
    assert sent.headers["anthropic-beta"] == "claude-code-20250219"
    assert sent.headers["authorization"] == f"Bearer {UPSTREAM_KEY}" and "x-api-key" not in sent.headers
    assert "context_management" not in sent.json
    assert [loss.field for loss in record.losses] == ["context_management"]


async def test_errors_in_the_clients_shape(tmp_path):
    async with Upstream(answers(401, {"error": {"message": "bad key"}})) as up, hub(tmp_path, [claude(up)]) as h:
        sdk = clients(h).anthropic
        with pytest.raises(anthropic.InternalServerError) as told:
            await sdk.messages.create(**ASKED)
        assert told.value.body["error"]["type"] == "api_error"  # never the client's own key
        with pytest.raises(anthropic.AuthenticationError):
            await sdk.with_options(api_key="no").messages.create(**ASKED)
        with pytest.raises(anthropic.BadRequestError):
            await sdk.messages.create(**{**ASKED, "model": " "})
        for path, status in (("/v1/messages/batches", 404), ("/anthropic/v1/messages/x", 404)):
            got, _, text = await h.ask(path, ASKED)
            assert (got, json.loads(text)["type"]) == (status, "error")


async def test_an_error_in_mid_stream(tmp_path):
    async def breaks(wire):
        await wire.head()
        for piece in messages_stream()[:4]:
            await wire.chunk(piece)
        wire.reset()

    async with Upstream(breaks) as up, hub(tmp_path, [claude(up)]) as h:
        _, _, text = await h.ask("/v1/messages", {**ASKED, "stream": True})
    assert text.count("event: error\n") == 1 and "message_stop" not in text


async def test_counts_by_the_channel(tmp_path):  # pitfall 81
    counted = {"input_tokens": 4321, "new_field": 1}
    async with Upstream(answers(200, counted)) as up, hub(tmp_path, [claude(up)], profile=mapped("m", "c")) as h:
        payload = {"model": "m", "messages": ASKED["messages"]}
        status, _, text = await h.ask("/v1/messages/count_tokens?beta=true", payload, headers=VERSION)
        record = await h.finished()
    assert (status, json.loads(text)) == (200, counted)
    assert (up.calls[0].path, up.calls[0].json["model"]) == ("/v1/messages/count_tokens", "c")
    assert (record.operation, record.status, record.attempts) == ("count_tokens", "completed", 1)


async def test_what_was_left_out_of_a_count_is_recorded(tmp_path):
    sealed = {"type": "thinking", "thinking": "t", "signature": "axh1.abc"}
    messages = [*ASKED["messages"], {"role": "assistant", "content": [sealed, {"type": "text", "text": "x"}]}]
    async with Upstream(answers(200, {"input_tokens": 5})) as up, hub(tmp_path, [claude(up)]) as h:
        status, _, _ = await h.ask("/v1/messages/count_tokens", {"model": "m", "messages": messages}, headers=VERSION)
        record = await h.finished()
    assert status == 200 and b"axh1." not in up.calls[0].body
    assert [loss.field for loss in record.losses] == ["messages.thinking.signature"]


@pytest.mark.parametrize("script", [answers(404, {"error": {"message": "no such route"}}), answers(200, {"x": 1})])
async def test_a_channel_that_cannot_count_goes_on_serving(tmp_path, script):  # pitfall 81
    async with Upstream(script) as up, hub(tmp_path, [claude(up)]) as h:
        counted = await clients(h).anthropic.messages.count_tokens(model="m", messages=ASKED["messages"])
        assert 0 < counted.input_tokens < 50
        up.script = speaks(MESSAGES)
        status, _, _ = await h.ask("/v1/messages", ASKED)
    assert status == 200


async def test_counts_by_ourselves_for_other_vendors(tmp_path):  # pitfall 81
    async with Upstream(answers(500, {})) as up, hub(tmp_path, [channel("c", up.url)]) as h:
        sdk = clients(h).anthropic
        short = await sdk.messages.count_tokens(model="m", messages=ASKED["messages"])
        long = await sdk.messages.count_tokens(model="m", messages=[{"role": "user", "content": "word " * 900}])
        record = await h.finished()
    assert up.calls == [] and short.input_tokens < 50 < 800 < long.input_tokens < 1400
    assert (record.status, record.attempts, record.input_tokens) == ("completed", 0, None)


async def test_models_in_anthropics_words(tmp_path):
    async with hub(tmp_path, [channel("a", "http://127.0.0.1:9/v1", models=("one", "two"))]) as h:
        sdk = clients(h).anthropic
        assert [model.id async for model in sdk.models.list()] == ["one", "two"]
        assert (await sdk.models.retrieve("two")).display_name == "two"
        with pytest.raises(anthropic.NotFoundError):
            await sdk.models.retrieve("three")
        async with h.session.get(h.url + "/v1/models", headers={"x-api-key": h.key}) as response:
            assert (await response.json())["object"] == "list"


async def test_a_thinking_signature_comes_back_to_its_channel(tmp_path):  # pitfall 63
    """Codex on an Anthropic upstream: two turns of a tool loop."""
    thinking = {"type": "thinking", "thinking": "Look it up.", "signature": "c2lnbmVk"}
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    said = [{"type": "message", "role": "user", "content": "weather?"}]
    asked = {"model": "claude-sonnet-4-5", "tools": [tool], "stream": True, "reasoning": {"effort": "high"}}
    begins = streams(messages_stream(thinking, call, stop="tool_use"))
    async with Upstream(begins) as up, hub(tmp_path, [claude(up)]) as h:
        sdk = clients(h).openai
        answer = await sdk.responses.create(input=said, **asked)
        done = [e.item.model_dump(mode="json", exclude_none=True) async for e in answer if e.type.endswith("item.done")]
        assert [item["type"] for item in done] == ["reasoning", "function_call"]
        assert done[0]["encrypted_content"].startswith("axh1.")
        result = {"type": "function_call_output", "call_id": done[1]["call_id"], "output": "rain"}
        up.script = speaks(MESSAGES)
        await sdk.responses.create(input=[*said, *done, result], **{**asked, "stream": False})
    back = up.calls[1].json["messages"]
    assert back[1]["content"][0] == thinking
    assert {name: back[1]["content"][1][name] for name in call} == call
    assert back[2]["content"][0]["tool_use_id"] == "toolu_1"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_chat_client_loses_the_signature_and_that_is_told(tmp_path, stream):  # pitfall 63
    thinking = {"type": "thinking", "thinking": "Look it up.", "signature": "c2lnbmVk"}
    text = {"type": "text", "text": TEXT}
    script = streams(messages_stream(thinking, text)) if stream else answers(200, messages_answer(thinking, text))
    payload = {"model": "m", "messages": ASKED["messages"], "stream": stream}
    async with Upstream(script) as up, hub(tmp_path, [claude(up)]) as h:
        status, _, said = await h.ask("/v1/chat/completions", payload)
        record = await h.finished()
        (attempt,) = h.records.attempts_of_last()
    assert status == 200 and "Look it up." in said.replace('","', "")
    assert "answer.state" in [loss.field for loss in record.losses]
    assert attempt.losses == record.losses


async def test_a_chats_reasoning_comes_back_through_a_signature(tmp_path):  # pitfalls 63, 117
    """Claude Code on a Chat upstream that wants its reasoning back: two turns of a tool loop, then Anthropic itself."""
    message = {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Look it up.",
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "w", "arguments": '{"city":"Oslo"}'}}],
    }
    first = {**chat_answer(), "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    tools = [{"name": "w", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
    asked = {**ASKED, "tools": tools, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}
    async with Upstream(answers(200, first)) as up, Upstream(speaks(MESSAGES)) as other:
        rows = [channel("c", up.url, options={"reasoning_echo": "tool_calls"}, models=("m",))]
        rows.append(channel("a", other.url, type="anthropic", models=("claude-x",)))
        async with hub(tmp_path, rows) as h:
            sdk = clients(h).anthropic
            answer = await sdk.messages.create(**asked)
            assert [block.type for block in answer.content] == ["thinking", "tool_use"]
            result = {"type": "tool_result", "tool_use_id": answer.content[1].id, "content": "rain"}
            turns = [
                *ASKED["messages"],
                {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
                {"role": "user", "content": [result]},
            ]
            up.script = answers(200, chat_answer(TEXT))
            await sdk.messages.create(**{**asked, "messages": turns})
            await sdk.messages.create(**{**asked, "messages": turns, "model": "claude-x"})
    assert up.calls[1].json["messages"][1]["reasoning_content"] == "Look it up."
    assert [message["role"] for message in up.calls[1].json["messages"]] == ["user", "assistant", "tool"]
    # Our envelope never leaves for Anthropic itself.
    assert answer.content[0].signature.startswith("axh1.") and b"axh1." not in other.calls[0].body
    assert [block["type"] for block in other.calls[0].json["messages"][1]["content"]] == ["tool_use"]


SETTINGS = SimpleNamespace(
    trace_header="AH-Trace-Id",
    thread_header="AH-Thread-Id",
    codex_trace_enabled=True,
    claude_code_trace_enabled=True,
    opencode_trace_enabled=True,
    extra_trace_headers=(),
)


@pytest.mark.parametrize(
    ("headers", "user", "source"),
    [
        ({"X-Claude-Code-Session-Id": "s-1"}, None, "x-claude-code-session-id"),
        ({}, '{"session_id":"s-1","device_id":"d"}', "metadata.user_id"),
        ({}, "user_ab_account__session_s-1", "metadata.user_id"),
    ],
)
def test_claude_codes_session_is_the_trace(headers, user, source):
    found = identify(headers, {"metadata": {"user_id": user}}, SETTINGS)
    assert (found.trace_id, found.source) == ("s-1", source)
