"""What upstreams are sent: Codex's real requests for each interesting vendor, and the fields one by one."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from axonhub_cli.llm.content import (
    TextPart,
)
from axonhub_cli.llm.request import ChoiceMode, Message, Reasoning, ResponseFormat, Role, Sampling, ToolChoice
from axonhub_cli.protocols.openai_chat import CODEC
from axonhub_cli.protocols.openai_responses.request import decode_request as decode_responses
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests import golden
from tests.protocols.laws import REQUESTS, Fixture
from tests.protocols.openai_chat.asking import (
    PARAMS,
    RUN,
    encode,
    lost,
    message,
    sent,
    user,
)

CODEX = [fixture for fixture in REQUESTS if fixture.name.startswith("codex-")]


@pytest.mark.parametrize("asked", CODEX, ids=str)
def test_a_strict_vendors_payload_is_openais_too(asked: Fixture) -> None:
    request = replace(asked.codec.decode_request(asked.payload), reasoning=None)  # said in words of its own
    payload = CODEC.encode_request(request, CHANNEL_TYPES["openai-compatible"].quirks).payload
    PARAMS.validate_python(payload, strict=True)


def test_pitfall_27_files_and_sounds_of_a_responses_client() -> None:
    parts = [
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]
    asked = decode_responses({"model": "m", "input": [{"type": "message", "role": "user", "content": parts}]})
    content = CODEC.encode_request(asked, CHANNEL_TYPES["openai"].quirks).payload["messages"][0]["content"]
    assert content == [
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    ]


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
    "extras": {"openai_responses": {"store": False, "include": ["x"], "client_metadata": {"a": "b"}}},
}


@pytest.mark.parametrize("vendor", [name for name, row in CHANNEL_TYPES.items() if CODEC.name in row.protocols])
def test_pitfall_13_only_known_fields_leave(vendor: str) -> None:
    encoded = encode(user("x"), quirks=CHANNEL_TYPES[vendor].quirks, **EVERYTHING)
    golden.check(f"openai_chat/fields/{vendor}.json", {"sent": sorted(encoded.payload), "lost": sorted(lost(encoded))})
    assert {"include", "client_metadata"} <= lost(encoded)  # `store: false` asks for nothing
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
    golden.check(f"openai_chat/efforts/{vendor}.json", table)


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


def test_fields_of_other_protocols_are_lost_by_name() -> None:
    odd = Message(Role.USER, (TextPart("x"),), extras={"openai_responses": {"phase": "p"}})
    encoded = encode(odd, extras={"openai_responses": {"truncation": "auto"}})
    assert lost(encoded) == {"messages.phase", "truncation"}


def test_max_tokens_by_its_local_name() -> None:
    assert encode(user("x"), max_tokens=5).payload["max_completion_tokens"] == 5
    assert encode(user("x"), max_tokens=5, quirks=Quirks(max_tokens_field="max_tokens")).payload["max_tokens"] == 5
    assert encode(user("x"), quirks=Quirks(max_output_tokens=9)).payload["max_completion_tokens"] == 9
