"""Requests of every other protocol, for every generation of Claude, before the rules of the strict fake."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from axonhub_cli.llm.request import Reasoning
from axonhub_cli.protocols.anthropic_messages import CODEC
from tests.fakes.messages_models import MODELS
from tests.fakes.messages_rules import judge
from tests.fakes.messages_thinking import Minted
from tests.protocols.laws import REQUESTS, Fixture

from .helpers import NAME, NATIVE

EFFORTS = (None, "none", "minimal", "high", "xhigh")
LIMITS = (None, 1_500, 300_000)


@pytest.mark.parametrize("fixture", [item for item in REQUESTS if item.codec.name != NAME], ids=str)
def test_nothing_is_refused(fixture: Fixture) -> None:
    # pitfalls 64, 66, 68-78: 400s that no user may see
    request = fixture.codec.decode_request(fixture.payload)
    for model, effort, limit in itertools.product(MODELS, EFFORTS, LIMITS):
        reasoning = Reasoning(effort) if effort else request.reasoning
        asked = replace(request, model=model, reasoning=reasoning, max_tokens=limit or request.max_tokens)
        fault = judge(CODEC.encode_request(asked, NATIVE).payload, [], Minted())
        assert fault is None, (model, effort, limit, fault)
