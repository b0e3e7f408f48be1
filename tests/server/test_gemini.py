"""Google's clients: routes, models in paths, lists, counts, keys in queries; pitfalls 25, 99-101."""

import json
import logging

import pytest
from google.genai import errors

from tests.server.hub import UPSTREAM_KEY, channel, hub, mapped
from tests.server.speakers import TEXT, clients, gemini_chunk, speaks, sse
from tests.server.upstreams import Upstream, answers, streams

GEMINI, CHAT = "gemini", "openai_chat"
ASKED = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
ANSWER = gemini_chunk({"text": TEXT}, finish="STOP")


def google(up, **fields):
    return channel("g", up.url.removesuffix("/v1"), type="gemini", **fields)


@pytest.mark.parametrize("root", ["/v1beta", "/v1", "/v1alpha", "/v1/v1beta"])
@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent?alt=sse"])
async def test_routes(tmp_path, root, method):  # pitfalls 25, 100
    async with Upstream(speaks(GEMINI)) as up, hub(tmp_path, [google(up)], profile=mapped("m", "g3")) as h:
        status, headers, _ = await h.ask(f"{root}/models/m:{method}", ASKED)
        record = await h.finished()
    assert status == 200
    assert headers["Content-Type"] == ("text/event-stream" if "alt=sse" in method else "application/json")
    assert up.calls[0].path == f"/v1beta/models/g3:{method}"
    assert (up.calls[0].json, up.calls[0].headers["x-goog-api-key"]) == (ASKED, UPSTREAM_KEY)
    assert (record.client_model, record.upstream_model, record.stream) == ("m", "g3", "alt=sse" in method)


@pytest.mark.parametrize("model", ["..%2F..%2Fadmin", "%2e%2e/admin", "../admin"])
async def test_a_model_that_leads_elsewhere_is_refused(tmp_path, model):  # reliability S5
    async with Upstream(speaks(GEMINI)) as up, hub(tmp_path, [google(up)]) as h:
        path = f"/v1beta/models/{model}:generateContent"
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{h.port}\r\nx-goog-api-key: {h.key}\r\nConnection: close\r\n"
        body = json.dumps(ASKED)
        sized = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        answer = await h.raw((head + sized + body).encode())
    assert answer.startswith(b"HTTP/1.1 400") and b'"INVALID_ARGUMENT"' in answer
    assert up.calls == []


async def test_passthrough_keeps_every_byte(tmp_path):  # pitfall 65
    pieces = sse(gemini_chunk({"text": "a"}), gemini_chunk({"text": "b"}, finish="STOP"))
    body = b'{"contents":[], "big":12345678901234567890123,"odd":"\\u00e9","x":{"y":[1]}}'
    async with Upstream(streams(pieces)) as up, hub(tmp_path, [google(up)]) as h:
        headers = {"x-goog-api-key": h.key, "Content-Type": "application/json"}
        url = f"{h.url}/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse"
        async with h.session.post(url, data=body, headers=headers) as response:
            received = await response.read()
    assert (received, up.calls[0].body) == (b"".join(pieces), body)


@pytest.mark.parametrize("upstream", [GEMINI, CHAT])
async def test_a_stream_that_is_one_array(tmp_path, upstream):
    async with Upstream(speaks(upstream)) as up:
        row = google(up) if upstream == GEMINI else channel("c", up.url)
        async with hub(tmp_path, [row]) as h:
            status, headers, text = await h.ask("/v1beta/models/m:streamGenerateContent", ASKED)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    chunks = json.loads(text)
    contents = [chunk["candidates"][0].get("content", {}) for chunk in chunks]
    said = "".join(part.get("text", "") for content in contents for part in content.get("parts", ()))
    assert (said.strip(), chunks[-1]["candidates"][0]["finishReason"]) == (TEXT, "STOP")


async def test_a_key_in_the_query_reaches_no_log_and_no_upstream(tmp_path, caplog):  # pitfall 100
    caplog.set_level(logging.DEBUG)
    async with Upstream(speaks(GEMINI)) as up, hub(tmp_path, [google(up)]) as h:
        body = json.dumps(ASKED)
        for key, expected in ((h.key, 200), ("wrong-" + h.key, 401)):
            url = f"{h.url}/v1beta/models/m:generateContent?key={key}"
            async with h.session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                assert response.status == expected
                assert h.key not in await response.text()
        record = await h.finished()
        logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
    assert h.key not in caplog.text + logs + str(record) + str(h.records.attempts)
    assert h.key not in up.calls[0].path + str(up.calls[0].headers)


