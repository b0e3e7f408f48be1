import asyncio
import gc
import re
import sys

import pytest

from axonhub_cli.errors import AxonHubError
from axonhub_cli.server.probe import probe_channel, upstream_models
from axonhub_cli.vendors import EXTRAS
from tests.server.clouds import BY_NAME, CLOUDS
from tests.server.hub import channel
from tests.server.speakers import TEXT, TYPES, speaks
from tests.server.upstreams import Upstream, answers, streams


async def test_a_channel_that_answers():
    async with Upstream(streams()) as up:
        result = await probe_channel(channel("a", up.url), "sk-1", "m")
    assert (result.ok, result.text, result.usage.output) == (True, "Hello there", 3)
    assert result.ttft_ms is not None
    assert up.calls[0].headers["authorization"] == "Bearer sk-1"


async def test_the_upstreams_own_error_without_the_key():
    async with Upstream(answers(401, {"error": {"message": "Incorrect API key: sk-1"}})) as up:
        result = await probe_channel(channel("a", up.url), "sk-1", "m")
    assert not result.ok
    assert "Incorrect API key" in result.error
    assert "sk-1" not in result.error


async def test_a_channel_that_is_not_there():
    async with Upstream(streams()) as up:
        url = up.url
    assert (await probe_channel(channel("a", url), None, "m")).error.startswith("The upstream cannot be reached")


async def test_the_demo_answers_and_lists_itself():
    row = channel("demo", "http://x", type="demo", keys=())
    assert (await probe_channel(row, None, "demo")).ok
    assert await upstream_models(row, None) == ["demo"]


async def test_models_of_an_upstream():
    listed = answers(200, {"object": "list", "data": [{"id": "one"}, {"id": "two"}, {}]})
    async with Upstream(listed) as up:
        assert await upstream_models(channel("a", up.url), "sk-1") == ["one", "two"]
        assert (up.calls[0].method, up.calls[0].path) == ("GET", "/v1/models")
        up.script = answers(404, b"<html>", "text/html")
        with pytest.raises(AxonHubError, match="cannot be listed"):
            await upstream_models(channel("a", up.url), None)


async def test_listing_models_leaves_no_connection_behind():
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    async with Upstream(answers(200, {"data": [{"id": "one"}]})) as up:
        assert await upstream_models(channel("a", up.url), "sk-1") == ["one"]
        gc.collect()
    assert complaints == []


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answers(302, b"", extra=("Location: http://x/",)), "a redirect (302); the channel's base URL"),
        (answers(200, b"<html>", "text/html"), "a web page; the base URL is probably wrong"),
    ],
)
async def test_an_address_that_is_no_api_is_told(script, words):
    async with Upstream(script) as up:
        assert words in (await probe_channel(channel("a", up.url), None, "m")).error
        with pytest.raises(AxonHubError, match=re.escape(words)):
            await upstream_models(channel("a", up.url), None)


async def test_an_upstream_that_begins_and_falls_silent_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("axonhub_cli.server.probe._PATIENCE_S", 0.3)

    async def script(wire):
        await wire.head()
        await wire.silence()

    async with Upstream(script) as up, asyncio.timeout(10):
        row = channel("a", up.url)
        assert (await probe_channel(row, None, "m")).error == "The upstream did not end its answer in time."
        with pytest.raises(AxonHubError, match="did not end its answer in time"):
            await upstream_models(row, None)


async def test_names_that_no_client_may_ask_for_are_not_listed():
    names = ["a b", "x\ny", "x\x1b[2J", "", " ", "m" * 5000, "a b", "ü"]
    async with Upstream(answers(200, {"data": [{"id": name} for name in names]})) as up:
        assert await upstream_models(channel("a", up.url), None) == ["a b", "ü"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (answers(401, {"error": {"message": "no"}}), "401: no"),
        (answers(502, b""), "502: The upstream answered 502 without a word."),
        (answers(200, {"error": {"message": "no"}}), "no"),
        (answers(200, b"", "text/event-stream"), "The upstream's stream ended"),
        (answers(200, b"<html>", "text/html"), "The upstream answered with a web page"),
    ],
)
async def test_only_a_status_that_came_is_told(script, words):
    async with Upstream(script) as up:
        assert (await probe_channel(channel("a", up.url), None, "m")).error.startswith(words)


async def test_a_list_that_is_no_json_is_not_an_empty_one():
    async with Upstream(answers(200, b"nonsense", "text/plain")) as up:
        with pytest.raises(AxonHubError, match="not JSON"):
            await upstream_models(channel("a", up.url), None)


@pytest.mark.parametrize("protocol", ["anthropic_messages", "gemini"])
async def test_channels_of_other_protocols(protocol):
    listed = {
        "anthropic_messages": ("/v1/models?limit=1000", {"data": [{"id": "one"}]}),
        "gemini": ("/v1beta/models?pageSize=1000", {"models": [{"name": "models/one"}]}),
    }
    async with Upstream(speaks(protocol)) as up:
        row = channel("a", up.url.removesuffix("/v1"), type=TYPES[protocol])
        result = await probe_channel(row, "sk-1", "m")
        assert (result.ok, result.text, result.usage.input, result.usage.output) == (True, TEXT, 11, 3)
        path, answer = listed[protocol]
        up.script = answers(200, answer)
        assert await upstream_models(row, "sk-1") == ["one"]
        assert up.calls[-1].path == path and "sk-1" in up.calls[-1].headers.values()


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.name)
async def test_channels_of_clouds(cloud):
    fake = cloud.fake()
    async with Upstream(fake) as up:
        row, key = cloud.row(up), cloud.key(up)
        result = await probe_channel(row, key, cloud.model)
        assert (result.ok, result.text, result.usage.input, result.usage.output) == (True, TEXT, 11, 3), result.error
        if cloud.type != "azure":
            with pytest.raises(AxonHubError, match="list") as problem:
                await upstream_models(row, key)
            assert "--add-model" in problem.value.hint
            return
        fake.speak = answers(200, {"data": [{"id": "gpt-x"}]})
        assert await upstream_models(row, key) == ["gpt-x"]


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("bedrock", "AKIA:", "ACCESS_KEY_ID:SECRET"),
        ("converse", "AKIAWRONG:secret-canary", "security token included"),
        ("vertex", '{"type":"service_account"}', "service account's key"),
        ("vertex", "no-such-file.json", "No such file"),
        ("vertex-anthropic", None, "Invalid JWT"),
    ],
)
async def test_what_is_wrong_with_a_clouds_credentials_is_said(name, key, words):
    cloud = BY_NAME[name]
    fake = cloud.fake()
    async with Upstream(fake) as up:
        if key is None:
            fake.refuse_token = 400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            key = cloud.key(up)
        result = await probe_channel(cloud.row(up), key, cloud.model)
    assert not result.ok and words in result.error
    assert "secret-canary" not in result.error and "PRIVATE" not in result.error


@pytest.mark.parametrize("name", ["bedrock", "vertex"])
async def test_an_extra_that_is_missing_is_named(name, monkeypatch):
    """As where it is not installed: its import fails."""
    extra = EXTRAS[{"bedrock": "aws", "vertex": "google"}[name]]
    loaded = [module for module in sys.modules if module.startswith("botocore.")]
    for module in ("botocore", "botocore.session", "google.auth", *loaded):
        monkeypatch.setitem(sys.modules, module, None)
    cloud = BY_NAME[name]
    async with Upstream(cloud.fake()) as up:
        result = await probe_channel(cloud.row(up), cloud.key(up), cloud.model)
    assert not result.ok and f"pip install 'axonhub-cli[{extra.name}]'" in result.error
