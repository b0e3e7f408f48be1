"""max_tokens, thinking, sampling, structured output: what each generation of Claude takes."""

from __future__ import annotations

from typing import Any

import pytest

from axonhub_cli.llm.content import ReasoningPart, ToolCallPart
from axonhub_cli.llm.request import ChoiceMode, Reasoning, ResponseFormat, Sampling, ToolChoice
from axonhub_cli.protocols.anthropic_messages import CODEC
from axonhub_cli.protocols.claude import model_of
from axonhub_cli.protocols.efforts import LEVELS
from axonhub_cli.vendors import Quirks
from tests.protocols.anthropic_messages.helpers import (
    NAME,
    OPUS,
    RUN,
    SONNET,
    assistant,
    called,
    encode,
    losses,
    result,
    user,
)

ENABLED = Quirks(thinking_style="enabled", efforts=("low", "high", "max"))


@pytest.mark.parametrize(
    ("name", "family", "version", "output"),
    [
        ("claude-opus-4-8", "opus", (4, 8), 128_000),
        ("claude-sonnet-4-5-20250929", "sonnet", (4, 5), 64_000),
        ("claude-opus-4-1-20250805", "opus", (4, 1), 32_000),
        ("claude-sonnet-4-20250514", "sonnet", (4, 0), 64_000),
        ("claude-3-7-sonnet-latest", "sonnet", (3, 7), 64_000),
        ("claude-3-5-haiku-20241022", "haiku", (3, 5), 8_192),
        ("anthropic/claude-opus-4.6", "opus", (4, 6), 128_000),
        ("eu.anthropic.claude-fable-5-1-v1:0", "fable", (5, 1), 128_000),
        ("claude-sonnet-5", "sonnet", (5, 0), 128_000),
        ("deepseek-v4-pro", "", None, 32_768),
    ],
)
def test_a_models_name_says_what_it_takes(name: str, family: str, version: Any, output: int) -> None:
    model = model_of(name)
    assert (model.family, model.version, model.max_output) == (family, version, output)


def test_pitfall_71_max_tokens_is_always_there() -> None:
    assert encode(user("x")).payload["max_tokens"] == 64_000
    assert encode(user("x"), quirks=Quirks(max_output_tokens=500)).payload["max_tokens"] == 500
    assert encode(user("x"), max_tokens=7).payload["max_tokens"] == 7
    most = encode(user("x"), max_tokens=200_000)
    assert most.payload["max_tokens"] == 64_000 and losses(most) == {"max_output_tokens"}


@pytest.mark.parametrize(
    ("effort", "max_tokens", "budget"),
    [
        ("xhigh", 4096, 2048),
        ("minimal", None, 1024),
        ("high", None, 16384),
        ("ultra", None, 32000),
        ("low", 2000, None),
    ],
)
def test_pitfall_72_a_budget_leaves_room_for_the_answer(
    effort: str, max_tokens: int | None, budget: int | None
) -> None:
    encoded = encode(user("x"), reasoning=Reasoning(effort), max_tokens=max_tokens)
    assert encoded.payload.get("thinking", {}).get("budget_tokens") == budget
    assert ("reasoning.effort" in losses(encoded)) == (budget is None)


def test_pitfall_72_a_clients_own_budget() -> None:
    told = encode(user("x"), reasoning=Reasoning(budget=9000), max_tokens=8000).payload
    assert told["thinking"]["budget_tokens"] == 7999
    newer = encode(user("x"), reasoning=Reasoning(budget=9000), model=OPUS)
    assert newer.payload["thinking"] == {"type": "adaptive"}
    assert newer.payload["output_config"] == {"effort": "high"} and "reasoning.budget" in losses(newer)


@pytest.mark.parametrize("effort", LEVELS)
@pytest.mark.parametrize(
    ("model", "quirks", "legal"),
    [
        (OPUS, Quirks(), {"low", "medium", "high", "xhigh", "max"}),
        ("claude-opus-4-6", Quirks(), {"low", "medium", "high", "max"}),
        ("deepseek-flash", ENABLED, {"low", "high", "max"}),
    ],
)
def test_pitfall_16_every_effort_becomes_a_legal_one(effort: str, model: str, quirks: Quirks, legal: set[str]) -> None:
    encoded = encode(user("x"), reasoning=Reasoning(effort), model=model, quirks=quirks)
    told = encoded.payload["output_config"]["effort"]
    assert told in legal and (told == effort) == ("reasoning.effort" not in losses(encoded))
    assert encoded.payload["thinking"]["type"] == ("enabled" if quirks is ENABLED else "adaptive")


@pytest.mark.parametrize("model", [SONNET, OPUS, "deepseek-flash"])
def test_pitfalls_17_18_off_is_said_and_has_no_effort_beside_it(model: str) -> None:
    payload = encode(user("x"), reasoning=Reasoning("none"), model=model).payload
    assert payload["thinking"] == {"type": "disabled"} and "output_config" not in payload
    asked = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    asked |= {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}
    encoded = CODEC.encode_request(CODEC.decode_request(asked), ENABLED)
    assert "output_config" not in encoded.payload and "output_config.effort" in losses(encoded)


def test_models_that_always_think_or_never_do() -> None:
    always = encode(user("x"), reasoning=Reasoning("none"), model="claude-fable-5")
    assert "thinking" not in always.payload and "reasoning.effort" in losses(always)
    never = encode(user("x"), reasoning=Reasoning("high", summary="auto"), model="claude-3-5-haiku-latest")
    assert "thinking" not in never.payload and {"reasoning.effort", "reasoning.summary"} <= losses(never)


