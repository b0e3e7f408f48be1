"""Every client protocol onto every upstream protocol, over sockets, by the official SDKs."""

import asyncio

import pytest

from axonhub_cli.protocols.registry import PROTOCOLS
from tests.server.hub import FAST, UPSTREAM_KEY, channel, hub, mapped
from tests.server.speakers import ASK, TEXT, TYPES, clients, speaks
from tests.server.upstreams import Upstream


def root(up):
    return up.url.removesuffix("/v1")


def row(protocol, up):
    """A channel of this protocol; those whose base URL ends before the version are given it so."""
    url = root(up) if protocol in ("anthropic_messages", "gemini") else up.url
    options = {"protocol": protocol} if protocol == "openai_responses" else {}
    return channel("up", url, type=TYPES[protocol], options=options)


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("upstream", PROTOCOLS)
@pytest.mark.parametrize("client", PROTOCOLS)
async def test_sixteen_directions(tmp_path, client, upstream, stream):
    profile = mapped("asked", "target")
    async with Upstream(speaks(upstream)) as up, hub(tmp_path, [row(upstream, up)], profile=profile) as h:
        text, usage = await ASK[client](clients(h), "asked", stream)
        record = await h.finished()
    assert (text.strip(), usage) == (TEXT, (11, 3))
    (call,) = up.calls
    assert "target" in call.path + call.body.decode() and "asked" not in call.path + call.body.decode()
    assert UPSTREAM_KEY in " ".join(call.headers.values()) and h.key not in str(call.headers) + call.path
    assert (record.client_protocol, record.upstream_protocol, record.status) == (client, upstream, "completed")
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (11, 5, 3)
    assert (record.client_model, record.upstream_model) == ("asked", "target")
    assert not [loss for loss in record.losses if loss.field == "alt"]  # which is how a client reads, nothing it asks


@pytest.mark.parametrize("upstream", ["openai_chat", "anthropic_messages", "gemini"])
@pytest.mark.parametrize("client", PROTOCOLS)
async def test_a_client_that_is_kept_waiting_takes_the_answer(tmp_path, client, upstream):  # pitfall 151
    async def late(wire):
        await asyncio.sleep(2.5 * FAST.keepalive_s)
        await speaks(upstream)(wire)

    async with Upstream(late) as up, hub(tmp_path, [row(upstream, up)], limits=FAST) as h:
        text, _ = await ASK[client](clients(h), "m", True)
    assert text.strip() == TEXT


# The Responses SDK hands out `response.failed` instead of raising (measured).
@pytest.mark.parametrize("client", ["openai_chat", "anthropic_messages", "gemini"])
async def test_a_client_that_waited_in_vain_is_told_in_its_stream(tmp_path, client):
    """Nothing but an exception of its SDK will do: an answer that ends well would be taken for one."""

    async def never(wire):
        await asyncio.sleep(2.5 * FAST.keepalive_s)
        await wire.answer(400, {"error": {"message": "not like this", "type": "invalid_request_error"}})

    async with Upstream(never) as up, hub(tmp_path, [row("openai_chat", up)], limits=FAST) as h:
        with pytest.raises(Exception, match="not like this"):
            await ASK[client](clients(h), "m", True)
        assert (await h.finished()).status == "failed"
