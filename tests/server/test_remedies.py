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
