"""What is left out after a refusal (pitfalls 11, 13, 67), on the payloads of each protocol."""

from __future__ import annotations

from typing import Any

import pytest

from axonhub_cli.llm.errors import APIError
from axonhub_cli.protocols import registry, remedies
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.protocols.remedies import Remedy

REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "store": False,
    "prompt_cache_key": "k",
    "text": {"verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "input": [
        {"type": "message", "id": "msg_1", "role": "user", "content": [{"type": "input_text", "text": "hi"}, IMAGE]},
        REASONING,
        CALL,
        {"type": "function_call_output", "call_id": "c1", "output": [IMAGE]},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "gBBBB"},
    ],
}
CHAT: dict[str, Any] = {
    "model": "m",
    "prompt_cache_key": "k",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "u"}}]}
    ],
}


def find(
    error: APIError, payload: dict[str, Any], tried: tuple[str, ...] = (), *, summing: bool = False
) -> Remedy | None:
    """Asked for the protocol in which the payload is written."""
    field = next(name for name in ("input", "contents", "messages") if name in payload)
    protocols = {"input": "openai_responses", "contents": "gemini", "messages": "openai_chat"}
    upstream = registry.upstream("anthropic_messages" if "thinking" in payload else protocols[field])
    return remedies.find(error, upstream, lambda: payload, tried, summing=summing)


def refusal(message: str, status: int = 400, **fields: str) -> APIError:
    import msgspec

    return read_error(status, {}, msgspec.json.encode({"error": {"message": message, **fields}}))


def mended(error: APIError, payload: dict[str, Any]) -> tuple[str, dict[str, Any], list[str]]:
    remedy = find(error, payload)
    assert remedy is not None
    changed, losses = remedy.edit(payload)
    return remedy.name, changed, [loss.field for loss in losses]


@pytest.mark.parametrize(
    "error",
    [
        refusal("The encrypted content gAAA could not be verified.", code="invalid_encrypted_content"),
        refusal("The encrypted content for item rs_1 could not be decrypted or parsed."),
        refusal("Encrypted content item_id did not match the target item id."),
        refusal("Item with id 'rs_68a' not found. Items are not persisted when `store` is set to false."),
        refusal("Cannot decrypt reasoning."),
    ],
)
def test_state_goes_and_what_was_said_stays_67(error: APIError) -> None:
    name, changed, losses = mended(error, RESPONSES)
    assert (name, losses) == ("reasoning state", ["input.reasoning"])
    kinds = [item["type"] for item in changed["input"]]
    assert kinds == ["message", "function_call", "function_call_output", "compaction"]
    assert [item.get("id") for item in changed["input"]] == [None, None, None, "cmp_1"]
    assert REASONING in RESPONSES["input"]  # the caller's copy is whole
    assert find(error, changed) is None  # nothing left to take out: no loop
    assert find(error, RESPONSES, ("reasoning state",)) is None
    assert find(error, CHAT) is None


@pytest.mark.parametrize(
    "message",
    [
        "Failed to deserialize the JSON body: unknown variant `image_url`, expected `text`",
        "Model only support text input",
        "No endpoints found that support image input",
        "At most 0 image(s) may be provided in one prompt.",
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "This model does not support images.",
        "Invalid content type. image_url is only supported by certain models.",
        "some/model is not a multimodal model",
    ],
)
@pytest.mark.parametrize("payload", [RESPONSES, CHAT], ids=["responses", "chat"])
def test_images_give_way_to_a_word_11(message: str, payload: dict[str, Any]) -> None:
    error = refusal(message, 404 if "endpoints" in message else 400)
    name, changed, losses = mended(error, payload)
    assert name == "images" and len(losses) == 1
    said = repr(changed)
    assert "image left out" in said and "input_image" not in said and "image_url" not in said
    assert find(error, changed) is None


