"""A refusal that something left out may mend: one more call to the same channel, and no loop."""

import json

import pytest

from tests.server.hub import channel, hub, kinds, mapped
from tests.server.upstreams import Upstream, answers, chat_answer, responses_events, streams

REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
SAID = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "before"}]}
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
UNREADABLE = {"error": {"message": "The encrypted content could not be verified.", "code": "invalid_encrypted_content"}}
IMAGE = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_image", "image_url": "data:image/png;base64,A"}],
}


def refuses(error, until, then):
    """A script: 400 until the request's body lacks `until`."""

    async def script(wire):
        await (answers(400, error) if until in wire.call.body else then)(wire)

    return script


async def test_state_an_upstream_cannot_read_is_left_out_once(tmp_path):  # pitfall 67
    pieces = responses_events()
    async with Upstream(refuses(UNREADABLE, b"gAAAA", streams(pieces))) as up:
        row = channel("o", up.url, type="openai")
        async with hub(tmp_path, [row], profile=mapped("m", "gpt-6")) as h:
            payload = {"model": "m", "stream": True, "input": [REASONING, SAID, USER], "future": {"x": 1}}
            status, _, text = await h.ask(payload=payload)
            record = await h.finished()
            first, second = h.records.attempts_of_last()
            assert h.running.hub.health.strikes(row, None, "gpt-6") == 0
    assert (status, text.encode()) == (200, b"".join(pieces))
    sent = up.calls[1].json
    assert [item["type"] for item in sent["input"]] == ["message", "message"]
    assert (sent["model"], sent["future"]) == ("gpt-6", {"x": 1})
    assert (first.http_status, first.status) == (400, "failed")
    assert "could not be verified" in first.error
    assert second.reason == "again without reasoning state, which it refused"
    assert [loss.field for loss in record.losses] == ["input.reasoning"]


async def test_a_refusal_that_stays_is_told_after_two_calls(tmp_path):  # pitfall 67: no loop
    async with Upstream(answers(400, UNREADABLE)) as up, Upstream(streams()) as other:
        rows = [channel("o", up.url, type="openai"), channel("b", other.url)]
        async with hub(tmp_path, rows) as h:
            status, _, text = await h.ask(payload={"model": "gpt-5", "stream": True, "input": [REASONING, USER]})
    assert status == 400
    assert "could not be verified" in json.loads(text)["error"]["message"]
    assert (len(up.calls), other.calls) == (2, [])


@pytest.mark.parametrize("stream", [True, False])
async def test_images_are_left_out_where_they_are_refused(tmp_path, stream):  # pitfall 11
    error = {"error": {"message": "unknown variant `image_url`, expected `text`"}}
    then = streams() if stream else answers(200, chat_answer())
    async with (
        Upstream(refuses(error, b"image_url", then)) as up,
        hub(tmp_path, [channel("a", up.url)]) as h,
    ):
        status, _, text = await h.ask(payload={"model": "m", "stream": stream, "input": [IMAGE, USER]})
        record = await h.finished()
    assert status == 200
    assert not stream or kinds(text)[-1] == "response.completed"
    assert b"image left out" in up.calls[1].body
    assert "messages.image" in [loss.field for loss in record.losses]


@pytest.mark.parametrize("translated", [True, False])
async def test_fields_are_left_out_where_they_are_refused(tmp_path, translated):  # pitfall 13, reliability 5.1
    async def strict(wire):
        for field in ("prompt_cache_key", "temperature"):
            if field in wire.call.json:
                await answers(400, {"error": {"message": f"Unknown parameter: '{field}'."}})(wire)
                return
        await answers(200, chat_answer())(wire)

    fields = {"model": "m", "prompt_cache_key": "k", "temperature": 1, "user": "u"}
    chat = {**fields, "messages": [{"role": "user", "content": "hi"}], "big": 12345678901234567890123}
    path, payload = ("/v1/responses", {**fields, "input": "hi"}) if translated else ("/v1/chat/completions", chat)
    async with Upstream(strict) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        assert (await h.ask(path, payload))[0] == 200
        record = await h.finished()
        reasons = [attempt.reason for attempt in h.records.attempts_of_last()]
    assert {"prompt_cache_key", "temperature"} <= {loss.field for loss in record.losses}
    if translated:
        assert reasons[1:] == ["again without temperature, which it refused"]
    else:
        assert reasons[1:] == [
            "again without prompt_cache_key, which it refused",
            "again without prompt_cache_key and temperature, which it refused",
        ]
        assert b"12345678901234567890123" in up.calls[-1].body


def refuses_field(field):
    """A script: 400 while the field is there."""

    async def script(wire):
        if field in wire.call.json:
            await answers(400, {"error": {"message": f"Unknown parameter: '{field}'."}})(wire)
        else:
            await answers(200, chat_answer())(wire)

    return script


