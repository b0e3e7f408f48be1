"""Responses over WebSocket, over real sockets: turns, transcripts and errors."""

import asyncio
import json

import pytest
from msgspec.structs import replace

from axonhub_cli.entities import Profile, Rule
from axonhub_cli.protocols.openai_responses.request import SUMMARY_INSTRUCTION
from axonhub_cli.protocols.registry import PROTOCOLS
from axonhub_cli.routing.health import Health
from tests.server.hub import channel, hub, mapped
from tests.server.sockets import id_of, recorded, said, talk, talking, text_of
from tests.server.speakers import TEXT, clients, speaks
from tests.server.test_directions import row
from tests.server.upstreams import Upstream, chat_chunk, responses_events, streams


@pytest.mark.parametrize("upstream", PROTOCOLS)
async def test_warm_up_and_three_turns_on_every_upstream(tmp_path, upstream):  # pitfalls 127, 160
    async with talking(tmp_path, speaks(upstream), protocol=upstream) as (up, h, t):
        warm = await t.ask(said("be brief", "developer"), generate=False)
        assert [frame["type"] for frame in warm if frame["type"] != "response.in_progress"] == [
            "response.created",
            "response.completed",
        ]
        assert up.calls == []
        previous = id_of(warm)
        for number in range(3):
            frames = await t.ask(said(f"question {number}"), previous=previous)
            previous = id_of(frames)
            assert text_of(frames).strip() == TEXT
            await t.socket.send_str(json.dumps({"type": "response.processed", "response_id": previous}))
        *_, record = await recorded(h, 3)
    assert [call.body.decode().count("question") for call in up.calls] == [1, 2, 3]
    assert [call.body.decode().count(TEXT) for call in up.calls] == [0, 1, 2]
    assert all("be brief" in call.body.decode() for call in up.calls)
    assert not any(word in call.body for call in up.calls for word in (b"previous_response_id", b"response.create"))
    assert (record.client_protocol, record.upstream_protocol, record.status) == (
        "openai_responses",
        upstream,
        "completed",
    )
    assert (record.trace_id, record.input_tokens, record.output_tokens, record.stream) == ("s-1", 11, 3, True)
    assert "WebSocket" in record.path


async def test_ten_megabytes_in_one_frame(tmp_path):  # pitfall 162
    async with talking(tmp_path) as (up, _, t):
        id_of(await t.ask(said("x" * (10 << 20))))
    assert len(up.calls[0].body) > 10 << 20


async def test_what_passes_is_what_the_upstream_said(tmp_path):  # fields and events that do not exist yet
    async with talking(tmp_path, speaks("openai_responses"), protocol="openai_responses") as (up, _, t):
        frames = await t.ask(said("hi"), unknown_field={"kept": 1e3})
    told = [json.loads(piece.split(b"data: ")[1]) for piece in responses_events(TEXT)]
    assert frames == told
    assert up.calls[0].json["unknown_field"] == {"kept": 1000}
    assert b"1e3" in up.calls[0].body or b"1000.0" in up.calls[0].body
    assert up.calls[0].json["stream"] is True and "type" not in up.calls[0].json


async def test_an_upstream_that_cuts_its_events_anywhere(tmp_path):
    whole = b"".join(responses_events(TEXT))

    async def script(wire):
        await wire.head()
        for start in range(0, len(whole), 37):
            await wire.chunk(whole[start : start + 37])
            await asyncio.sleep(0)
        await wire.end()

    async with talking(tmp_path, script, protocol="openai_responses") as (_, _, t):
        assert [frame["sequence_number"] for frame in await t.ask(said("hi"))] == list(range(10))


async def test_headers_are_those_of_the_turn_and_only_codex_own(tmp_path):  # reliability B11
    async with Upstream(speaks("openai_responses")) as up:
        openai = channel("up", up.url, type="openai")
        headers = {
            "x-codex-turn-metadata": '{"turn_id":"at upgrade"}',
            "openai-beta": "responses_websockets=2026-02-06",
            "originator": "codex_exec",
            "x-secret": "mine",
        }
        async with hub(tmp_path, [openai]) as h, talk(h, **headers) as t:
            now = {"x-codex-turn-metadata": '{"turn_id":"now"}', "x-secret": "a\r\nb", "x-codex-new": "x"}
            id_of(await t.ask(said("hi"), client_metadata=now))
    (call,) = up.calls
    assert call.headers["x-codex-turn-metadata"] == '{"turn_id":"now"}'
    assert call.headers["originator"] == "codex_exec"
    assert not {"openai-beta", "x-secret", "x-codex-new", "sec-websocket-key", "upgrade"} & call.headers.keys()
    assert h.key not in str(call.headers)


async def test_an_unknown_response_is_not_found_and_all_of_it_again_is_taken(tmp_path):  # pitfall 127
    async with talking(tmp_path) as (up, _, t):
        (error,) = await t.ask(said("more"), previous="resp_elsewhere")
        assert (error["status"], error["error"]["code"]) == (400, "previous_response_not_found")
        assert error["error"]["param"] == "previous_response_id"
        assert error["headers"]["x-axonhub-request-id"].startswith("req_")
        assert up.calls == []
        first = id_of(await t.ask(said("one")))
        second = id_of(await t.ask(said("two"), previous=first))
        (error,) = await t.ask(said("fork"), previous=first)
        assert error["error"]["code"] == "previous_response_not_found"
        third = id_of(await t.ask(said("anew")))
        id_of(await t.ask(said("then"), previous=third))
    assert second != third
    body = up.calls[-1].body.decode()
    assert "anew" in body and "then" in body and "two" not in body  # pitfall 163: a full request resets it