def test_an_account_that_gets_no_summaries_goes_without() -> None:
    message = (
        "Your organization must be verified to generate reasoning summaries. Please go to: "
        "https://platform.openai.com/settings/organization/general and click on Verify Organization. If you just "
        "verified, it can take up to 15 minutes for access to propagate."
    )
    error = refusal(message, param="reasoning.summary", code="unsupported_value")
    name, changed, losses = mended(error, RESPONSES)
    assert (name, losses) == ("reasoning.summary", ["reasoning.summary"])
    assert changed["reasoning"] == {"effort": "low"}
    remedy = find(error, RESPONSES)
    assert remedy is not None and remedy.lasting


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (refusal("Unknown parameter: 'prompt_cache_key'.", param="prompt_cache_key"), "prompt_cache_key"),
        (refusal("Unrecognized request argument supplied: prompt_cache_key"), "prompt_cache_key"),
        (refusal("Extra inputs are not permitted, field: 'prompt_cache_key', value: 'k'"), "prompt_cache_key"),
        (refusal("prompt_cache_key: Extra inputs are not permitted"), "prompt_cache_key"),
        (refusal('json: unknown field "prompt_cache_key"'), "prompt_cache_key"),
        (refusal("property 'prompt_cache_key' is unsupported"), "prompt_cache_key"),
        (refusal("Additional properties are not allowed ('prompt_cache_key' was unexpected)"), "prompt_cache_key"),
        (refusal("nope", code="unsupported_parameter", param="text.verbosity"), "text.verbosity"),
    ],
)
def test_a_refused_field_is_left_out_13(error: APIError, field: str) -> None:
    name, changed, losses = mended(error, RESPONSES)
    assert (name, losses) == (field, [field])
    first, _, second = field.partition(".")
    assert second not in changed[first] if second else first not in changed
    assert changed["input"] is RESPONSES["input"]


@pytest.mark.parametrize(
    "error",
    [
        refusal("Unknown parameter: 'input'.", param="input"),
        refusal("Unknown parameter: 'nothing_we_sent'.", param="nothing_we_sent"),
        refusal("Invalid value for 'prompt_cache_key': too long.", param="prompt_cache_key"),
        refusal("Missing required parameter: 'tools[0].name'.", param="tools[0].name"),
        refusal("Unknown parameter: 'store'.", 503, param="store"),
        refusal("This model does not support images.", 500),
    ],
)
def test_other_refusals_stand(error: APIError) -> None:
    assert find(error, RESPONSES) is None


CLAUDE: dict[str, Any] = {
    "model": "m",
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "context_management": {"edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]},
    "tools": [{"type": "custom", "name": "f", "input_schema": {}, "defer_loading": True}],
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "t", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "r" * 900}]},
    ],
}
GEMINI: dict[str, Any] = {
    "generationConfig": {"thinkingConfig": {"thinkingLevel": "low"}},
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [{"text": "", "thoughtSignature": "AAAA"}]},
        {
            "role": "model",
            "parts": [
                {"text": "said", "thoughtSignature": "AAAA"},
                {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "AAAA"},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "r" * 900}}}]},
    ],
}
ROUTED: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}],
            "reasoning_content": "open",
            "tool_calls": [{"id": "c", "function": {"name": "f"}, "extra_content": {"google": {"x": "AAAA"}}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "r" * 900},
    ],
}


@pytest.mark.parametrize(
    "words",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
        "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.",
    ],
)
def test_thinking_goes_from_messages_66_67(words: str) -> None:
    name, changed, losses = mended(refusal(words), CLAUDE)
    assert (name, losses) == ("reasoning state", ["messages.reasoning", "thinking"])
    assert [[block["type"] for block in message["content"]] for message in changed["messages"][1:]] == [
        ["tool_use"],
        ["tool_result"],
    ]
    # Results are being handed to a turn that no longer begins with thinking.
    assert changed["thinking"] == {"type": "disabled"}
    assert [edit["type"] for edit in changed["context_management"]["edits"]] == ["clear_tool_uses_20250919"]
    assert find(refusal(words), changed) is None
    later = {**CLAUDE, "messages": [*CLAUDE["messages"], {"role": "user", "content": "next"}]}
    _, changed, losses = mended(refusal(words), later)
    assert (changed["thinking"], losses) == (CLAUDE["thinking"], ["messages.reasoning"])


