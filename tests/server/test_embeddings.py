"""POST /v1/embeddings: to whoever has them and speaks OpenAI's words, as it came."""

import base64
import json
import struct

import openai
import pytest

from tests.server.hub import UPSTREAM_KEY, channel, hub, mapped
from tests.server.speakers import clients
from tests.server.upstreams import Upstream, answers, chat_answer

VECTOR = [0.5, -0.25, 1.0]
ASKED = {"model": "text-embedding-3-small", "input": ["one", "two"]}


async def embeds(wire):
    """A script: answers as the API does, floats or base64 as it was asked."""
    asked = wire.call.json
    packed = base64.b64encode(struct.pack("<3f", *VECTOR)).decode()
    vector = packed if asked.get("encoding_format") == "base64" else VECTOR
    rows = [{"object": "embedding", "index": i, "embedding": vector} for i, _ in enumerate(asked["input"])]
    usage = {"prompt_tokens": 7, "total_tokens": 7}
    await wire.answer(200, {"object": "list", "data": rows, "model": asked["model"], "usage": usage})


def failing(status, message="no such path"):
    return answers(status, {"error": {"message": message}})


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}])
async def test_the_official_sdk(tmp_path, options):
    async with Upstream(embeds) as up:
        rows = [channel("a", up.url, type="openai")]
        async with hub(tmp_path, rows, profile=mapped("m", "text-embedding-3-small")) as h:
            answer = await clients(h).openai.embeddings.create(model="m", input=["one", "two"], user="u", **options)
            record = await h.finished()
    (call,) = up.calls
    assert (call.method, call.path) == ("POST", "/v1/embeddings")
    # The SDK asks for base64 by itself, which is shorter, and unpacks it.
    assert call.json == {**ASKED, "user": "u", "encoding_format": options.get("encoding_format", "base64")}
    assert call.headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    if options.get("encoding_format") == "base64":
        assert [struct.unpack("<3f", base64.b64decode(row.embedding)) for row in answer.data] == [tuple(VECTOR)] * 2
    else:
        assert [row.embedding for row in answer.data] == [VECTOR, VECTOR]
    assert answer.usage.prompt_tokens == 7
    assert (record.operation, record.status, record.channel) == ("embeddings", "completed", "a")
    assert (record.input_tokens, record.output_tokens, record.client_model) == (7, 0, "m")
    assert record.cost_usd == pytest.approx(7 * 0.02e-6)
    assert (record.served_model, record.losses) == ("text-embedding-3-small", ())
    # What was asked is kept; vectors are not.
    assert [body.kind for _, body in h.records.bodies] == ["request"]


@pytest.mark.parametrize("options", [{}, {"protocol": "openai_responses"}, {"body": '{"tool_stream":true}'}])
async def test_any_channel_that_speaks_openais_words(tmp_path, options):
    async with Upstream(embeds) as up, hub(tmp_path, [channel("a", up.url, options=options)]) as h:
        status, _, text = await h.ask("/embeddings", ASKED)
    assert (status, len(json.loads(text)["data"])) == (200, 2)
    assert (up.calls[0].path, up.calls[0].json) == ("/v1/embeddings", ASKED)


async def test_channels_that_cannot_are_no_candidates(tmp_path):
    async with Upstream(embeds) as up:
        rows = [
            channel("claude", up.url, type="anthropic"),
            channel("google", up.url, type="gemini"),
            channel("other", up.url, models=("gpt-5",)),
        ]
        async with hub(tmp_path, rows, demo=True) as h:
            with pytest.raises(openai.NotFoundError) as told:
                await clients(h).openai.embeddings.create(**ASKED)
    assert up.calls == [] and told.value.code == "model_not_found"
    for words in (
        "claude: speaks anthropic_messages, which has no /embeddings",
        "google: speaks gemini, which has no /embeddings",
        "other: does not offer text-embedding-3-small",
        "demo: does not offer text-embedding-3-small",
    ):
        assert words in told.value.message


async def test_the_demo_model_makes_none(tmp_path):
    async with hub(tmp_path, demo=True) as h:
        status, _, text = await h.ask("/v1/embeddings", ASKED)
    assert status == 404 and "the demo model makes no embeddings" in text


@pytest.mark.parametrize("status", [404, 405])
async def test_a_server_without_them_goes_on_serving(tmp_path, status):
    """The path is missing, not the server broken: nothing stands against the channel (reliability 5.1)."""
    async with Upstream(failing(status)) as bad, Upstream(embeds) as good:
        rows = [channel("bad", bad.url), channel("good", good.url)]
        async with hub(tmp_path, rows) as h:
            for _ in range(3):
                assert (await h.ask("/v1/embeddings", ASKED))[0] == 200
            bad.script = answers(200, chat_answer())
            asked = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            assert (await h.ask("/v1/chat/completions", asked))[0] == 200
            assert (await h.finished(count=4)).channel == "bad"


async def test_a_traces_channel_stays_its_own(tmp_path):  # pitfall 169
    async with Upstream(embeds) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        await h.ask("/v1/embeddings", ASKED, headers={"session-id": "s-1"})
        record = await h.finished()
    assert record.trace_id == "s-1" and h.records.bindings == []


@pytest.mark.parametrize(
    "script", [failing(503, "busy"), failing(401, "bad key"), answers(200, {"object": "list"}), answers(200, b"<html>")]
)
async def test_another_channel_embeds(tmp_path, script):
    async with (
        Upstream(script) as bad,
        Upstream(embeds) as good,
        hub(tmp_path, [channel("bad", bad.url), channel("good", good.url)]) as h,
    ):
        status, _, text = await h.ask("/v1/embeddings", ASKED)
        record = await h.finished()
    assert (status, record.channel) == (200, "good")
    assert json.loads(text)["data"][0]["embedding"] == VECTOR


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 7.0, "total_tokens": 7.0}, 7),
        ({"total_tokens": 7}, 7),
        ({"prompt_tokens": "7"}, None),
        ([], None),
    ],
)
async def test_vectors_beside_odd_counts(tmp_path, usage, counted):
    rows = [{"object": "embedding", "index": 0, "embedding": VECTOR}]
    script = answers(200, {"object": "list", "data": rows, "model": 1, "usage": usage})
    async with Upstream(script) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        assert len((await clients(h).openai.embeddings.create(**ASKED)).data) == 1
        assert (await h.finished()).input_tokens == counted


async def test_errors_in_openais_shape(tmp_path):
    async with Upstream(failing(400, "input is too long")) as up, hub(tmp_path, [channel("a", up.url)]) as h:
        sdk = clients(h).openai
        with pytest.raises(openai.BadRequestError, match="input is too long"):
            await sdk.embeddings.create(**ASKED)
        with pytest.raises(openai.AuthenticationError):
            await sdk.with_options(api_key="no").embeddings.create(**ASKED)
        with pytest.raises(openai.BadRequestError):
            await sdk.embeddings.create(**{**ASKED, "model": " "})
        # Vectors of another size would not fit those the client has.
        up.script = failing(400, "Unknown parameter: 'dimensions'.")
        with pytest.raises(openai.BadRequestError, match="dimensions"):
            await sdk.embeddings.create(**ASKED, dimensions=2)
        assert len(up.calls) == 2
        async with h.session.get(h.url + "/v1/embeddings", headers={"Authorization": f"Bearer {h.key}"}) as reply:
            assert (reply.status, reply.headers["Allow"]) == (405, "POST")
