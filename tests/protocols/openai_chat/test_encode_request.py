"""What upstreams are sent: Codex's real requests for each interesting vendor, and the pitfalls one by one."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openai.types.chat import CompletionCreateParams
from pydantic import TypeAdapter

from axonhub_cli.llm.content import (
    AudioPart,
    CompactionPart,
    CustomTool,
    FilePart,
    FunctionTool,
    HostedTool,
    ImagePart,
    OpaquePart,
    Part,
    ReasoningPart,
    SearchTool,
    ShellTool,
    TextPart,
    Tool,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    ToolsPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Reasoning, Request, ResponseFormat, Role, Sampling, ToolChoice
from axonhub_cli.protocols.base import Encoded
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.protocols.openai_chat.content import IMAGE_BELOW, NO_IMAGE
from axonhub_cli.protocols.openai_chat.messages import NO_RESULT
from axonhub_cli.protocols.openai_responses.request import decode_request as decode_responses
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests.protocols.openai_chat.support import FIXTURES, golden

CODEX = sorted((FIXTURES / "codex").glob("*.json"))
VENDORS = ("openai", "openai-compatible", "deepseek", "moonshot", "zai", "qwen", "minimax", "openrouter")
PARAMS: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams)
DEEPSEEK = CHANNEL_TYPES["deepseek"].quirks
PNG = "data:image/png;base64,iVBORw0KGgo="
RUN = FunctionTool("run", "Runs", {"type": "object", "properties": {}})


def message(role: Role, *parts: Part | str) -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def user(*parts: Part | str) -> Message:
    return message(Role.USER, *parts)


def assistant(*parts: Part | str) -> Message:
    return message(Role.ASSISTANT, *parts)


def called(call_id: str, arguments: str = "{}") -> Message:
    return assistant(ToolCallPart(call_id, "run", arguments))


def result(call_id: str, *parts: Part | str) -> Message:
    content = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Message(Role.TOOL, (ToolResultPart(call_id, content),))


def encode(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> Encoded:
    return CODEC.encode_request(Request("m", messages, **fields), quirks or Quirks())


def sent(*messages: Message, quirks: Quirks | None = None, **fields: Any) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = encode(*messages, quirks=quirks, **fields).payload["messages"]
    return written


def lost(encoded: Encoded) -> set[str]:
    return {loss.field for loss in encoded.losses}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("path", CODEX, ids=lambda path: path.stem)
def test_codex(path: Path, vendor: str) -> None:
    request = decode_responses(msgspec.json.decode(path.read_bytes()))
    encoded = CODEC.encode_request(request, CHANNEL_TYPES[vendor].quirks)
    losses = [f"{loss.field}: {loss.reason}" for loss in encoded.losses]
    golden(f"requests/{path.stem}.{vendor}", {"payload": encoded.payload, "losses": losses})
    again = CODEC.encode_request(request, CHANNEL_TYPES[vendor].quirks)  # pitfall 20
    assert msgspec.json.encode(again.payload) == msgspec.json.encode(encoded.payload)


@pytest.mark.parametrize("path", CODEX, ids=lambda path: path.stem)
def test_codex_fits_openais_own_types(path: Path) -> None:
    request = decode_responses(msgspec.json.decode(path.read_bytes()))
    PARAMS.validate_python(CODEC.encode_request(request, CHANNEL_TYPES["openai"].quirks).payload, strict=True)
    plain = msgspec.structs.replace(request, reasoning=None)  # the rest of a strict vendor's payload is OpenAI's too
    PARAMS.validate_python(CODEC.encode_request(plain, CHANNEL_TYPES["openai-compatible"].quirks).payload, strict=True)


def test_pitfall_2_one_leading_system_message_where_the_vendor_is_strict() -> None:
    talk = (message(Role.DEVELOPER, "a"), user("x"), message(Role.SYSTEM, "b", "c"), user("y"))
    assert [m["role"] for m in sent(*talk)] == ["developer", "user", "system", "user"]
    strict = sent(*talk, quirks=Quirks(system_role="system", merge_system=True))
    assert strict[0] == {"role": "system", "content": "a\n\nb\n\nc"}
    assert [m["role"] for m in strict] == ["system", "user", "user"]


def test_pitfall_3_no_tool_choice_without_tools() -> None:
    search = HostedTool("openai_responses", "web_search", {"type": "web_search"})
    encoded = encode(user("x"), tools=(search,), tool_choice=ToolChoice(ChoiceMode.AUTO), parallel_tool_calls=True)
    assert not encoded.payload.keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    assert lost(encoded) == {"tools.web_search", "tool_choice", "parallel_tool_calls"}  # pitfalls 110, 111


@pytest.mark.parametrize("bad", [None, {"type": None}, {"oneOf": [{"type": "object"}]}, {"$ref": "#/x"}])
def test_pitfall_4_parameters_are_an_object(bad: Any) -> None:
    encoded = encode(user("x"), tools=(FunctionTool("f", None, bad),))
    parameters = encoded.payload["tools"][0]["function"]["parameters"]
    assert parameters["type"] == "object"
    assert isinstance(parameters["properties"], dict)


def test_pitfall_5_annotations_of_responses_stay_here() -> None:
    fields = {"encrypted": {"type": "string", "encrypted": True}}
    tool = FunctionTool("f", None, {"type": "object", "properties": fields, "defer_loading": True})
    parameters = encode(user("x"), tools=(tool,)).payload["tools"][0]["function"]["parameters"]
    assert parameters == {"type": "object", "properties": {"encrypted": {"type": "string"}}}


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


def test_pitfall_12_usage_is_always_asked_for() -> None:
    own = {"openai_chat": {"stream_options": {"include_usage": False, "include_obfuscation": False}}}
    options = encode(user("x"), stream=True, extras=own).payload["stream_options"]
    assert options == {"include_usage": True, "include_obfuscation": False}
    assert encode(user("x"), stream=True).payload["stream_options"] == {"include_usage": True}
    assert "stream_options" not in encode(user("x")).payload
    assert "stream_options" not in encode(user("x"), stream=True, quirks=Quirks(stream_usage=False)).payload


EVERYTHING: dict[str, Any] = {
    "tools": (RUN,),
    "tool_choice": ToolChoice(ChoiceMode.AUTO),
    "parallel_tool_calls": True,
    "sampling": Sampling(0.5, 0.9, 40, 0.1, 0.2, 7, ("x",), 1, True, 2),
    "reasoning": Reasoning("high", summary="auto"),
    "format": ResponseFormat("json_schema", "codex_output_schema", {"type": "object"}, True),
    "verbosity": "low",
    "max_tokens": 99,
    "stream": True,
    "cache_key": "session",
    "user": "u",
    "service_tier": "flex",
    "extras": {"openai_responses": {"store": False, "include": ["x"], "client_metadata": {}}},
}


@pytest.mark.parametrize("vendor", CHANNEL_TYPES)
def test_pitfall_13_only_known_fields_leave(vendor: str) -> None:
    encoded = encode(user("x"), quirks=CHANNEL_TYPES[vendor].quirks, **EVERYTHING)
    golden(f"fields/{vendor}", {"sent": sorted(encoded.payload), "lost": sorted(lost(encoded))})
    assert {"store", "include", "client_metadata"} <= lost(encoded)
    assert not encoded.payload.keys() & {"store", "include", "client_metadata"}


def test_pitfall_14_the_sessions_own_cache_key() -> None:
    assert encode(user("x"), cache_key="s1").payload["prompt_cache_key"] == "s1"
    assert (
        encode(user("x"), cache_key="s1", quirks=CHANNEL_TYPES["moonshot"].quirks).payload["prompt_cache_key"] == "s1"
    )
    assert "prompt_cache_key" not in encode(user("x")).payload


SCHEMA = {"type": "object", "properties": {"title": {"type": "string", "minLength": 18}}, "required": ["title"]}


def test_pitfall_15_output_schema() -> None:
    form = ResponseFormat("json_schema", None, SCHEMA, True)
    written = encode(user("x"), format=form).payload["response_format"]
    assert written == {
        "type": "json_schema",
        "json_schema": {"name": "codex_output_schema", "schema": SCHEMA, "strict": True},
    }


@pytest.mark.parametrize("best", ["json_object", "none"])
def test_pitfall_15_output_schema_where_nobody_checks_it(best: str) -> None:
    form = ResponseFormat("json_schema", "t", SCHEMA, True)
    quirks = Quirks(response_format=best, system_role="system", merge_system=True)
    encoded = encode(message(Role.DEVELOPER, "rules"), user("x"), format=form, quirks=quirks)
    assert encoded.payload.get("response_format") == ({"type": "json_object"} if best == "json_object" else None)
    system = encoded.payload["messages"][0]["content"]
    assert system.startswith("rules\n\n") and "JSON" in system and '"minLength":18' in system
    assert [m["role"] for m in encoded.payload["messages"]] == ["system", "user"]
    assert "format.schema" in lost(encoded)
    bare = encode(user("x"), format=form, quirks=quirks).payload["messages"]
    assert [m["role"] for m in bare] == ["system", "user"]


def test_json_mode_brings_the_word_that_vendors_look_for() -> None:
    form = ResponseFormat("json_object")
    quirks = Quirks(response_format="json_object")
    assert len(sent(user("give me Json"), format=form, quirks=quirks)) == 1
    assert "JSON" in sent(user("x"), format=form, quirks=quirks)[0]["content"]


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra", "weird", None)
EFFORT_FIELDS = ("reasoning_effort", "reasoning", "thinking", "enable_thinking")


@pytest.mark.parametrize(
    "vendor", ["openai", "openai-compatible", "deepseek", "zai", "qwen", "openrouter", "xai", "minimax"]
)
def test_pitfalls_16_and_17_every_effort_for_every_vendor(vendor: str) -> None:
    table = {}
    for effort in EFFORTS:
        encoded = encode(user("x"), reasoning=Reasoning(effort), stream=True, quirks=CHANNEL_TYPES[vendor].quirks)
        said = {name: encoded.payload[name] for name in EFFORT_FIELDS if name in encoded.payload}
        table[str(effort)] = {"sent": said, "loss": [loss.reason for loss in encoded.losses]}
    golden(f"efforts/{vendor}", table)


def test_pitfall_17_off_in_each_vendors_words() -> None:
    def off(vendor: str) -> dict[str, Any]:
        payload = encode(user("x"), reasoning=Reasoning("none"), quirks=CHANNEL_TYPES[vendor].quirks).payload
        return {name: payload[name] for name in EFFORT_FIELDS if name in payload}

    assert off("openrouter") == {"reasoning": {"effort": "none"}}
    assert off("zai") == off("deepseek") == {"thinking": {"type": "disabled"}}
    assert off("qwen") == {"enable_thinking": False}
    assert off("openai") == {"reasoning_effort": "none"}


def test_reasoning_budgets() -> None:
    asked = Reasoning(None, 2000)
    assert encode(user("x"), reasoning=asked, quirks=CHANNEL_TYPES["openrouter"].quirks).payload["reasoning"] == {
        "max_tokens": 2000
    }
    assert encode(user("x"), reasoning=asked, quirks=CHANNEL_TYPES["qwen"].quirks).payload["thinking_budget"] == 2000
    assert lost(encode(user("x"), reasoning=asked)) == {"reasoning.budget"}


def test_pitfall_19_names_that_collide_or_are_too_long() -> None:
    tools: tuple[Tool, ...] = (
        FunctionTool("read", None, None, namespace="one"),
        FunctionTool("read", None, None, namespace="two"),
        FunctionTool("a.b"),
        FunctionTool("a_b"),
        FunctionTool("x" * 80, namespace="mcp"),
    )
    names = [tool["function"]["name"] for tool in encode(user("x"), tools=tools).payload["tools"]]
    assert len(set(names)) == 5
    assert names[:2] == ["one__read", "two__read"]
    assert all(len(name) <= 64 and "." not in name for name in names)


def test_pitfalls_21_108_114_one_list_of_tools() -> None:
    found = Message(
        Role.TOOL, (ToolResultPart("s", (), ToolKind.SEARCH, tools=(FunctionTool("spawn", namespace="agents"), RUN)),)
    )
    talk = (
        message(Role.DEVELOPER, ToolsPart((RUN, CustomTool("exec", namespace="functions")))),
        assistant(ToolCallPart("s", "tool_search", '{"query":"x"}', ToolKind.SEARCH)),
        found,
    )
    encoded = encode(*talk, tools=(SearchTool("Finds tools", {"type": "object", "properties": {}}), RUN))
    names = [tool["function"]["name"] for tool in encoded.payload["tools"]]
    assert names == ["tool_search", "run", "functions__exec", "agents__spawn"]
    assert [m["role"] for m in encoded.payload["messages"]] == ["assistant", "tool"]
    assert msgspec.json.decode(encoded.payload["messages"][1]["content"]) == {"tools": ["agents__spawn", "run"]}


def test_what_a_namespace_is_for_is_told_once() -> None:
    tools = (FunctionTool("a", "A", namespace="ns"), FunctionTool("b", "B", namespace="ns"))
    written = encode(user("x"), tools=tools, namespaces={"ns": "Sub-agents."}).payload["tools"]
    assert [tool["function"]["description"] for tool in written] == ["Sub-agents.\n\nA", "B"]


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


def test_pitfall_103_custom_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: begin_patch"}
    tool = CustomTool("apply_patch", "Edits files", grammar)
    talk = (assistant(ToolCallPart("c", "apply_patch", "*** Begin", ToolKind.CUSTOM)), result("c", "ok"))
    lowered = encode(*talk, tools=(tool,)).payload
    function = lowered["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert "start: begin_patch" in function["description"]
    assert lowered["messages"][0]["tool_calls"][0]["function"]["arguments"] == '{"input":"*** Begin"}'
    native = encode(*talk, tools=(tool,), quirks=Quirks(custom_tools=True)).payload
    assert native["tools"][0]["custom"]["format"] == {
        "type": "grammar",
        "grammar": {"syntax": "lark", "definition": "start: begin_patch"},
    }
    assert native["messages"][0]["tool_calls"][0]["custom"] == {"name": "apply_patch", "input": "*** Begin"}


def test_pitfall_107_a_choice_names_the_flat_tool() -> None:
    tool = FunctionTool("spawn", namespace="agents")
    choice = ToolChoice(ChoiceMode.TOOL, (("agents", "spawn"),))
    encoded = encode(user("x"), tools=(tool,), tool_choice=choice)
    assert encoded.payload["tool_choice"] == {"type": "function", "function": {"name": "agents__spawn"}}
    strict = encode(user("x"), tools=(tool,), tool_choice=choice, quirks=Quirks(forced_tool_choice=False))
    assert strict.payload["tool_choice"] == "auto"
    assert lost(strict) == {"tool_choice"}


def test_pitfall_109_local_shell() -> None:
    talk = (assistant(ToolCallPart("c", "local_shell", '{"command":["ls"]}', ToolKind.SHELL)), result("c", "a"))
    encoded = encode(*talk, tools=(ShellTool(),)).payload
    assert encoded["tools"][0]["function"]["name"] == "local_shell"
    assert encoded["messages"][0]["tool_calls"][0]["function"] == {
        "name": "local_shell",
        "arguments": '{"command":["ls"]}',
    }


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


def test_state_on_calls_goes_back() -> None:
    state = {"extra_content": {"google": {"thought_signature": "x"}}}
    call = ToolCallPart("c", "run", "{}", opaque={"openai_chat": state})
    assert sent(assistant(call), result("c", "1"))[0]["tool_calls"][0]["extra_content"] == state["extra_content"]


def test_fields_of_other_protocols_are_lost_by_name() -> None:
    odd = Message(Role.USER, (TextPart("x"),), extras={"openai_responses": {"phase": "p"}})
    encoded = encode(odd, extras={"openai_responses": {"truncation": "auto"}})
    assert lost(encoded) == {"messages.phase", "truncation"}


def test_max_tokens_by_its_local_name() -> None:
    assert encode(user("x"), max_tokens=5).payload["max_completion_tokens"] == 5
    assert encode(user("x"), max_tokens=5, quirks=Quirks(max_tokens_field="max_tokens")).payload["max_tokens"] == 5
    assert encode(user("x"), quirks=Quirks(max_output_tokens=9)).payload["max_completion_tokens"] == 9
