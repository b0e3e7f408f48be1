from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from axonhub_cli.routing.affinity import Identity, clean_id, identify

SESSION = "01a2035a-a663-7c82-af19-36be96898347"
CHILD = "01a2035b-c257-7fa1-9794-75869b3fea75"


class Config(Struct, frozen=True):
    trace_header: str = "AH-Trace-Id"
    thread_header: str = "AH-Thread-Id"
    codex_trace_enabled: bool = True
    claude_code_trace_enabled: bool = True
    opencode_trace_enabled: bool = True
    extra_trace_headers: tuple[str, ...] = ()


def trace(headers: dict[str, str], payload: dict[str, Any] | None = None, **config: Any) -> str | None:
    return identify(headers, payload, Config(**config)).trace_id


METADATA = json.dumps({"session_id": SESSION, "thread_id": SESSION, "request_kind": "turn"})


@pytest.mark.parametrize(
    ("headers", "payload"),
    [  # pitfall 166: each spelling, the same trace
        ({"session-id": SESSION}, {}),
        ({"session_id": SESSION}, {}),
        ({"Session_id": SESSION}, {}),
        ({"x-codex-turn-metadata": METADATA}, {}),
        ({}, {"client_metadata": {"x-codex-turn-metadata": METADATA}}),
        ({}, {"client_metadata": {"session_id": SESSION}}),
        ({}, {"prompt_cache_key": SESSION}),
        ({"x-claude-code-session-id": SESSION}, {}),
        ({}, {"metadata": {"user_id": json.dumps({"device_id": "d", "session_id": SESSION})}}),
        ({}, {"metadata": {"user_id": f"user_abc_account__session_{SESSION}"}}),
        ({"x-session-id": SESSION}, {}),
        ({"x-session-affinity": SESSION}, {}),
        ({"ah-trace-id": SESSION}, {}),
        ({"ah_trace_id": SESSION}, {}),
    ],
)
def test_every_spelling_names_the_trace(headers: dict[str, str], payload: dict[str, Any]) -> None:
    assert trace(headers, payload) == SESSION


def test_gemini_cli_by_how_its_session_begins() -> None:  # pitfall 166
    agent = {"User-Agent": "GeminiCLI-tui/0.61.0/gemini-3.1-pro-preview (linux; x64; terminal)"}
    first, answer = ({"role": role, "parts": [{"text": role}]} for role in ("user", "model"))
    found = identify(agent, {"contents": [first]}, Config())
    assert found.trace_id and found.source == "contents"
    assert trace(agent, {"contents": [first, answer, first]}) == found.trace_id
    assert trace(agent, {"contents": [answer]}) not in (None, found.trace_id)
    assert trace({"User-Agent": "google-genai-sdk/1.30.0"}, {"contents": [first]}) is None
    for odd in ([], "hi", None):
        assert trace(agent, {"contents": odd}) is None


def test_precedence() -> None:
    headers = {
        "ah-trace-id": "main",
        "x-foo": "foo",
        "conversation-id": "conversation",
        "session-id": "session",
        "x-codex-turn-metadata": METADATA,
        "x-claude-code-session-id": "claude",
        "x-session-id": "opencode",
        "x-session-affinity": "affinity",
    }
    payload = {"prompt_cache_key": "cache"}
    seen = []
    for gone in ("ah-trace-id", "conversation-id", "x-foo", *list(headers)[3:]):
        seen.append(trace(headers, payload, extra_trace_headers=("Conversation_id", "X-Foo")))
        del headers[gone]
    assert seen == ["main", "conversation", "foo", "session", SESSION, "claude", "opencode", "affinity"]
    assert trace({}, payload) == "cache"
    assert trace({}, {}) is None


def test_clients_can_be_left_out() -> None:
    headers = {"session-id": "s", "x-claude-code-session-id": "c", "x-session-id": "o"}
    off = {"codex_trace_enabled": False}
    assert trace(headers, {"prompt_cache_key": "p"}, **off) == "c"
    off["claude_code_trace_enabled"] = False
    assert trace(headers, {}, **off) == "o"
    off["opencode_trace_enabled"] = False
    assert trace(headers, {"prompt_cache_key": "p"}, **off) is None
    assert identify({"thread-id": "t"}, {}, Config(codex_trace_enabled=False)).thread_id is None


def test_request_ids_never_name_a_trace() -> None:  # pitfall 167
    assert trace({"x-client-request-id": SESSION, "x-request-id": SESSION}) is None


def test_sub_agents_join_their_parents_trace() -> None:  # pitfall 168
    headers = {
        "session-id": SESSION,
        "thread-id": CHILD,
        "x-codex-parent-thread-id": SESSION,
        "x-openai-subagent": "collab_spawn",
    }
    assert identify(headers, None, Config()) == Identity(SESSION, CHILD, SESSION, "collab_spawn", "session-id")
    metadata = json.dumps(
        {"session_id": SESSION, "thread_id": CHILD, "parent_thread_id": SESSION, "subagent_kind": "thread_spawn"}
    )
    found = identify({"x-codex-turn-metadata": metadata}, None, Config())
    assert found == Identity(SESSION, CHILD, SESSION, "thread_spawn", "x-codex-turn-metadata.session_id")


def test_the_thread_header_goes_first() -> None:
    assert identify({"ah-thread-id": "mine", "thread-id": CHILD}, None, Config()).thread_id == "mine"


@pytest.mark.parametrize("bad", ["", "  ", "[1", "null", '"x"', "[]", "{" * 5000, '{"session_id": 5}', "\x00"])
def test_broken_metadata_is_no_metadata(bad: str) -> None:
    payload = {"client_metadata": bad, "metadata": bad, "prompt_cache_key": ["x"]}
    assert trace({"x-codex-turn-metadata": bad}, payload) is None


def test_captures_of_real_clients() -> None:
    paths = sorted((Path(__file__).parent.parent / "fixtures" / "identity").glob("*.json"))
    assert len(paths) >= 4
    for path in paths:
        case = json.loads(path.read_text())
        found = identify({n.lower(): v for n, v in case["headers"]}, case["body"], Config())
        assert found == Identity(**case["identity"]), path.name


@pytest.mark.parametrize("value", ["a", SESSION, "ses_dfca1f85dffe2PTiPxiSkGPaJQ", "A.b:c@d=e+f", "x" * 128])
def test_plain_ids_stay(value: str) -> None:
    assert clean_id(value) == value


@pytest.mark.parametrize(
    "value", ["x" * 129, "x" * 10_000, "../../etc/passwd", "😀", "a b", "a\x00b", ".hidden", "\ud800"]
)
def test_odd_ids_are_made_safe_and_stay_apart(value: str) -> None:  # B20
    cleaned = clean_id(value)
    assert cleaned and cleaned != clean_id(value + "!")
    assert cleaned == clean_id(value)


@given(st.text())
def test_cleaned_ids_are_bounded(value: str) -> None:
    cleaned = clean_id(value)
    assert cleaned is None or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._:@=+-]{0,127}", cleaned)
