"""The conversation that upstreams are sent, pitfall by pitfall."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from axonhub_cli.llm.content import (
    AudioPart,
    CompactionPart,
    FilePart,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.fold import fold
from axonhub_cli.llm.request import Message, Reasoning, Role
from axonhub_cli.protocols.media import NO_IMAGE
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.protocols.openai_chat.content import IMAGE_BELOW, NO_OUTPUT
from axonhub_cli.protocols.openai_chat.order import READ
from axonhub_cli.protocols.results import NO_RESULT
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests.protocols.openai_chat.asking import (
    DEEPSEEK,
    PARAMS,
    PNG,
    RUN,
    assistant,
    called,
    encode,
    lost,
    message,
    result,
    sent,
    user,
)
from tests.protocols.openai_chat.support import chunk, decode, sse


def test_pitfall_2_one_leading_system_message_where_the_vendor_is_strict() -> None:
    talk = (message(Role.DEVELOPER, "a"), user("x"), message(Role.SYSTEM, "b", "c"), user("y"))
    assert [m["role"] for m in sent(*talk)] == ["developer", "user", "system", "user"]
    strict = sent(*talk, quirks=Quirks(system_role="system", merge_system=True))
    assert strict[0] == {"role": "system", "content": "a\n\nb\n\nc"}
    assert [m["role"] for m in strict] == ["system", "user", "user"]
    odd = OpaquePart("openai_chat", "odd", {"type": "odd", "text": None})
    assert sent(message(Role.SYSTEM, "a", odd), quirks=Quirks(merge_system=True))[0]["content"] == "a"


def test_pitfall_70_mistral_takes_ids_of_nine_letters_and_the_assistants_words_after_results() -> None:
    """A session that began with another vendor goes on at Mistral, also where its turn was interrupted."""
    quirks = CHANNEL_TYPES["mistral"].quirks
    talk = (called("call_0"), result("call_0", "1"), called("call_0"), result("call_0", PNG, "2"), user("stop"))
    for conversation in (talk, (called("Abc123xyz"), result("Abc123xyz", "1"), assistant("Done."), user("Thanks."))):
        messages = sent(*conversation, quirks=quirks)
        ids = [call["id"] for m in messages for call in m.get("tool_calls", ())]
        assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == ids == list(dict.fromkeys(ids))
        assert all(len(id) == 9 and id.isalnum() for id in ids)
        roles = [m["role"] for m in messages]
        assert ("tool", "user") not in itertools.pairwise(roles)
        assert CODEC.fits({"messages": messages}, quirks)
    assert ids == ["Abc123xyz"] and READ not in str(messages)
    plain = sent(*talk)
    assert READ not in str(plain) and plain[0]["tool_calls"][0]["id"] == "call_0"
    assert CODEC.fits({"messages": plain}, Quirks()) and not CODEC.fits({"messages": plain}, quirks)
    assert CODEC.fits({"messages": [{"role": "user"}, 1]}, quirks) and CODEC.fits({}, quirks)


@pytest.mark.parametrize("arguments", ["", "  \n"])
def test_pitfall_6_empty_arguments(arguments: str) -> None:
    assert sent(called("c", arguments), result("c", "x"))[0]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_pitfall_46_broken_arguments_in_the_history_are_wrapped() -> None:
    encoded = encode(called("c", '{"a": tru'), result("c", "x"))
    assert msgspec.json.decode(encoded.payload["messages"][0]["tool_calls"][0]["function"]["arguments"])
    assert "messages.tool_call.input" in lost(encoded)


def test_pitfall_7_one_assistant_message_a_turn() -> None:
    talk = (
        user("go"),
        assistant("text"),
        called("a"),
        called("b"),
        result("b", "2"),
        result("a", "1"),
        assistant("end"),
    )
    written = sent(*talk)
    assert [m["role"] for m in written] == ["user", "assistant", "tool", "tool", "assistant"]
    assert (written[1]["content"], [c["id"] for c in written[1]["tool_calls"]]) == ("text", ["a", "b"])
    assert [m["content"] for m in written[2:4]] == ["1", "2"]  # pitfall 20: in the order of the calls


def test_pitfall_8_interrupted_batch() -> None:
    encoded = encode(called("a"), called("b"), called("c"), result("b", "2"), result("z", "?"), user("go on"))
    written = encoded.payload["messages"]
    assert [m.get("content") for m in written] == [None, NO_RESULT, "2", NO_RESULT, "go on"]
    assert lost(encoded) == {"messages.tool_call", "messages.tool_result"}


def test_pitfall_9_the_last_result_counts_at_the_first_place() -> None:
    written = sent(called("a"), called("b"), result("a", "old"), result("b", "2"), result("a", "new"))
    assert [m["content"] for m in written[1:]] == ["new", "2"]


def test_the_same_call_id_in_two_turns_keeps_both_results() -> None:
    written = sent(called("run:0"), result("run:0", "1"), user("again"), called("run:0"), result("run:0", "2"))
    assert [m["content"] for m in written if m["role"] == "tool"] == ["1", "2"]


def test_results_that_come_late_still_follow_their_calls() -> None:
    written = sent(called("a"), message(Role.DEVELOPER, "note"), result("a", "1"), assistant("end"))
    assert [m["role"] for m in written] == ["assistant", "tool", "developer", "assistant"]


def test_pitfall_10_images_of_tools_move_to_a_user_message_after_the_batch() -> None:
    big = "data:image/png;base64," + "A" * 1_000_000
    talk = (called("a"), called("b"), result("a", "see", ImagePart(big)), result("b", "2"), user("well?"))
    written = sent(*talk)
    assert [m["role"] for m in written] == ["assistant", "tool", "tool", "user", "user"]
    assert written[1]["content"] == f"see\n{IMAGE_BELOW}"
    assert written[3]["content"][1] == {"type": "image_url", "image_url": {"url": big}}
    native = sent(*talk, quirks=Quirks(tool_images=True))
    assert native[1]["content"][-1]["image_url"]["url"] == big
    assert [m["role"] for m in native] == ["assistant", "tool", "tool", "user"]


def test_pitfall_11_text_only_upstreams_never_see_an_image() -> None:
    encoded = encode(user("a", ImagePart(PNG)), called("c"), result("c", ImagePart(PNG)), quirks=Quirks(vision=False))
    written = encoded.payload["messages"]
    assert written[0]["content"] == f"a\n\n{NO_IMAGE}"
    assert written[2]["content"] == NO_IMAGE
    assert "messages.image" in lost(encoded)
    assert b"base64" not in msgspec.json.encode(encoded.payload)


def test_a_file_without_a_name_is_given_one() -> None:
    """OpenAI refuses data without a filename (laravel/ai issue 321)."""
    encoded = encode(user(FilePart(data="data:application/pdf;base64,JVBERi0=")))
    file = encoded.payload["messages"][-1]["content"][-1]["file"]
    assert file == {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "file.pdf"}


def test_pitfall_22_every_part_in_every_role() -> None:
    """Whatever a history holds, a payload comes out that OpenAI's types accept, and nothing raises."""
    parts: list[Part] = [
        TextPart("t"),
        ImagePart(PNG, "original"),
        AudioPart("UklGRg==", "wav"),
        FilePart(url="https://x/a.pdf", filename="a.pdf"),
        FilePart(data="data:application/pdf;base64,JVBERi0="),
        ReasoningPart("r", ("s",)),
        ReasoningPart(opaque={"openai_responses": {"encrypted_content": "gAAAA"}}),
        ToolCallPart("c", "run", "{}"),
        ToolCallPart("d", "apply_patch", "*** x", ToolKind.CUSTOM),
        ToolCallPart("e", "tool_search", "{}", ToolKind.SEARCH),
        ToolCallPart("f", "local_shell", '{"command":["ls"]}', ToolKind.SHELL),
        ToolResultPart("c", (TextPart("x"), ImagePart(PNG)), failed=True),
        ToolsPart((RUN,)),
        CompactionPart("so far"),
        CompactionPart(sealed="axh1.x"),
        OpaquePart("openai_responses", "web_search_call", {"type": "web_search_call"}),
    ]
    for role, (first, second) in itertools.product(Role, itertools.permutations(parts, 2)):
        for quirks in (CHANNEL_TYPES["openai"].quirks, DEEPSEEK):
            encoded = encode(message(role, first), message(role, second), user("x"), quirks=quirks)
            written = encoded.payload["messages"]
            for entry in written:
                entry.pop("reasoning_content", None)
            PARAMS.validate_python({"model": "m", "messages": written}, strict=True)