async def test_errors_in_the_clients_shape(tmp_path):
    refused = answers(429, {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}})
    async with Upstream(refused) as up, hub(tmp_path, [google(up)]) as h:
        sdk = clients(h).gemini
        with pytest.raises(errors.APIError) as told:
            await sdk.models.generate_content(model="m", contents="hi")
        assert (told.value.code, told.value.status) == (429, "RESOURCE_EXHAUSTED")
        for path, status in (("models/m:embedContent", 404), ("models/m", 404), ("nothing", 404)):
            got, _, text = await h.ask(f"/v1beta/{path}", ASKED)
            assert (got, json.loads(text)["error"]["code"]) == (status, status)
        got, _, text = await h.ask("/v1/models/m:generateContent", ASKED, headers={"Authorization": "Bearer no"})
        assert (got, json.loads(text)["error"]["status"]) == (401, "UNAUTHENTICATED")


async def test_an_error_in_mid_stream(tmp_path):
    async def breaks(wire):
        await wire.head()
        await wire.chunk(sse(gemini_chunk({"text": "a"}))[0])
        wire.reset()

    async with Upstream(breaks) as up, hub(tmp_path, [google(up)]) as h:
        with pytest.raises(errors.APIError) as told:
            [c async for c in await clients(h).gemini.models.generate_content_stream(model="m", contents="hi")]
    assert told.value.status == "UNAVAILABLE"


async def test_counts_by_the_channel(tmp_path):  # pitfall 101
    counted = {"totalTokens": 4321, "new_field": 1}
    wrapped = {"generateContentRequest": {"model": "models/m", **ASKED}}
    async with Upstream(answers(200, counted)) as up, hub(tmp_path, [google(up)], profile=mapped("m", "g")) as h:
        for payload in (ASKED, wrapped):
            status, _, text = await h.ask("/v1beta/models/m:countTokens", payload)
            assert (status, json.loads(text)) == (200, counted)
    assert [call.path for call in up.calls] == ["/v1beta/models/g:countTokens"] * 2
    assert up.calls[0].json == ASKED
    assert up.calls[1].json == {"generateContentRequest": {"model": "models/g", **ASKED}}


async def test_counts_by_ourselves_for_other_vendors(tmp_path):  # pitfall 101
    async with Upstream(answers(500, {})) as up, hub(tmp_path, [channel("c", up.url)]) as h:
        counted = await clients(h).gemini.models.count_tokens(model="gemini-flash-lite", contents="word " * 900)
    assert up.calls == [] and 800 < counted.total_tokens < 1400


async def test_models_in_googles_words(tmp_path):
    async with hub(tmp_path, [channel("a", "http://127.0.0.1:9/v1", models=("one", "two"))]) as h:
        sdk = clients(h).gemini
        assert [model.name async for model in await sdk.models.list()] == ["models/one", "models/two"]
        assert (await sdk.models.get(model="two")).display_name == "two"
        with pytest.raises(errors.ClientError):
            await sdk.models.get(model="three")
        async with h.session.get(f"{h.url}/v1beta/models/one?key={h.key}") as response:
            assert (await response.json())["name"] == "models/one"


async def test_a_thought_signature_comes_back_to_its_channel(tmp_path):  # pitfalls 63, 88
    """Codex on a Gemini upstream: two turns of a tool loop."""
    part = {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2lnbmVk"}
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    said = [{"type": "message", "role": "user", "content": "weather?"}]
    asked = {"model": "gemini-3-pro", "tools": [tool]}
    script = streams(sse(gemini_chunk(part, finish="STOP")))
    async with Upstream(script) as up, hub(tmp_path, [google(up)]) as h:
        sdk = clients(h).openai
        answer = await sdk.responses.create(input=said, stream=True, **asked)
        ended = [event.item async for event in answer if event.type == "response.output_item.done"]
        done = [item.model_dump(mode="json", exclude_none=True) for item in ended]
        call = next(item for item in done if item["type"] == "function_call")
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "rain"}
        up.script = speaks(GEMINI)
        await sdk.responses.create(input=[*said, *done, result], **asked)
    (back,) = up.calls[1].json["contents"][1]["parts"]
    assert back["thoughtSignature"] == "c2lnbmVk" and back["functionCall"]["args"] == {"city": "Oslo"}


async def test_a_trace_by_the_configured_header(tmp_path):  # Gemini's clients name none themselves
    async with Upstream(answers(200, ANSWER)) as up, hub(tmp_path, [google(up)]) as h:
        _, headers, _ = await h.ask("/v1beta/models/m:generateContent", ASKED, headers={"AH-Trace-Id": "t1"})
        assert headers["x-axonhub-trace-id"] == "t1" and (await h.finished()).trace_id == "t1"
