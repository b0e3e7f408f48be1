"""Every client on the vendors that speak Messages beside Anthropic, against fakes that check who asks and how."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest

from tests.fakes.claude_like import KEY, VENDORS, ClaudeLike
from tests.protocols.laws import ROOT
from tests.server.hub import channel, hub, mapped
from tests.server.speakers import ASK, TEXT, clients
from tests.server.upstreams import Upstream
from tests.server.vendors import SESSIONS

CLIENTS = ("openai_responses", "openai_chat", "anthropic_messages", "gemini")
CAPTURED = [
    *sorted((ROOT / "openai_responses").glob("codex-*.request.json")),
    ROOT / "anthropic_messages" / "claude-code-turn1.request.json",
]
vendors = pytest.mark.parametrize("name", VENDORS)


@asynccontextmanager
async def served(tmp_path, name, fake, key=KEY):
    """(hub, upstream) with one channel of the type `name`; clients ask for `asked`."""
    async with Upstream(fake) as up:
        url = up.url.removesuffix("/v1") + fake.vendor.path
        rows, profile = [channel("up", url, type=name)], mapped("asked", fake.vendor.model)
        async with hub(tmp_path, rows, profile=profile, environ={"UP_KEY": key}) as h:
            yield h, up


@vendors
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_every_official_sdk(tmp_path, name, client, stream):
    fake = ClaudeLike(VENDORS[name])
    async with served(tmp_path, name, fake) as (h, _):
        text, usage = await ASK[client](clients(h), "asked", stream)
        record = await h.finished()
    assert fake.complaints == []
    assert (text.strip(), usage) == (TEXT, (11, 3))
    assert (record.status, record.upstream_protocol) == ("completed", "anthropic_messages")


@vendors
@pytest.mark.parametrize("captured", CAPTURED, ids=lambda path: path.name.partition(".request")[0])
async def test_what_real_agents_ask_is_taken(tmp_path, name, captured):  # pitfalls 82, 124
    """Nothing is refused once: what a vendor does not take is left out, and told."""
    fake = ClaudeLike(VENDORS[name])
    payload = {**json.loads(captured.read_bytes()), "model": "asked", "stream": True}
    path = "/v1/responses" if "codex" in captured.name else "/v1/messages"
    flags = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"
    async with served(tmp_path, name, fake) as (h, _):
        status, _, text = await h.ask(path, payload, headers={"anthropic-beta": flags})
        record = await h.finished()
    assert (fake.complaints, status) == ([], 200)
    assert "Hello" in text
    if "context_management" in payload:
        assert "context_management" in {loss.field for loss in record.losses}


@vendors
@pytest.mark.parametrize("client", ["Codex", "ClaudeCode", "GeminiCLI"])
async def test_unsigned_thinking_comes_back(tmp_path, name, client):  # pitfalls 122, 124, 125
    """Also after a restart; none of it is our envelope."""
    fake = ClaudeLike(VENDORS[name], "weather")
    async with served(tmp_path, name, fake) as (h, up):
        session = SESSIONS[client](h)
        for number in range(3):
            status, text = await session.ask("asked", stream=number == 1)
            assert (status, fake.complaints) == (200, []), text
            await h.finished(count=number + 1)
            await h.restart()
    assert len(fake.thoughts) == 3
    assert b"axh1." not in b"".join(call.body for call in up.calls)


@vendors
async def test_a_wrong_key_is_the_channels_failure(tmp_path, name):
    fake = ClaudeLike(VENDORS[name])
    async with served(tmp_path, name, fake, "sk-wrong-1234567") as (h, _):
        payload = {"model": "asked", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]}
        status, _, text = await h.ask("/v1/messages", payload)
        record = await h.finished()
    assert status >= 500 and record.error_kind == "authentication"
    assert "sk-wrong" not in text and len(fake.complaints) >= 1