def test_compaction() -> None:
    assert "so far" in sent(user(CompactionPart("so far")))[0]["content"]
    encoded = encode(user(CompactionPart(sealed="axh1.x")), user("x"))
    assert lost(encoded) == {"messages.compaction"}
    assert len(encoded.payload["messages"]) == 1
    summary = encode(called("c"), result("c", "1"), user("sum up"), tools=(RUN,), compaction=True)
    assert "tools" not in summary.payload


def test_a_result_without_words_is_told_in_words() -> None:
    """As of a tool of an MCP server that returns nothing: other vendors than OpenAI refuse an empty message."""
    talk = called("c"), result("c", "")
    assert [sent(*talk, quirks=quirks)[1]["content"] for quirks in (DEEPSEEK, Quirks())] == [NO_OUTPUT, ""]


def test_pitfalls_113_and_115_results_that_are_lists_in_disguise() -> None:
    listed = f'[{{"type":"input_text","text":"shot"}},{{"type":"input_image","image_url":"{PNG}"}}]'
    written = sent(called("c"), result("c", listed))
    assert written[1]["content"] == f"shot\n{IMAGE_BELOW}"
    assert written[2]["content"][1]["image_url"]["url"] == PNG
    mcp = '[{"type":"image","data":"iVBORw0KGgo=","mimeType":"image/png"}]'
    assert sent(called("c"), result("c", mcp))[2]["content"][1]["image_url"]["url"] == PNG
    for text in ('[{"type":"text","text":"about an image"}]', '["image"]', "[image", '{"image":1}'):
        assert sent(called("c"), result("c", text))[1]["content"] == text


