import pytest

from axonhub_cli.errors import AxonHubError
from axonhub_cli.server.probe import probe_channel, upstream_models
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
    assert "cannot be reached" in (await probe_channel(channel("a", url), None, "m")).error


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