def test_reasoning_goes_from_converse_66_67() -> None:
    error, upstream = refusal("Invalid `signature` in `thinking` block"), registry.upstream("bedrock_converse")
    signed = {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}
    call = {"toolUse": {"toolUseId": "t1", "name": "f", "input": {}}}
    payload = {
        "messages": [
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": [signed]},
            {"role": "user", "content": [{"text": "on"}]},
            {"role": "assistant", "content": [signed, call]},
            {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "r"}]}}]},
        ],
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "x": 1},
    }
    remedy = remedies.find(error, upstream, lambda: payload)
    assert remedy is not None
    changed, losses = remedy.edit(payload)
    assert [loss.field for loss in losses] == ["messages.reasoning", "thinking"]
    assert "reasoningContent" not in repr(changed) and all(message["content"] for message in changed["messages"])
    assert changed["messages"][3]["content"] == [call]
    assert changed["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}, "x": 1}
    assert remedies.find(error, upstream, lambda: changed) is None


@pytest.mark.parametrize(
    "words",
    [
        "Thought signature is not valid",
        "Corrupted thought signature.",
        "Function call is missing a thought_signature in functionCall parts.",
    ],
)
def test_signatures_go_from_contents_67_89(words: str) -> None:
    name, changed, losses = mended(refusal(words), GEMINI)
    assert (name, losses) == ("reasoning state", ["contents.parts.thoughtSignature"])
    assert changed["contents"][1]["parts"] == [
        {"text": "said"},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "skip_thought_signature_validator"},
    ]
    assert find(refusal(words), changed) is None
    _, routed, losses = mended(refusal(words), ROUTED)
    assert losses == ["messages.reasoning"]
    assert "AAAA" not in repr(routed) and "reasoning_details" not in repr(routed)
    assert routed["messages"][1]["reasoning_content"] == "open"


@pytest.mark.parametrize(
    ("words", "payload", "field"),
    [
        ("tools.0.custom.defer_loading: Extra inputs are not permitted", CLAUDE, "tools.defer_loading"),
        ("context_management: Extra inputs are not permitted", CLAUDE, "context_management"),
        (
            "Unknown name \"thinkingLevel\" at 'generation_config.thinking_config': Cannot find field.",
            GEMINI,
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        ("'messages.1' : property 'reasoning_details' is unsupported", ROUTED, "messages.reasoning_details"),
    ],
)
def test_a_refused_field_may_be_deep_13(words: str, payload: dict[str, Any], field: str) -> None:
    name, changed, losses = mended(refusal(words), payload)
    assert (name, losses) == (field, [field])
    last = field.rpartition(".")[2]
    assert f"'{last}'" in repr(payload) and f"'{last}'" not in repr(changed)


@pytest.mark.parametrize(
    "words",
    [
        "tools.0.custom.input_schema: Extra inputs are not permitted",
        "messages.1.content: Extra inputs are not permitted",
        "tools.0.nothing_of_it: Extra inputs are not permitted",
    ],
)
def test_what_a_conversation_is_made_of_is_never_left_out(words: str) -> None:
    assert find(refusal(words), CLAUDE) is None


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        (refusal("Unknown parameter: 'prompt_cache_key'.", param="prompt_cache_key"), True),
        (refusal("This model does not support images."), True),
        (refusal("Unsupported parameter: 'store' is not supported when text is asked for.", param="store"), False),
        (refusal("Cannot decrypt reasoning."), False),
    ],
)
def test_only_what_any_request_would_be_refused_for_lasts(error: APIError, lasting: bool) -> None:
    remedy = find(error, RESPONSES)
    assert remedy is not None and remedy.lasting == lasting


FULL = refusal("This model's maximum context length is 100 tokens.", code="context_length_exceeded")


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"input": [{"type": "function_call_output", "output": "r" * 900}] * 4}, "input"),
        ({"messages": ROUTED["messages"] * 4}, "messages"),
        ({"messages": CLAUDE["messages"] * 4}, "messages"),
        ({"contents": GEMINI["contents"] * 4}, "contents"),
    ],
)
def test_the_oldest_results_go_from_a_conversation_to_sum_up_133(payload: dict[str, Any], field: str) -> None:
    assert find(FULL, payload) is None  # only a summary may do without
    remedy = find(FULL, payload, summing=True)
    assert remedy is not None and not remedy.lasting
    changed, (loss,) = remedy.edit(payload)
    assert loss.field == f"{field}.tool_result"
    kept = [item for item in changed[field] if "r" * 900 in repr(item)]
    assert 0 < len(kept) < 4 and changed[field][-1] == payload[field][-1]
    assert repr(changed).count("result left out") + len(kept) == 4
    assert find(FULL, payload, (remedy.name,), summing=True) is None  # once


def test_a_conversation_without_results_is_too_long_and_stays_so() -> None:
    assert find(FULL, {"messages": [{"role": "user", "content": "x" * 999}]}, summing=True) is None
