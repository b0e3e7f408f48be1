"""The golden table: every request of every client onto every upstream, every answer of every upstream to every client.

`golden/requests/<client>.<input>.<target>.json` holds what leaves and what was lost; `golden/answers/` what a client
reads, `<upstream>.<input>.<client>.sse` of a stream and `….json` of an answer in one piece; `golden/understood/` what
we made of it. `GOLDEN=write pytest tests/protocols/test_table.py` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from axonhub_cli.llm.fold import fold
from axonhub_cli.protocols.base import Codec, UpstreamCodec
from axonhub_cli.protocols.registry import PROTOCOLS, UPSTREAMS
from axonhub_cli.protocols.translator import whole
from axonhub_cli.vendors import CHANNEL_TYPES, Quirks
from tests import golden
from tests.fakes.responses_rules import as_the_sdk_knows
from tests.fakes.sdk_schema import faults
from tests.protocols import laws
from tests.protocols.anthropic_messages import helpers as anthropic_messages
from tests.protocols.gemini import helpers as gemini
from tests.protocols.laws import Fixture


class Target(msgspec.Struct, frozen=True):
    """Who is asked: a protocol, a vendor that speaks it, and one of its models."""

    name: str
    codec: UpstreamCodec
    quirks: Quirks
    model: str

    def __str__(self) -> str:
        return self.name


def target(name: str, protocol: str, vendor: str, model: str) -> Target:
    return Target(name, UPSTREAMS[protocol], CHANNEL_TYPES[vendor].quirks, model)


TARGETS = [
    target("openai_responses", "openai_responses", "openai", "gpt-5.5"),
    target("openai_chat", "openai_chat", "openai", "gpt-5.5"),
    target("anthropic_messages", "anthropic_messages", "anthropic", "claude-opus-4-8"),
    target("gemini", "gemini", "gemini", "gemini-3-pro-preview"),
    target("bedrock_converse", "bedrock_converse", "bedrock-converse", "anthropic.claude-opus-4-8-v1:0"),
]
# Vendors and models with an accent of their own, for what Codex sends.
DIALECTS = [
    target("plain-responses", "openai_responses", "openai-compatible", "gpt-oss"),
    target("claude-sonnet-4-5", "anthropic_messages", "anthropic", "claude-sonnet-4-5"),
    target("deepseek-anthropic", "anthropic_messages", "deepseek-anthropic", "deepseek-flash"),
    target("gemini-2.5-flash", "gemini", "gemini", "gemini-2.5-flash"),
    target("nova-pro", "bedrock_converse", "bedrock-converse", "amazon.nova-pro-v1:0"),
    *(
        target(vendor, "openai_chat", vendor, "some-model")
        for vendor in ("openai-compatible", "deepseek", "moonshot", "zai", "qwen", "minimax", "openrouter")
    ),
]
CODEX = [fixture for fixture in laws.REQUESTS if fixture.codec.name == "openai_responses"]
REQUESTS = [*product(laws.REQUESTS, TARGETS), *product(CODEX, DIALECTS)]
# OpenAI's types judge what OpenAI is sent, not other vendors that speak its protocols. Converse has its judge in its
# own tests, for each kind of model.
JUDGED = [
    pair
    for pair in REQUESTS
    if pair[1].codec.name in PROTOCOLS and (pair[1] in TARGETS or not pair[1].codec.name.startswith("openai"))
]
STREAMS = [*product(laws.STREAMS, PROTOCOLS.values())]
PIECES = [*product(laws.RESPONSES, PROTOCOLS.values())]
# How to read streams of vendors with an accent.
QUIRKS = {"minimax-think-tags": Quirks(think_tags=True), "qwen-lone-closer": CHANNEL_TYPES["qwen"].quirks}


def name_of(fixture: Fixture, other: Target | Codec, end: str) -> str:
    return f"{fixture.codec.name}.{fixture.name}.{other.name}.{end}"


def openai_chat(payload: dict[str, Any]) -> None:
    assert faults("chat", payload) == []


def openai_responses(payload: dict[str, Any]) -> None:
    assert faults("responses", as_the_sdk_knows(payload)) == []


# Raises for a request that the official SDK's types, or the API's prose, refuse.
JUDGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "anthropic_messages": anthropic_messages.validate,
    "gemini": gemini.validate,
}


def valid(protocol: str, payload: dict[str, Any]) -> bool:
    try:
        JUDGES[protocol](payload)
    except (AssertionError, ValueError, TypeError):
        return False
    return True


@pytest.mark.parametrize(("asked", "target"), REQUESTS, ids=str)
def test_requests(asked: Fixture, target: Target) -> None:
    request = replace(asked.codec.decode_request(asked.payload), model=target.model)
    encoded = target.codec.encode_request(request, target.quirks)
    losses = [f"{loss.field}: {loss.reason}" for loss in encoded.losses]
    golden.check(f"requests/{name_of(asked, target, 'json')}", {"payload": encoded.payload, "losses": losses})
    assert target.codec.encode_request(request, target.quirks) == encoded  # pitfall 20


@pytest.mark.parametrize(("asked", "target"), JUDGED, ids=str)
def test_what_leaves_is_valid_by_the_official_types(asked: Fixture, target: Target) -> None:
    """Where a client says what no type knows, its own protocol's upstream is told just that."""
    request = replace(asked.codec.decode_request(asked.payload), model=target.model)
    if target.codec is not asked.codec or valid(target.codec.name, asked.payload):
        JUDGES[target.codec.name](target.codec.encode_request(request, target.quirks).payload)


@pytest.mark.parametrize(("answer", "client"), STREAMS, ids=laws.named)
def test_streams(answer: Fixture, client: Codec) -> None:
    relay = laws.translation(client, answer.codec, answer.request(), QUIRKS.get(answer.name, laws.NATIVE))
    said = relay.feed(answer.data) + relay.close()
    golden.check(f"answers/{name_of(answer, client, 'sse')}", said.decode())


@pytest.mark.parametrize(("answer", "client"), PIECES, ids=laws.named)
def test_whole_answers(answer: Fixture, client: Codec) -> None:
    request = laws.declaring(answer.codec.decode_response(answer.payload, laws.NATIVE))
    said = whole(client, answer.codec, request, answer.data, quirks=laws.NATIVE, seal_part=lambda part: part)
    golden.check(f"answers/{name_of(answer, client, 'json')}", msgspec.json.decode(said.data))


@pytest.mark.parametrize("answer", laws.STREAMS, ids=str)
def test_what_is_understood(answer: Fixture) -> None:
    quirks = QUIRKS.get(answer.name, laws.NATIVE)
    found = fold(laws.decode_bytes(answer.codec, answer.data, quirks=quirks))
    golden.check(f"understood/{answer.codec.name}.{answer.name}.json", msgspec.to_builtins(found))


def test_no_golden_is_left_over() -> None:
    golden.check_all_used("requests", {name_of(asked, target, "json") for asked, target in REQUESTS})
    streams = {name_of(answer, client, "sse") for answer, client in STREAMS}
    pieces = {name_of(answer, client, "json") for answer, client in PIECES}
    golden.check_all_used("answers", streams | pieces)
    golden.check_all_used("understood", {f"{answer.codec.name}.{answer.name}.json" for answer in laws.STREAMS})