@pytest.mark.parametrize("choice", [ToolChoice(ChoiceMode.REQUIRED), ToolChoice(ChoiceMode.TOOL, ((None, "run"),))])
def test_pitfall_73_a_forced_tool_excludes_thinking(choice: ToolChoice) -> None:
    asked: dict[str, Any] = {"tools": (RUN,), "tool_choice": choice, "reasoning": Reasoning("high")}
    older, newer = (encode(user("x"), model=model, **asked) for model in (SONNET, OPUS))
    assert "thinking" not in older.payload and older.payload["tool_choice"]["type"] in {"any", "tool"}
    assert newer.payload["thinking"] == {"type": "disabled"} and "output_config" not in newer.payload
    assert "reasoning.effort" in losses(older) & losses(newer)
    for effort in (Reasoning("high"), Reasoning("none"), None):
        always = encode(user("x"), model="claude-fable-5", **{**asked, "reasoning": effort})
        assert always.payload["tool_choice"] == {"type": "auto"} and "tool_choice" in losses(always)


def test_pitfall_73_sampling() -> None:
    sampling = Sampling(temperature=1.5, top_p=0.9, top_k=5, stop=("END", " "), seed=1)
    plain = encode(user("x"), sampling=sampling)
    assert {name: plain.payload.get(name) for name in ("temperature", "top_p", "top_k")} == {
        "temperature": 1,
        "top_p": None,
        "top_k": 5,
    }
    assert plain.payload["stop_sequences"] == ["END"]
    assert {"temperature", "top_p", "stop[1]", "seed"} <= losses(plain)
    for encoded in (
        encode(user("x"), sampling=sampling, reasoning=Reasoning("high")),
        encode(user("x"), sampling=sampling, model=OPUS),
    ):
        assert not {"temperature", "top_p", "top_k"} & encoded.payload.keys()
        assert {"temperature", "top_p", "top_k"} <= losses(encoded)


@pytest.mark.parametrize("signed", [True, False])
def test_pitfall_66_thinking_is_off_while_a_loop_lacks_its_signed_block(signed: bool) -> None:
    thought = ReasoningPart("t", opaque={NAME: {"signature": "S"}} if signed else {})
    loop = (user("x"), assistant(thought, ToolCallPart("a", "run", "{}")), result("a", "1"))
    inside = encode(*loop, reasoning=Reasoning("high"), tools=(RUN,))
    assert ("thinking" in inside.payload) == signed == ("reasoning.effort" not in losses(inside))
    after = encode(*loop, assistant("done"), user("next"), reasoning=Reasoning("high"), tools=(RUN,))
    assert "thinking" in after.payload
    adaptive = encode(*loop, reasoning=Reasoning("high"), tools=(RUN,), model=OPUS)
    assert adaptive.payload["thinking"] == {"type": "adaptive"}


def test_pitfall_66_a_later_step_of_a_signed_loop_needs_no_block_of_its_own() -> None:
    first = assistant(ReasoningPart("t", opaque={NAME: {"signature": "S"}}), ToolCallPart("a", "run", "{}"))
    talk = (user("x"), first, result("a", "1"), called("b"), result("b", "2"))
    assert "thinking" in encode(*talk, reasoning=Reasoning("high"), tools=(RUN,)).payload


def test_pitfall_66_an_answer_begun_by_the_client_goes_without_thinking() -> None:
    begun = encode(user("x"), assistant("My answer"), reasoning=Reasoning("high"))
    assert "thinking" not in begun.payload and "reasoning.effort" in losses(begun)
    assert begun.payload["messages"][-1]["role"] == "assistant"


def test_a_summary_is_asked_for_where_it_is_hidden() -> None:
    newer = encode(user("x"), reasoning=Reasoning("high", summary="auto"), model=OPUS).payload
    assert newer["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert "reasoning.summary" in losses(encode(user("x"), reasoning=Reasoning("high", summary="auto")))


SCHEMA = {"type": "object", "properties": {"title": {"type": "string", "maxLength": 9}}, "required": ["title"]}


def test_pitfall_15_a_schema_is_sent_as_anthropic_takes_it() -> None:
    form = ResponseFormat("json_schema", "n", SCHEMA, strict=True)
    encoded = encode(user("x"), format=form)
    assert encoded.payload["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"title": {"type": "string"}},
            "required": ["title"],
            "additionalProperties": False,
        },
    }
    assert {"format.schema.maxLength", "format.name", "format.strict"} <= losses(encoded)


@pytest.mark.parametrize(
    ("form", "quirks", "model"),
    [
        (ResponseFormat("json_schema", schema=SCHEMA), Quirks(response_format="none"), SONNET),
        (ResponseFormat("json_schema", schema=SCHEMA), Quirks(), "claude-sonnet-4-20250514"),
        (ResponseFormat("json_object"), Quirks(), SONNET),
    ],
)
def test_pitfall_15_else_the_prompt_asks_for_it(form: ResponseFormat, quirks: Quirks, model: str) -> None:
    encoded = encode(user("x"), format=form, quirks=quirks, model=model)
    assert "output_config" not in encoded.payload and "format" in losses(encoded)
    words = encoded.payload["system"][-1]["text"]
    assert "JSON" in words and (form.schema is None or "maxLength" in words)


@pytest.mark.parametrize(("tier", "told"), [("auto", "auto"), ("default", "standard_only"), ("flex", None)])
def test_service_tiers(tier: str, told: str | None) -> None:
    encoded = encode(user("x"), service_tier=tier)
    assert encoded.payload.get("service_tier") == told and ("service_tier" in losses(encoded)) == (told is None)