def failing(*statuses):
    """A script: those answers first, then good ones."""
    left = list(statuses)

    async def script(wire):
        if not left:
            await speaks("openai_chat")(wire)
            return
        status, extra, body = left.pop(0)
        if status == 200:
            await wire.head()
            await wire.chunk(body)
            wire.reset()
        else:
            await wire.answer(status, body, extra=extra)

    return script


REFUSALS = {
    "400": (400, (), {"error": {"message": "no such thing", "type": "invalid_request_error"}}, 400, None),
    "429": (429, ("Retry-After: 20",), {"error": {"message": "slow", "type": "rate_limit_error"}}, 429, "20"),
    "context": (400, (), {"error": {"message": "too long", "code": "context_length_exceeded"}}, 400, None),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refused_turn_is_told_and_leaves_no_mark(tmp_path, name):  # pitfalls 129, 161
    status, extra, body, told, wait = REFUSALS[name]
    async with talking(tmp_path) as (up, h, t):
        first = id_of(await t.ask(said("one")))
        up.script = failing((status, extra, body))
        (error,) = await t.ask(said("bad"), previous=first)
        assert error["type"] == "error" and error["status"] == told
        assert isinstance(error["error"]["message"], str) and error["error"]["code"] != ""
        assert error["headers"].get("retry-after") == wait
        h.running.hub.health = Health()
        assert [record.http_status for record in await recorded(h, 2)] == [200, told]
        id_of(await t.ask(said("two"), previous=first))
    assert "bad" not in up.calls[-1].body.decode() and "one" in up.calls[-1].body.decode()


async def test_a_turn_that_broke_in_the_middle_leaves_no_mark(tmp_path):  # pitfall 129
    async with talking(tmp_path) as (up, _, t):
        first = id_of(await t.ask(said("one")))
        up.script = failing((200, (), chat_chunk({"content": "half"})))
        frames = await t.ask(said("bad"), previous=first)
        assert frames[-1]["type"] == "response.failed"
        (error,) = await t.ask(said("on"), previous=frames[-1]["response"]["id"])
        assert error["error"]["code"] == "previous_response_not_found"
        id_of(await t.ask(said("two"), previous=first))
    assert "bad" not in up.calls[-1].body.decode() and "half" not in up.calls[-1].body.decode()


async def test_another_channel_serves_unseen(tmp_path):
    down = failing(*[(503, (), {"error": {"message": "down"}})] * 9)
    async with Upstream(down) as a, Upstream(speaks("anthropic_messages")) as b:
        rows = [replace(row("openai_chat", a), id="ch_a", name="a"), replace(row("anthropic_messages", b), id="ch_b")]
        async with hub(tmp_path, rows) as h, talk(h) as t:
            frames = await t.ask(said("hi"))
            assert text_of(frames).strip() == TEXT
            assert (await h.finished()).channel == "up"


async def test_a_profile_switched_between_two_turns(tmp_path):
    asked = Profile(id="pr_2", name="other", rules=(Rule("m", "second"),))
    async with talking(tmp_path, profile=mapped("m", "first")) as (up, h, t):
        first = id_of(await t.ask(said("one")))
        h.store.profiles.add(asked)
        h.store.profiles.activate("other", None)
        id_of(await t.ask(said("two"), previous=first))
    assert [call.json["model"] for call in up.calls] == ["first", "second"]


async def test_compaction_over_a_socket_resets_it(tmp_path):  # pitfalls 132, 163
    async with talking(tmp_path) as (up, _, t):
        first = id_of(await t.ask(said("one")))
        frames = await t.ask({"type": "compaction_trigger"}, previous=first)
        (item,) = frames[-1]["response"]["output"]
        assert item["type"] == "compaction"
        (error,) = await t.ask(said("on"), previous=id_of(frames))
        assert error["error"]["code"] == "previous_response_not_found"
        again = id_of(await t.ask(said("one"), item))
        id_of(await t.ask(said("two"), previous=again))
    last = up.calls[-1].body.decode()
    assert "two" in last and TEXT in last and SUMMARY_INSTRUCTION[:40] not in last


async def test_streams_do_not_mix_with_http(tmp_path):
    async with talking(tmp_path, streams()) as (_, h, t):
        (_, _, text), frames = await asyncio.gather(
            h.ask(payload={"model": "m", "input": "hi", "stream": True}), t.ask(said("hi"))
        )
    assert "response.completed" in text and id_of(frames)


async def test_the_official_sdk_talks_over_a_socket(tmp_path):
    async def terminal(connection):
        while (event := await connection.recv()).type not in ("response.completed", "error"):
            pass
        return event

    async with (
        Upstream(speaks("gemini")) as up,
        hub(tmp_path, [row("gemini", up)]) as h,
        clients(h).openai.responses.connect() as connection,
    ):
        await connection.response.create(model="m", instructions="be brief", input="one", generate=False)
        warm = (await terminal(connection)).response
        assert (warm.status, warm.output) == ("completed", [])
        await connection.response.create(model="m", input=[], previous_response_id=warm.id)
        first = (await terminal(connection)).response
        assert (first.output_text.strip(), first.usage.input_tokens) == (TEXT, 11)
        await connection.response.create(model="m", input="two", previous_response_id=first.id)
        assert (await terminal(connection)).response.output_text.strip() == TEXT
        await connection.response.create(model="m", input="three", previous_response_id=warm.id)
        error = await terminal(connection)
        assert (error.status, error.error.code) == (400, "previous_response_not_found")
    assert [call.body.decode().count(word) for call in up.calls for word in ("one", "two")] == [1, 0, 1, 1]
