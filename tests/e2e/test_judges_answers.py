"""Two independent servers as upstreams, each in four protocols; four official SDKs as clients; all directions."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import Court
from tests.e2e.judges import PROTOCOLS
from tests.e2e.talks import SYSTEM, TALKS, Talk

pytestmark = pytest.mark.e2e

DIRECTIONS = pytest.mark.parametrize(
    ("client", "upstream"), [(client, upstream) for client in PROTOCOLS for upstream in PROTOCOLS]
)
STREAMED = pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])


def talk(court: Court, client: str, model: str, *, streamed: bool, tools: bool = False) -> Talk:
    return TALKS[client](court.url, court.key, model, streamed=streamed, tools=tools)


@STREAMED
@DIRECTIONS
def test_aimock_talks(court: Court, client: str, upstream: str, streamed: bool) -> None:
    """Its second answer depends on the system prompt and on a history with exactly one earlier answer."""
    here = talk(court, client, f"aimock-{upstream}", streamed=streamed)
    first = here.say("What is the capital of France?")
    assert (first.text, first.finish) == ("It is Paris, as ever: the town on the Seine.", here.stop)
    assert (first.input_tokens, first.output_tokens) == (100, 20)
    second = here.say("and of Italy?")
    assert (second.text, second.finish) == ("It is Rome, on the Tiber.", here.stop)
    assert (second.input_tokens, second.output_tokens) == (140, 9)


@STREAMED
@DIRECTIONS
def test_aimock_calls_tools(court: Court, client: str, upstream: str, streamed: bool) -> None:
    here = talk(court, client, f"aimock-{upstream}", streamed=streamed, tools=True)
    first = here.say("How is the weather there?")
    assert first.calls == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": 'Zürich "am" See\n'})]
    # its own word for it passes a Gemini client untouched
    assert first.text == "Let me look." and first.finish in (here.cut, "FUNCTION_CALL")
    assert first.finish == here.cut or client == upstream
    second = here.give("18 degrees")
    assert (second.text, second.calls, second.finish) == ("Mild in both.", [], here.stop)


@STREAMED
@DIRECTIONS
def test_llmock_talks(court: Court, client: str, upstream: str, streamed: bool) -> None:
    """It repeats all it was told: both questions and its own first answer."""
    here = talk(court, client, f"llmock-{upstream}", streamed=streamed)
    first = here.say("One little thing?")
    assert "One little thing?" in first.text
    assert first.finish == here.stop
    assert first.input_tokens and first.output_tokens
    second = here.say("Two?")
    assert "Two?" in second.text
    assert second.text.count("One little thing?") == 2
    assert SYSTEM in json.dumps(court.llmock.requests()[-1]["body"])


@STREAMED
@DIRECTIONS
def test_llmock_calls_a_tool(court: Court, client: str, upstream: str, streamed: bool) -> None:
    """In the second round too it is the last message that it looks at: a result after its call."""
    here = talk(court, client, f"llmock-{upstream}", streamed=streamed, tools=True)
    first = here.say("How is the weather in Oslo?")
    ((name, arguments),) = first.calls
    assert name == "get_weather" and arguments["city"]
    assert first.finish == here.cut
    second = here.give("18 degrees")
    assert second.text and not second.calls
    third = here.say("And the weather in Rome?")
    assert [name for name, _ in third.calls] == ["get_weather"]
    assert here.give("30 degrees").finish == here.stop
