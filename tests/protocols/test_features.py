"""What becomes of each feature in every direction: said, said differently, lost with a record, or refused."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.registry import PROTOCOLS
from tests import golden
from tests.protocols.test_table import TARGETS, Target

RESPONSES, CHAT, MESSAGES, GEMINI = "openai_responses", "openai_chat", "anthropic_messages", "gemini"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
PDF, WAV = "JVBERi0xLjQ=", "UklGRg=="


def function(name: str) -> dict[str, dict[str, Any]]:
    """A function's declaration in each protocol."""
    flat = {"name": name, "description": name, "parameters": SCHEMA}
    return {
        RESPONSES: {"type": "function", "strict": False, **flat},
        CHAT: {"type": "function", "function": flat},
        MESSAGES: {"name": name, "description": name, "input_schema": SCHEMA},
        GEMINI: {"functionDeclarations": [{"name": name, "description": name, "parametersJsonSchema": SCHEMA}]},
    }


TOOLS = {protocol: {"tools": [function("run")[protocol], function("stop")[protocol]]} for protocol in (*PROTOCOLS,)}


def says(protocol: str, text: str | list[Any] = "hi") -> dict[str, Any]:
    """The least request, with `text` or the user's own parts."""
    match protocol:
        case "openai_responses":
            return {"model": "m", "input": [{"role": "user", "content": text}]}
        case "openai_chat":
            return {"model": "m", "messages": [{"role": "user", "content": text}]}
        case "anthropic_messages":
            return {"model": "m", "max_tokens": 8000, "messages": [{"role": "user", "content": text}]}
        case _:
            parts = [{"text": text}] if isinstance(text, str) else text
            return {"model": "m", "contents": [{"role": "user", "parts": parts}]}


