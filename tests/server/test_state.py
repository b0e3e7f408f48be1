"""State that must come back: across turns, a restart, and a change of channel, model and protocol in mid-session
(pitfalls 63-67, 88-90, 117-119, 124, 128)."""

import base64
import json
import re
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from axonhub_cli.entities import Profile, Rule
from tests.server.hub import channel, hub
from tests.server.upstreams import Upstream
from tests.server.vendors import SESSIONS, VENDORS


@asynccontextmanager
async def accounts(tmp_path, **kinds):
    """A hub with an account for each name. A client gets to one by its name as the model, to any by `any`."""
    async with AsyncExitStack() as stack:
        rows, rules, found = [], [], {}
        for name, kind in kinds.items():
            vendor = found[name] = VENDORS[kind](name)
            up = await stack.enter_async_context(Upstream(vendor))
            url = up.url.removesuffix("/v1") if vendor.protocol in ("anthropic_messages", "gemini") else up.url
            rows.append(channel(name, url, type=vendor.type, options=vendor.options))
            rules.append(Rule(name, f"{name}/{vendor.model}"))
        rules.append(Rule("any", found["first"].model))
        profile = Profile(id="pr_t", name="tests", rules=tuple(rules))
        yield found, await stack.enter_async_context(hub(tmp_path, rows, profile=profile))


async def turn(session, model, **options):
    """One turn that goes well. Its record."""
    session.asked = getattr(session, "asked", 0) + 1
    status, text = await session.ask(model, **options)
    assert status == 200, text
    return await session.h.finished(10, count=session.asked)


def comes_back(session, vendor):
    """Whether this client can bring this vendor's state back."""
    return session.carries or vendor.protocol == "openai_chat"


def passes(session, vendor):
    """Both speak one protocol, so that state passes as it is: nobody can tell whose it is before it is refused."""
    return session.protocol == vendor.protocol and vendor.type != "deepseek"  # whose state is plain text


def words(record):
    return " ".join(f"{loss.field}: {loss.reason}" for loss in record.losses)


@pytest.mark.parametrize("maker", VENDORS)
@pytest.mark.parametrize("client", SESSIONS)
async def test_a_session_that_goes_everywhere_and_comes_back(tmp_path, client, maker):
    others = {f"other{number}": kind for number, kind in enumerate(VENDORS)}  # one of them is of the same kind
    async with accounts(tmp_path, first=maker, **others) as (found, h):
        session, first = SESSIONS[client](h), found["first"]
        record = await turn(session, "first")
        assert ("answer.state" in words(record)) != comes_back(session, first)
        made = list(first.made)
        await h.restart()
        await turn(session, "first")
        assert first.seen[1] == (made if comes_back(session, first) else [])
        for name in others:
            record = await turn(session, name)
            assert found[name].seen == [[]]
            if session.carries and type(found[name]) is not type(first):
                assert re.search("reasoning|signature|tool_call", words(record).lower())  # what was dropped is told
        made = list(first.made)
        await turn(session, "first")
        refused = {name for name, vendor in found.items() if vendor.refusals}
        if passes(session, first):
            # State of two accounts in one conversation: each refuses once what the other made, and does without.
            assert refused == {"first", *(name for name in others if type(found[name]) is type(first))}
            assert {len(found[name].refusals) for name in refused} == {1}
        else:
            assert first.seen[2] == (made if comes_back(session, first) else [])
            assert not refused


@pytest.mark.parametrize("maker", VENDORS)
@pytest.mark.parametrize("client", ["Codex", "ClaudeCode", "GeminiCLI"])
async def test_state_comes_back_from_a_stream(tmp_path, client, maker):
    async with accounts(tmp_path, first=maker) as (found, h):
        session, first = SESSIONS[client](h), found["first"]
        for number in range(3):
            made = list(first.made)
            await turn(session, "first", stream=True)
            assert (first.seen[number], first.refusals) == (made, [])
            await h.restart()


@pytest.mark.parametrize("maker", VENDORS)
@pytest.mark.parametrize("client", SESSIONS)
async def test_a_failover_in_mid_session(tmp_path, client, maker):  # pitfall 128
    async with accounts(tmp_path, first=maker, second=maker) as (found, h):
        session, first, second = SESSIONS[client](h), found["first"], found["second"]
        await turn(session, "any")
        first.down = True
        record = await turn(session, "any")
        assert (record.channel, second.seen) == ("second", [[]])
        assert len(second.refusals) == passes(session, first)
        if comes_back(session, first) and first.type != "deepseek":
            assert re.search("native state of|could not read", words(record))
        first.down = False
        made = list(first.made)
        assert (await turn(session, "any")).channel == "first"
        whole = comes_back(session, first) and not passes(session, first)
        assert first.seen[1] == (made if whole else [])


@pytest.mark.parametrize("maker", VENDORS)
@pytest.mark.parametrize("client", ["Codex", "ClaudeCode", "GeminiCLI"])
async def test_a_damaged_envelope_is_ignored(tmp_path, client, maker):
    """Also one that was forged, or made by another installation: none opens."""
    async with accounts(tmp_path, first=maker) as (found, h):
        session, first = SESSIONS[client](h), found["first"]
        await turn(session, "first")
        made = list(first.made)
        session.turns = json.loads(re.sub(r'"[^"]{40,}"', _damaged, json.dumps(session.turns)))
        record = await turn(session, "first")
        if session.protocol == first.protocol:  # there is no envelope
            assert first.seen[1] == made
        else:
            assert "damaged, or sealed by another installation" in words(record)
            # DeepSeek's reasoning is plain text, which the client was shown beside the envelope.
            assert first.seen[1] == (made if first.type == "deepseek" else [])
        assert not first.refusals


def _damaged(match):
    """An envelope of ours with other letters in it, bare or as Gemini's clients carry it; else the same text."""
    text = match[0][1:-1]
    if text.startswith("axh1."):
        return f'"{text[:20]}{text[20:40].swapcase()}{text[40:]}"'
    if text.startswith(base64.b64encode(b"axh1.").decode()[:6]):
        tokens = base64.b64decode(text).decode().split(" ")
        changed = " ".join(f"{token[:20]}{token[20:40].swapcase()}{token[40:]}" for token in tokens)
        return f'"{base64.b64encode(changed.encode()).decode()}"'
    return match[0]
