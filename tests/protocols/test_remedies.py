"""What is left out after a refusal (pitfalls 11, 13, 67), on the payloads of each protocol."""

from __future__ import annotations

from typing import Any

import pytest

from axonhub_cli.llm.errors import APIError
from axonhub_cli.protocols.failures import read_error
from axonhub_cli.protocols.remedies import find

REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "store": False,
    "prompt_cache_key": "k",
    "text": {"verbosity": "low"},
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


def refusal(message: str, status: int = 400, **fields: str) -> APIError:
    import msgspec

    return read_error(status, {}, msgspec.json.encode({"error": {"message": message, **fields}}))


def mended(error: APIError, payload: dict[str, Any]) -> tuple[str, dict[str, Any], list[str]]:
    remedy = find(error, lambda: payload)
    assert remedy is not None
    changed, losses = remedy.edit(payload)
    return remedy.name, changed, [loss.field for loss in losses]


@pytest.mark.parametrize(
    "error",
    [
        refusal("The encrypted content gAAA could not be verified.", code="invalid_encrypted_content"),
        refusal("The encrypted content for item rs_1 could not be decrypted or parsed."),
        refusal("Encrypted content item_id did not match the target item id."),
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
    assert find(error, lambda: changed) is None  # nothing left to take out: no loop
    assert find(error, lambda: RESPONSES, ["reasoning state"]) is None
    assert find(error, lambda: CHAT) is None


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
    assert find(error, lambda: changed) is None


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (refusal("Unknown parameter: 'prompt_cache_key'.", param="prompt_cache_key"), "prompt_cache_key"),
        (refusal("Unrecognized request argument supplied: prompt_cache_key"), "prompt_cache_key"),
        (refusal("Extra inputs are not permitted, field: 'prompt_cache_key', value: 'k'"), "prompt_cache_key"),
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
    assert find(error, lambda: RESPONSES) is None