def test_pitfall_117_deepseek_gets_reasoning_back_beside_calls() -> None:
    talk = (user("go"), assistant(ReasoningPart("why")), called("a"), result("a", "1"), called("b"), result("b", "2"))
    written = sent(*talk, assistant(ReasoningPart("done")), assistant("end"), quirks=DEEPSEEK)
    echoed = [m.get("reasoning_content") for m in written if m["role"] == "assistant"]
    assert echoed == ["why", "(not recorded)", None]
    off = sent(*talk, quirks=DEEPSEEK, reasoning=Reasoning("none"))
    assert [m.get("reasoning_content") for m in off if m["role"] == "assistant"] == ["why", None]


def test_pitfall_117_a_summary_stands_in_for_the_chain() -> None:
    written = sent(assistant(ReasoningPart(summary=("one", "two"))), called("a"), result("a", "1"), quirks=DEEPSEEK)
    assert written[0]["reasoning_content"] == "one\n\ntwo"


def test_pitfall_118_reasoning_goes_forward_and_never_across_a_users_turn() -> None:
    quirks = Quirks(reasoning_echo="always")
    talk = (
        assistant(ReasoningPart("r1")),
        assistant("t"),
        assistant(ReasoningPart("r2")),
        called("a"),
        result("a", "1"),
    )
    assert sent(*talk, quirks=quirks)[0]["reasoning_content"] == "r1\n\nr2"
    left = sent(*talk, assistant(ReasoningPart("r3")), user("next"), assistant("ok"), quirks=quirks)
    assert left[0]["reasoning_content"] == "r1\n\nr2\n\nr3"
    assert "reasoning_content" not in left[-1]
    alone = encode(user("x"), assistant(ReasoningPart("r")), user("y"), quirks=quirks)  # pitfall 126
    assert [m["role"] for m in alone.payload["messages"]] == ["user", "user"]
    assert lost(alone) == {"messages.reasoning"}