def config(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": fields}


def calling(**fields: Any) -> dict[str, Any]:
    return {"toolConfig": {"functionCallingConfig": fields}}


# How each protocol's clients ask for a feature: fields beside the least request; None where there is no word for it.
Asking = dict[str, dict[str, Any] | None]
CHOICES: dict[str, Asking] = {
    "tool_choice auto": {
        RESPONSES: {"tool_choice": "auto"},
        CHAT: {"tool_choice": "auto"},
        MESSAGES: {"tool_choice": {"type": "auto"}},
        GEMINI: calling(mode="AUTO"),
    },
    "tool_choice none": {
        RESPONSES: {"tool_choice": "none"},
        CHAT: {"tool_choice": "none"},
        MESSAGES: {"tool_choice": {"type": "none"}},
        GEMINI: calling(mode="NONE"),
    },
    "tool_choice required": {
        RESPONSES: {"tool_choice": "required"},
        CHAT: {"tool_choice": "required"},
        MESSAGES: {"tool_choice": {"type": "any"}},
        GEMINI: calling(mode="ANY"),
    },
    "tool_choice one": {
        RESPONSES: {"tool_choice": {"type": "function", "name": "run"}},
        CHAT: {"tool_choice": {"type": "function", "function": {"name": "run"}}},
        MESSAGES: {"tool_choice": {"type": "tool", "name": "run"}},
        GEMINI: calling(mode="ANY", allowedFunctionNames=["run"]),
    },
    "tool_choice some": {
        RESPONSES: {
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "run"}, {"type": "function", "name": "stop"}],
            }
        },
        CHAT: {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "run"}},
                        {"type": "function", "function": {"name": "stop"}},
                    ],
                },
            }
        },
        MESSAGES: None,
        GEMINI: calling(mode="ANY", allowedFunctionNames=["run", "stop"]),
    },
    "one call at a time": {
        RESPONSES: {"parallel_tool_calls": False},
        CHAT: {"parallel_tool_calls": False},
        MESSAGES: {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        GEMINI: None,
    },
}
SETTINGS: dict[str, Asking] = {
    "structured output": {
        RESPONSES: {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}}},
        CHAT: {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}},
        MESSAGES: {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        GEMINI: config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
    },
    "JSON mode": {
        RESPONSES: {"text": {"format": {"type": "json_object"}}},
        CHAT: {"response_format": {"type": "json_object"}},
        MESSAGES: None,
        GEMINI: config(responseMimeType="application/json"),
    },
    "stop sequences": {
        RESPONSES: None,
        CHAT: {"stop": ["END"]},
        MESSAGES: {"stop_sequences": ["END"]},
        GEMINI: config(stopSequences=["END"]),
    },
    "logprobs": {
        RESPONSES: {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
        CHAT: {"logprobs": True, "top_logprobs": 2},
        MESSAGES: None,
        GEMINI: config(responseLogprobs=True, logprobs=2),
    },
    "limit": {
        RESPONSES: {"max_output_tokens": 77},
        CHAT: {"max_completion_tokens": 77},
        MESSAGES: {"max_tokens": 77},
        GEMINI: config(maxOutputTokens=77),
    },
    "several answers": {
        RESPONSES: None,
        CHAT: {"n": 2},
        MESSAGES: None,
        GEMINI: config(candidateCount=2),
    },
    "a spoken answer": {
        RESPONSES: None,
        CHAT: {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
        MESSAGES: None,
        GEMINI: config(responseModalities=["AUDIO"]),
    },
    "a conversation kept elsewhere": {
        RESPONSES: {"previous_response_id": "resp_1"},
        CHAT: None,
        MESSAGES: None,
        GEMINI: {"cachedContent": "cachedContents/1"},
    },
}
PARTS: dict[str, dict[str, dict[str, Any] | None]] = {
    "image": {
        RESPONSES: {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
        CHAT: {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        MESSAGES: {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        GEMINI: {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    },
    "audio": {
        RESPONSES: None,
        CHAT: {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
        MESSAGES: None,
        GEMINI: {"inlineData": {"mimeType": "audio/wav", "data": WAV}},
    },
    "PDF": {
        RESPONSES: {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
        CHAT: {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
        MESSAGES: {
            "type": "document",
            "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
        },
        GEMINI: {"inlineData": {"mimeType": "application/pdf", "data": PDF}},
    },
    "file of the vendor": {
        RESPONSES: {"type": "input_file", "file_id": "file-1"},
        CHAT: {"type": "file", "file": {"file_id": "file-1"}},
        MESSAGES: {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
        GEMINI: {
            "fileData": {"mimeType": "application/pdf", "fileUri": "https://generativelanguage.googleapis.com/f/1"}
        },
    },
}
ASKED: dict[str, dict[str, dict[str, Any] | None]] = {
    **{
        feature: {
            protocol: fields and {**says(protocol), **TOOLS[protocol], **fields} for protocol, fields in asking.items()
        }
        for feature, asking in CHOICES.items()
    },
    **{
        feature: {protocol: fields and {**says(protocol), **fields} for protocol, fields in asking.items()}
        for feature, asking in SETTINGS.items()
    },
    **{
        feature: {protocol: part and says(protocol, [part]) for protocol, part in parts.items()}
        for feature, parts in PARTS.items()
    },
}


def outcome(feature: str, client: str, target: Target) -> dict[str, Any]:
    """The fields that differ from those of the plain request, and what was lost; or what was refused."""
    tools = TOOLS[client] if feature in CHOICES else {}
    try:
        asked, plain = (
            target.codec.encode_request(
                replace(PROTOCOLS[client].decode_request(payload), model=target.model), target.quirks
            )
            for payload in (ASKED[feature][client], {**says(client), **tools})
        )
    except Failure as failure:
        return {"refused": failure.error.param, "status": failure.error.status, "because": failure.error.message}
    sent = {name: value for name, value in asked.payload.items() if plain.payload.get(name) != value}
    return {"sent": sent, "lost": [f"{loss.field}: {loss.reason}" for loss in asked.losses if loss not in plain.losses]}


@pytest.mark.parametrize("feature", ASKED)
def test_every_direction(feature: str) -> None:
    """Nothing in silence: it is said, recorded as lost, or refused with a 400 that names it."""
    found = {
        f"{client} -> {target.name}": outcome(feature, client, target)
        for client, payload in ASKED[feature].items()
        if payload is not None
        for target in TARGETS
    }
    assert all(any(became.values()) and became.get("status", 400) == 400 for became in found.values())
    golden.check(f"features/{feature.replace(' ', '-')}.json", found)


def test_no_golden_is_left_over() -> None:
    golden.check_all_used("features", {f"{feature.replace(' ', '-')}.json" for feature in ASKED})
