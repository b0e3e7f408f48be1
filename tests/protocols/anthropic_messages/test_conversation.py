"""The conversation's form: turns, calls and results, instructions, images, breakpoints."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from axonhub_cli.llm.content import (
    CompactionPart,
    CustomTool,
    FilePart,
    FunctionTool,
    HostedTool,
    ImagePart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Role, ToolChoice
from axonhub_cli.vendors import Quirks
from tests.protocols.anthropic_messages.helpers import (
    NAME,
    OPUS,
    PNG,
    RUN,
    assistant,
    called,
    developer,
    encode,
    kinds,
    losses,
    message,
    result,
    user,
)

SIGNED = ReasoningPart("thought", opaque={NAME: {"signature": "Sig+/="}})


def test_pitfall_68_results_of_a_batch_in_one_message_and_first() -> None:
    talk = (user("go"), called("a", "b", "c"), result("b", "2", ImagePart(PNG)), result("a", "1"), result("c", "3"))
    payload = encode(*talk, user("and now?")).payload
    assert kinds(payload)[2] == ("user", ["tool_result", "tool_result", "tool_result", "text"])
    results = payload["messages"][2]["content"]
    assert [block["tool_use_id"] for block in results[:3]] == ["a", "b", "c"]
    assert [block["type"] for block in results[1]["content"]] == ["text", "image"]


def test_pitfalls_8_9_69_unpaired_and_doubled() -> None:
    encoded = encode(user("go"), called("a", "b"), result("b", "old"), result("b", "new"), result("x", "whose?"))
    results = encoded.payload["messages"][2]["content"]
    assert results[0]["is_error"] and "interrupted" in results[0]["content"][0]["text"]
    assert results[1]["content"][0]["text"] == "new"
    assert {"messages.tool_call", "messages.tool_result"} <= losses(encoded)


def test_pitfall_70_ids_in_legal_letters_and_never_shared() -> None:
    ids = ["call:1", "call_1", "call|1", "x" * 65, "x" * 66, "", "call_1"]
    talk: list[Message] = [user("go")]
    for call_id in ids:
        talk += [called(call_id), result(call_id, call_id)]
    payload = encode(*talk).payload
    used = [b["id"] for m in payload["messages"] for b in m["content"] if b["type"] == "tool_use"]
    assert len(set(used)) == len(ids) and used[1] == "call_1"
    assert all(len(i) <= 64 and i.replace("_", "").replace("-", "").isalnum() for i in used)
    assert encode(*talk).payload == payload


def test_pitfall_75_instructions_lead() -> None:
    payload = encode(developer("one"), user("x"), message(Role.SYSTEM, "two"), assistant("y"), user("z")).payload
    assert [block["text"] for block in payload["system"]] == ["one", "two"]


def test_pitfall_75_later_instructions_stay_where_the_model_takes_them() -> None:
    talk = (developer("one"), user("x"), developer("two"), user("x2"), assistant("y"), developer("three"), user("z"))
    payload = encode(*talk, model=OPUS).payload
    assert [block["text"] for block in payload["system"]] == ["one"]
    assert [role for role, _ in kinds(payload)] == ["user", "system", "assistant", "user", "system"]
    assert encode(*talk, quirks=Quirks(mid_system="never"), model=OPUS).payload["system"][-1]["text"] == "three"


def test_pitfall_76_first_a_user_no_blanks_no_space_at_the_end() -> None:
    payload = encode(assistant("hello"), user(" ", "x"), assistant("so  ")).payload
    assert payload["messages"][0]["role"] == "user" and len(payload["messages"]) == 4
    assert payload["messages"][-1]["content"][0]["text"] == "so"
    assert kinds(encode(user("x"), assistant("so"), model=OPUS).payload)[-1][0] == "user"  # prefill refused from 4.6 on
    assert kinds(encode(developer("only")).payload)[0][0] == "user"


def test_pitfall_77_breakpoints() -> None:
    tools = tuple(FunctionTool(f"t{at}") for at in range(3))
    talk = [developer("sys")]
    for at in range(5):
        talk += [user(f"u{at}"), assistant(f"a{at}")]
    payload = encode(*talk, user("last"), tools=tools).payload
    assert "cache_control" in payload["tools"][-1] and "cache_control" in payload["system"][-1]
    marked = [m["content"][-1]["text"] for m in payload["messages"] if "cache_control" in m["content"][-1]]
    assert marked == ["u4", "last"]
    assert json.dumps(payload).count("cache_control") == 4
    bare = encode(*talk, tools=tools, quirks=Quirks(cache_control=False)).payload
    assert "cache_control" not in json.dumps(bare)


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (ImagePart(PNG), {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}),
        (
            ImagePart("data:image/png;base64,/9j/4AAQ"),
            {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
        ),
        (ImagePart("https://x/y.png"), {"type": "url", "url": "https://x/y.png"}),
        (
            FilePart("data:application/pdf;base64,JVBERi0="),
            {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        ),
        (FilePart("JVBERi0="), {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}),
        (FilePart(url="https://x/y.pdf"), {"type": "url", "url": "https://x/y.pdf"}),
        (FilePart("data:text/plain;base64,aGk="), {"type": "text", "media_type": "text/plain", "data": "hi"}),
    ],
)
def test_pitfall_78_images_and_documents(part: Any, source: dict[str, str]) -> None:
    (block,) = encode(user(part), quirks=Quirks(cache_control=False)).payload["messages"][0]["content"]
    assert block["source"] == source
    assert block["type"] == ("image" if isinstance(part, ImagePart) else "document")


def test_pitfalls_10_11_78_what_cannot_be_shown_is_told() -> None:
    blind = encode(user(ImagePart(PNG)), quirks=Quirks(vision=False))
    assert "left out" in blind.payload["messages"][0]["content"][0]["text"] and "messages.image" in losses(blind)
    assert "messages.image" in losses(encode(user(ImagePart("data:image/png;base64,###"))))
    assert "messages.file" in losses(encode(user(FilePart("data:application/zip;base64,UEs//w=="))))
    for unknown in ("data:image/bmp;base64,Qk0=", "data:text/plain;base64,aGk="):
        assert "messages.image" in losses(encode(user(ImagePart(unknown))))
    assert "messages.file" in losses(encode(user(FilePart("data:image/bmp;base64,Qk0="))))


def test_pitfalls_63_65_a_signed_block_goes_back_byte_for_byte() -> None:
    odd = ReasoningPart("\u2028 odd\ttext  ", opaque={NAME: {"signature": "Sig+/="}})
    hidden = ReasoningPart(opaque={NAME: {"data": "EmwK"}})
    payload = encode(user("x"), Message(Role.ASSISTANT, (odd, hidden, TextPart("y"))), user("z")).payload
    assert payload["messages"][1]["content"][:2] == [
        {"type": "thinking", "thinking": "\u2028 odd\ttext  ", "signature": "Sig+/="},
        {"type": "redacted_thinking", "data": "EmwK"},
    ]


def test_pitfall_126_a_turn_does_not_end_with_thinking() -> None:
    """A turn that was interrupted after its thoughts would else be refused in every request that follows."""
    thought = ReasoningPart("t", opaque={NAME: {"signature": "s"}})
    hidden = ReasoningPart(opaque={NAME: {"data": "EmwK"}})
    encoded = encode(user("x"), Message(Role.ASSISTANT, (thought, hidden)), user("y"))
    assert kinds(encoded.payload) == [("user", ["text", "text"])] and "messages.reasoning" in losses(encoded)
    encoded = encode(user("x"), Message(Role.ASSISTANT, (thought, TextPart("a"), thought)), user("y"))
    assert kinds(encoded.payload)[1] == ("assistant", ["thinking", "text"])


def test_pitfalls_64_124_unsigned_thinking_is_dropped_never_forged() -> None:
    talk = (user("x"), assistant(ReasoningPart("raw", opaque={"gemini": {"thoughtSignature": "s"}}), "y"), user("z"))
    encoded = encode(*talk)
    assert kinds(encoded.payload)[1] == ("assistant", ["text"])
    assert {"messages.reasoning", "messages.reasoning.state"} <= losses(encoded)
    wanted = encode(*talk, quirks=Quirks(unsigned_thinking=True)).payload["messages"][1]["content"][0]
    assert wanted == {"type": "thinking", "thinking": "raw", "signature": ""}


def test_pitfalls_46_103_calls_of_every_kind_and_broken_ones() -> None:
    calls = (
        ToolCallPart("a", "apply_patch", "*** Begin Patch", ToolKind.CUSTOM),
        ToolCallPart("b", "run", '{"x": tru'),
        ToolCallPart("c", "js", "{}", namespace="mcp"),
        ToolCallPart("d", "", '{"query":"q"}', ToolKind.SEARCH),
    )
    found = ToolResultPart("d", tools=(FunctionTool("new", namespace="mcp"),), kind=ToolKind.SEARCH)
    talk = (user("x"), assistant(*calls), *(result(i) for i in "abc"), Message(Role.TOOL, (found,)))
    encoded = encode(*talk, tools=(CustomTool("apply_patch"), RUN, FunctionTool("js", namespace="mcp")))
    given = [(b["name"], b["input"]) for b in encoded.payload["messages"][1]["content"]]
    assert given == [
        ("apply_patch", {"input": "*** Begin Patch"}),
        ("run", {"input": '{"x": tru'}),
        ("mcp__js", {}),
        ("tool_search", {"query": "q"}),
    ]
    assert [tool["name"] for tool in encoded.payload["tools"]] == ["apply_patch", "run", "mcp__js", "mcp__new"]
    assert "input" in encoded.payload["tools"][0]["input_schema"]["properties"]
    assert "mcp__new" in encoded.payload["messages"][2]["content"][3]["content"][0]["text"]


def test_pitfall_3_a_choice_needs_tools_and_a_history_with_calls_too() -> None:
    bare = encode(user("x"), tool_choice=ToolChoice(ChoiceMode.AUTO), parallel_tool_calls=True)
    assert "tools" not in bare.payload and losses(bare) == {"tool_choice", "parallel_tool_calls"}
    payload = encode(user("x"), called("a"), result("a", "1"), user("sum up"), compaction=True, tools=(RUN,)).payload
    assert payload["tools"][0]["name"] == "run" and payload["tool_choice"] == {"type": "none"}
    payload = encode(user("x"), called("a"), result("a", "1")).payload  # pitfall 105
    assert payload["tools"][0]["name"] == "run" and payload["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        (ToolChoice(ChoiceMode.AUTO), None, {"type": "auto"}),
        (ToolChoice(ChoiceMode.NONE), None, {"type": "none"}),
        (ToolChoice(ChoiceMode.REQUIRED), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(ChoiceMode.TOOL, ((None, "run"),)), None, {"type": "tool", "name": "run"}),
        (ToolChoice(ChoiceMode.ALLOWED, ((None, "run"),), required=True), None, {"type": "any"}),
        (None, True, {"type": "auto", "disable_parallel_tool_use": False}),
    ],
)
def test_pitfall_74_tool_choice(choice: ToolChoice | None, parallel: bool | None, told: dict[str, Any]) -> None:
    encoded = encode(user("x"), tools=(RUN,), tool_choice=choice, parallel_tool_calls=parallel)
    assert encoded.payload["tool_choice"] == told
    assert ("tool_choice.tools" in losses(encoded)) == (choice is not None and choice.mode is ChoiceMode.ALLOWED)


def test_pitfall_110_hosted_tools_only_where_they_run() -> None:
    search = HostedTool("openai_responses", "web_search", {"type": "web_search", "external_web_access": True})
    assert "tools.web_search" in losses(encode(user("x"), tools=(RUN, search)))
    encoded = encode(user("x"), tools=(RUN, search), quirks=Quirks(hosted_tools=("web_search",)))
    assert encoded.payload["tools"][1]["type"] == "web_search_20250305"
    assert "tools.web_search.external_web_access" in losses(encoded)


def test_a_compaction_is_told_as_text() -> None:
    payload = encode(user(CompactionPart("it happened")), user("go on")).payload
    assert "it happened" in payload["messages"][0]["content"][0]["text"]
    assert "messages.compaction" in losses(encode(user(CompactionPart(sealed="axh1.x"), "go on")))


CALLS = st.builds(
    lambda i, n: ToolCallPart(i, n, "{}"), st.sampled_from(["a", "b:", "c|", "b_"]), st.sampled_from(["run", "x.y"])
)
PARTS = st.one_of(
    st.builds(TextPart, st.sampled_from(["", " ", "hi", "é "])), st.just(SIGNED), st.just(ReasoningPart("raw")), CALLS
)
MESSAGES = st.one_of(
    st.builds(lambda parts: assistant(*parts), st.lists(PARTS, max_size=4)),
    st.builds(user, st.sampled_from(["", "hi", " "])),
    st.builds(lambda i: result(i, "ok"), st.sampled_from(["a", "b:", "c|", "b_"])),
    st.builds(developer, st.sampled_from(["sys", ""])),
)


@given(
    st.lists(MESSAGES, max_size=12),
    st.sampled_from(["claude-sonnet-4-5", OPUS, "claude-fable-5", "glm"]),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_conversation_becomes_a_legal_one(talk: list[Message], model: str, forced: bool) -> None:
    choice = ToolChoice(ChoiceMode.REQUIRED) if forced else None
    encode(*talk, model=model, tools=(RUN,), tool_choice=choice)
