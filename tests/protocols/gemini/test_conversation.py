"""Conversations on their way to a Gemini upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.content import AudioPart, CompactionPart, CustomTool, ImagePart, ReasoningPart, TextPart, ToolKind
from axonhub_cli.llm.request import Message, Role
from axonhub_cli.protocols.gemini.contents import NUDGE, OPENING
from axonhub_cli.protocols.gemini.signatures import EMPTY, SENTINEL, TEXT, THOUGHT, state
from axonhub_cli.protocols.results import NO_RESULT
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests.protocols.gemini.helpers import (
    PNG,
    assistant,
    called,
    contents,
    encode,
    lost,
    message,
    result,
    user,
)
from tests.protocols.laws import NATIVE


def call_of(part: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = part["functionCall"]
    return found


def test_signatures_stay_on_their_calls() -> None:  # pitfall 88
    turn = assistant(called("a", opaque=state("UzE=")), called("b"), called("c", opaque=state("S3+/")))
    written = contents(user("go"), turn, result("a", "1"), result("b", "2"), result("c", "3"))
    assert [part.get("thoughtSignature") for part in written[1]["parts"]] == ["UzE=", None, "S3+/"]


def test_sentinel_on_the_first_call_of_the_active_loop_only() -> None:  # pitfall 89
    turns = [
        user("one"),
        assistant(called("a")),
        result("a", "x"),
        assistant("done"),
        user("two"),
        assistant(called("b"), called("c")),
        result("b", "x"),
        result("c", "x"),
        assistant(called("d", opaque=state("QUJD"))),
        result("d", "x"),
    ]
    found = [
        part.get("thoughtSignature")
        for content in contents(*turns)
        for part in content["parts"]
        if "functionCall" in part
    ]
    assert found == [None, SENTINEL, None, "QUJD"]
    told = contents(*turns[:3], user("hurry"))  # words beside results end no loop
    assert told[1]["parts"][0]["thoughtSignature"] == SENTINEL
    for model, quirks in (
        ("claude-opus-4@vertex", Quirks()),
        ("gemini-2.5-pro", Quirks()),
        ("gemini-3-pro", Quirks(signature_sentinel=False)),
    ):
        assert SENTINEL not in json.dumps(contents(*turns, model=model, quirks=quirks))


def test_thoughts_leave_their_words_behind() -> None:  # pitfalls 64, 95
    thought = ReasoningPart(summary=("secret plan",))
    foreign = ReasoningPart("raw", opaque={"openai_responses": {"encrypted_content": "gAAA"}})
    own = ReasoningPart(opaque=state("QUJD", THOUGHT))
    sealed = ReasoningPart(sealed="axh1.xyz")
    encoded = encode(user("go"), assistant(thought, own, foreign, sealed, "Hi"))
    written = json.dumps(encoded.payload)
    assert "secret" not in written and "gAAA" not in written and "axh1" not in written and "YXho" not in written
    signed = {"text": "", "thought": True, "thoughtSignature": "QUJD"}
    assert encoded.payload["contents"][1]["parts"] == [signed, {"text": "Hi"}]
    assert {"messages.reasoning", "messages.reasoning.encrypted_content"} <= lost(encoded)


def test_signatures_of_text() -> None:  # pitfall 88
    on_text, after = ReasoningPart(opaque=state("QQ==", TEXT)), ReasoningPart(opaque=state("Qg==", EMPTY))
    assert contents(user("go"), assistant("Hi", on_text), assistant(after))[1]["parts"] == [
        {"text": "Hi", "thoughtSignature": "QQ=="},
        {"text": "", "thoughtSignature": "Qg=="},
    ]


def test_results_follow_their_calls() -> None:  # pitfalls 8, 9, 91, 93
    turns = [
        user("go"),
        assistant(called("a", "read"), called("b", "read"), called("c", "read")),
        assistant("wait"),
        user("hurry"),
        result("b", "old"),
        result("b", "B"),
        result("a", "A", failed=True),
        result("nobody", "?"),
    ]
    encoded = encode(*turns)
    first, model, answers = encoded.payload["contents"]
    assert [first["role"], model["role"], answers["role"]] == ["user", "model", "user"]
    assert model["parts"][3] == {"text": "wait"} and answers["parts"][3] == {"text": "hurry"}
    assert [part["functionResponse"] for part in answers["parts"][:3]] == [
        {"id": "a", "name": "read", "response": {"error": "A"}},
        {"id": "b", "name": "read", "response": {"output": "B"}},
        {"id": "c", "name": "read", "response": {"error": NO_RESULT}},
    ]
    assert {"messages.tool_result", "messages.tool_call"} <= lost(encoded)
    bare = contents(*turns, quirks=Quirks(call_ids=False))
    assert '"id"' not in json.dumps(bare)


@pytest.mark.parametrize("nested", [True, False])
def test_images_of_results(nested: bool) -> None:  # pitfalls 10, 93, 113
    listed = json.dumps([{"type": "text", "text": "see"}, {"type": "image", "mimeType": "image/png", "data": "AAAA"}])
    turns = (user("go"), assistant(called("a"), called("b")), result("a", "seen", ImagePart(PNG)), result("b", listed))
    parts = contents(*turns, quirks=Quirks(tool_images=nested))[2]["parts"]
    image = {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    if nested:
        assert parts[0]["functionResponse"]["parts"] == [image] and len(parts) == 2
        assert parts[1]["functionResponse"]["response"] == {"output": "see"}
    else:
        assert ["functionResponse" in part for part in parts] == [True, True, False, False] and parts[2] == image


def test_which_results_hold_media() -> None:  # pitfall 93
    sound = AudioPart("AAAA", "wav")
    google = CHANNEL_TYPES["gemini"].quirks
    turns = (user("go"), assistant(called("a")), result("a", ImagePart(PNG), sound))
    response, below = contents(*turns, quirks=google)[2]["parts"]
    assert list(response["functionResponse"]) == ["id", "name", "response", "parts"]
    assert below["inlineData"]["mimeType"] == "audio/wav"
    old = contents(*turns, quirks=google, model="gemini-2.5-flash")[2]["parts"]
    assert [list(part) for part in old] == [["functionResponse"], ["inlineData"], ["inlineData"]]


def test_text_only_upstream() -> None:  # pitfall 11
    encoded = encode(user(ImagePart(PNG)), quirks=Quirks(vision=False))
    assert "inlineData" not in json.dumps(encoded.payload) and "messages.image" in lost(encoded)


def test_who_speaks_first_and_last() -> None:  # pitfall 94
    written = contents(assistant("I was saying"), quirks=Quirks(user_last=True))
    assert [content["role"] for content in written] == ["user", "model", "user"]
    assert written[0]["parts"][0]["text"] == OPENING and written[2]["parts"][0]["text"] == NUDGE
    assert [content["role"] for content in contents(user("a"), assistant("b"))] == ["user", "model"]
    assert contents() == [{"role": "user", "parts": [{"text": OPENING}]}]


def test_system_and_neighbours() -> None:  # pitfalls 2, 7, 75, 126
    turns = [
        message(Role.SYSTEM, "S"),
        user("a"),
        message(Role.DEVELOPER, "D"),
        user("", "b"),
        assistant(ReasoningPart("only")),
        user("c"),
    ]
    payload = encode(*turns).payload
    assert payload["systemInstruction"] == {"parts": [{"text": "S"}, {"text": "D"}]}
    assert payload["contents"] == [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}]


@pytest.mark.parametrize(
    ("text", "arguments", "clean"),
    [
        ("", {}, True),
        ('{"title":"t","format":"f","$ref":"r"}', {"title": "t", "format": "f", "$ref": "r"}, True),
        ("3", {"value": 3}, False),
        ('"{\\"a\\": 1}"', {"a": 1}, False),
        ('{"a":', {"broken_json": '{"a":'}, False),
    ],
)
def test_arguments_are_objects(text: str, arguments: Any, clean: bool) -> None:  # pitfalls 6, 46, 92, 102
    encoded = encode(user("go"), assistant(called("a", "run", text)), result("a", "x"))
    assert call_of(encoded.payload["contents"][1]["parts"][0])["args"] == arguments
    assert ("messages.tool_call.input" in lost(encoded)) != clean


def test_custom_calls_and_summaries() -> None:  # pitfalls 103, 105, 131
    call = called("a", "apply_patch", "*** Begin Patch", kind=ToolKind.CUSTOM)
    turns = (user(CompactionPart("we did things")), assistant(call), result("a", "ok"))
    payload = encode(*turns, tools=(CustomTool("apply_patch"),)).payload
    assert "we did things" in payload["contents"][0]["parts"][0]["text"]
    assert call_of(payload["contents"][1]["parts"][0])["args"] == {"input": "*** Begin Patch"}
    assert "tools" not in encode(*turns, tools=(CustomTool("apply_patch"),), compaction=True).payload


PARTS = st.one_of(
    st.text(max_size=5).map(TextPart),
    st.builds(ReasoningPart, st.text(max_size=5)),
    st.builds(called, st.sampled_from("abc"), st.sampled_from(["read", "write"]), st.text(max_size=5)),
)
MESSAGES = st.one_of(
    st.builds(
        Message, st.sampled_from([Role.USER, Role.ASSISTANT, Role.SYSTEM]), st.lists(PARTS, max_size=3).map(tuple)
    ),
    st.builds(result, st.sampled_from("abcd"), st.text(max_size=5)),
)


@given(st.lists(MESSAGES, max_size=8))
@settings(max_examples=150, deadline=None)
def test_any_conversation(messages: list[Message]) -> None:  # pitfalls 91, 93, 94
    request = encode(*messages, quirks=NATIVE)
    written = request.payload["contents"]
    assert written[0]["role"] == "user"
    for at, content in enumerate(written):
        assert content["parts"] and (at == 0 or content["role"] != written[at - 1]["role"])
        calls = [call_of(part)["id"] for part in content["parts"] if "functionCall" in part]
        if calls:
            answers = written[at + 1]["parts"][: len(calls)]
            assert [part["functionResponse"]["id"] for part in answers] == calls