def test_pitfall_121_every_kind_of_call_brings_its_reasoning() -> None:
    for kind in ToolKind:
        call = ToolCallPart("c", "x", "{}", kind)
        written = sent(assistant(ReasoningPart("why")), assistant(call), result("c", "1"), quirks=DEEPSEEK)
        assert written[0]["reasoning_content"] == "why"


def test_pitfall_122_kimi_gets_no_placeholder() -> None:
    kimi = CHANNEL_TYPES["moonshot"].quirks
    written = sent(called("a"), result("a", "1"), assistant(ReasoningPart("real"), "t"), quirks=kimi)
    assert "reasoning_content" not in written[0]
    assert written[2]["reasoning_content"] == "real"


def test_pitfall_123_plain_openai_gets_no_reasoning() -> None:
    encoded = encode(assistant(ReasoningPart("why")), called("a"), result("a", "1"))
    assert "reasoning_content" not in encoded.payload["messages"][0]
    assert lost(encoded) == {"messages.reasoning"}


def test_pitfall_125_blocks_go_back_as_they_came() -> None:
    blocks = [{"type": "reasoning.text", "text": "why", "signature": "s", "index": 0}]
    signed = ReasoningPart("why", opaque={"openai_chat": {"reasoning_details": blocks}})
    for vendor in ("openrouter", "minimax"):
        quirks = CHANNEL_TYPES[vendor].quirks
        assert sent(assistant(signed), called("a"), result("a", "1"), quirks=quirks)[0]["reasoning_details"] == blocks
    plain = (assistant(ReasoningPart("why")), called("a"), result("a", "1"))
    rebuilt = sent(*plain, quirks=CHANNEL_TYPES["minimax"].quirks)[0]["reasoning_details"]
    assert rebuilt == [{"type": "reasoning.text", "text": "why"}]
    never_forged = encode(*plain, quirks=CHANNEL_TYPES["openrouter"].quirks)
    assert "reasoning_details" not in never_forged.payload["messages"][0]
    assert "messages.reasoning" in lost(never_forged)


def test_pitfall_126_blocks_of_two_answers_never_share_a_message() -> None:
    def thought(answer: str) -> Message:
        delta = {"reasoning_details": [{"type": "reasoning.text", "text": answer, "signature": answer, "index": 0}]}
        read = fold(decode(sse({**chunk(delta), "id": answer}, chunk({}, "stop"))))
        return assistant(*read.parts)

    def echoed(*talk: Message) -> list[Any]:
        written = sent(user("go"), *talk, quirks=CHANNEL_TYPES["openrouter"].quirks)
        return [[block["signature"] for block in m["reasoning_details"]] for m in written if m["role"] == "assistant"]

    step = called("c"), result("c", "1")
    assert echoed(thought("a"), thought("a"), *step) == [["a", "a"]]
    assert echoed(thought("broken"), thought("a"), *step) == [["a"]]
    assert echoed(thought("a"), *step, thought("broken"), user("next")) == [["a"]]


def test_state_on_calls_goes_back() -> None:
    state = {"extra_content": {"google": {"thought_signature": "x"}}}
    call = ToolCallPart("c", "run", "{}", opaque={"openai_chat": state})
    assert sent(assistant(call), result("c", "1"))[0]["tool_calls"][0]["extra_content"] == state["extra_content"]