CHAT = {"model": "m", "store": True, "messages": [{"role": "user", "content": "hi"}]}
PATH = "/v1/chat/completions"


async def test_a_channel_remembers_what_it_refused(tmp_path, caplog):  # pitfall 13
    caplog.set_level("INFO", logger="axonhub")
    async with Upstream(refuses_field("store")) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        for _ in range(3):
            assert (await h.ask(PATH, CHAT))[0] == 200
        record = await h.finished(count=3)
        attempts = h.records.attempts_of_last()
        (row,) = (found for found in h.running.hub.reloader.last.snapshot.channels.values() if found.name == "a")
        await h.ask(PATH, {**CHAT, "model": "other"})  # another model may take it
        assert len(up.calls) == 6
        h.store.channels.replace(row)  # edited: it may take it now
        await h.ask(PATH, CHAT)
        assert len(up.calls) == 8
        clock = h.running.hub.clock
        h.running.hub.clock = lambda: clock() + 7 * 3600
        await h.ask(PATH, CHAT)
        assert len(up.calls) == 10
    assert ["store" in call.json for call in up.calls] == [True, False, False, False, *[True, False] * 3]
    # Each request that did without says so.
    assert [(loss.field, loss.reason) for loss in record.losses] == [("store", "the upstream refused the field")]
    (attempt,) = attempts
    assert attempt.reason.endswith("; without store, which it refused before")
    assert [loss.field for loss in attempt.losses] == ["store"]
    said = [line for line in caplog.messages if "refuses" in line]
    assert said[0] == "a refuses store for m: left out from now on, for 6 h or until the channel is edited"
    assert len(said) == 4


async def test_a_limit_is_left_out_where_it_is_refused(tmp_path):  # pitfall 71
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."

    async def newer(wire):
        refused = "max_tokens" in wire.call.json
        error = {"error": {"message": words, "param": "max_tokens", "code": "unsupported_parameter"}}
        await wire.answer(*((400, error) if refused else (200, chat_answer())))

    async with Upstream(newer) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        for _ in range(2):
            assert (await h.ask(payload={"model": "m", "input": "hi", "max_output_tokens": 9}))[0] == 200
        record = await h.finished(count=2)
    assert len(up.calls) == 3 and [loss.field for loss in record.losses] == ["max_tokens"]


async def test_a_refusal_that_was_not_mended_is_not_remembered(tmp_path):
    async def never(wire):
        await wire.answer(400, {"error": {"message": "Unknown parameter: 'store'."}})

    async with Upstream(never) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        assert (await h.ask(PATH, CHAT))[0] == 400
        up.script = answers(200, chat_answer())
        assert (await h.ask(PATH, CHAT))[0] == 200
    assert "store" in up.calls[-1].json


async def test_a_conversation_that_cannot_be_read_says_nothing_about_the_next(tmp_path):  # pitfall 67
    async with (
        Upstream(refuses(UNREADABLE, b"gAAAA", streams(responses_events()))) as up,
        hub(tmp_path, [channel("o", up.url, type="openai")]) as h,
    ):
        await h.ask(payload={"model": "m", "stream": True, "input": [REASONING, USER]})
        await h.ask(payload={"model": "m", "stream": True, "input": [{**REASONING, "encrypted_content": "k"}, USER]})
    assert len(up.calls) == 3 and up.calls[2].json["input"][0]["encrypted_content"] == "k"


TOO_LONG = {"error": {"message": "This model's maximum context length is 9 tokens.", "code": "context_length_exceeded"}}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "r" * 4000}
CALLED = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
TURN_METADATA = {"x-codex-turn-metadata": json.dumps({"request_kind": "compaction"})}
TRIGGER = {"type": "compaction_trigger"}


@pytest.mark.parametrize(
    ("path", "items", "headers"),
    [
        ("/v1/responses", [], TURN_METADATA),
        ("/v1/responses", [TRIGGER], {}),
        ("/v1/responses/compact", [], {}),
    ],
    ids=["local", "remote", "by path"],
)
async def test_a_summary_of_too_long_a_conversation(tmp_path, path, items, headers):  # pitfall 133
    payload = {"model": "m", "input": [USER, CALLED, RESULT, *items]}
    script = refuses(TOO_LONG, b"r" * 4000, answers(200, chat_answer("summary")))
    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        status, _, text = await h.ask(path, payload, headers=headers)
        record = await h.finished()
        last = h.records.attempts_of_last()[-1]
        assert (status, len(up.calls)) == (200, 2), text
        # Any other turn is told, so that the client sums up.
        status, _, text = await h.ask("/v1/responses", {**payload, "input": [USER, CALLED, RESULT]})
    assert (status, json.loads(text)["error"]["code"]) == (400, "context_length_exceeded")
    assert b"result left out" in up.calls[1].body and len(up.calls) == 3
    assert "messages.tool_result" in [loss.field for loss in record.losses]
    assert last.reason == "again without the oldest results, which it refused"
