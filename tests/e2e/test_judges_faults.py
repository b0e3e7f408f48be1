"""Upstreams that fail on purpose, and say afterwards whether they were called as a good client calls.

Whatever happens, a client has the whole answer or one error that its official SDK raises; never half an answer that
looks whole, never a storm of repeats.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Court
from tests.e2e.judges import CONTEXT, PROTOCOLS
from tests.e2e.talks import TALKS, Talk, assert_too_long

pytestmark = pytest.mark.e2e

TEXT = "one two three four five six seven eight nine ten eleven twelve"
REPLY = {"type": "reply", "text": TEXT}
DIRECTIONS = pytest.mark.parametrize(
    ("client", "upstream"), [(client, upstream) for client in PROTOCOLS for upstream in PROTOCOLS]
)


def rotated(faults: Any) -> list[tuple[str, str, str]]:
    """Each fault for each client; upstreams take turns, so that all directions come up."""
    return [
        (fault, client, PROTOCOLS[(row + column) % len(PROTOCOLS)])
        for row, fault in enumerate(faults)
        for column, client in enumerate(PROTOCOLS)
    ]


def talk(court: Court, client: str, model: str, *, streamed: bool = True, tools: bool = False) -> Talk:
    return TALKS[client](court.url, court.key, model, streamed=streamed, tools=tools)


@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed"])
@DIRECTIONS
def test_a_stream_that_breaks_after_output(judged: Court, kind: str, client: str, upstream: str) -> None:
    # pitfalls 29, 38, 144
    judged.llmock.play({**REPLY, "times": None}, {"type": "stream_fault", "kind": kind, "after_chunks": 8})
    here = talk(judged, client, f"llmock-{upstream}")
    # what passes untouched is judged by the client's own parser
    told = (*here.error, here.garbled) if kind == "malformed" and client == upstream else here.error
    try:
        answer = here.say(f"Count, please; {kind} for {client}.")
        assert len(judged.llmock.requests()) == 2  # all came in one read, so nobody had seen any of it yet
    except told:
        assert len(judged.llmock.requests()) == 1  # half of it has been shown: repeating is up to the client
        answer = here.again()
    assert answer.text == TEXT
    assert judged.llmock.verdict() == []


PASSING: dict[str, tuple[dict[str, Any], ...]] = {
    "429": ({"type": "fail", "status": 429, "retry_after": 1},),
    "500": ({"type": "fail", "status": 500, "retry_after": 0},),
    "529": ({"type": "fail", "status": 529},),
    "disconnect": ({"type": "stream_fault", "kind": "disconnect", "after_chunks": 0},),
    "truncate": ({"type": "stream_fault", "kind": "truncate", "after_chunks": 0},),
    "slow": ({"type": "slow_first_token", "seconds": 0.4},),
    "stall": ({"type": "stream_fault", "kind": "stall", "after_chunks": 5, "stall_seconds": 0.4},),
}


@pytest.mark.parametrize(("fault", "client", "upstream"), rotated(PASSING))
def test_a_fault_that_passes_is_not_noticed(judged: Court, fault: str, client: str, upstream: str) -> None:
    # pitfalls 135, 136, 138
    judged.llmock.play(*PASSING[fault])
    here = talk(judged, client, f"llmock-{upstream}")
    answer = here.say(f"Are you well, after {fault}?")
    assert f"after {fault}?" in answer.text and answer.finish == here.stop
    assert len(judged.llmock.requests()) == (1 if fault in ("slow", "stall") else 2)
    assert judged.llmock.verdict() == []


LASTING: dict[str, dict[str, Any]] = {
    "429": {"type": "fail", "status": 429, "retry_after": 30},
    "401": {"type": "fail", "status": 401},
    "503": {"type": "fail", "status": 503},
    "529": {"type": "fail", "status": 529},
    "disconnect": {"type": "stream_fault", "kind": "disconnect", "after_chunks": 0},
}


@pytest.mark.parametrize(("fault", "client", "upstream"), rotated(LASTING))
def test_failover_that_the_client_does_not_notice(judged: Court, fault: str, client: str, upstream: str) -> None:
    # pitfalls 135, 136, 138, 142
    judged.llmock.play({**LASTING[fault], "times": None})
    here = talk(judged, client, f"spare-{upstream}")
    assert here.say(f"Will somebody rescue {client} from {fault}?").text == "Rescued."
    assert 1 <= len(judged.llmock.requests()) <= 2
    assert judged.llmock.verdict() == []


# By what a client is told: its SDK's error, or the status it has there. A refused key of ours would be a lie (401).
TOLD = {
    "400": {"type": "fail", "status": 400, "message": "That is too hot."},
    "401": {"type": "fail", "status": 401},
    "429": {"type": "fail", "status": 429, "retry_after": 30},
    "500": {"type": "fail", "status": 500},
    "529": {"type": "fail", "status": 529},
}
STATUS = {"400": 400, "401": 502, "429": 429, "500": 503, "529": 503}


@pytest.mark.parametrize(("fault", "client", "upstream"), rotated(TOLD))
def test_a_fault_that_lasts_is_told_in_the_clients_words(judged: Court, fault: str, client: str, upstream: str) -> None:
    # pitfalls 137, 141, 147
    judged.llmock.play({**TOLD[fault], "times": None})
    here = talk(judged, client, f"llmock-{upstream}")
    with pytest.raises(here.error) as caught:
        here.say(f"Who told {client} of {fault}?")
    error: Any = caught.value
    status = STATUS[fault]
    if client == "anthropic_messages" and status == 503:
        status = 529
    assert (error.code if client == "gemini" else error.status_code) == status
    if fault == "400":
        assert "That is too hot." in str(error)
    if fault == "429":
        assert 1 <= int(error.response.headers["retry-after"]) <= 30
    assert len(judged.llmock.requests()) <= 2
    assert judged.llmock.verdict() == []


@DIRECTIONS
def test_a_prompt_that_is_too_long(court: Court, client: str, upstream: str) -> None:
    # pitfall 139: agents shorten the conversation where they are told so in the words they know
    court.llmock.reset()
    here = talk(court, client, f"llmock-{upstream}")
    with pytest.raises(here.error) as caught:
        here.say("long " * CONTEXT)
    assert_too_long(caught.value)
    assert len(court.llmock.requests()) == 1
    assert court.llmock.verdict() == []


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@DIRECTIONS
def test_a_call_with_broken_arguments(court: Court, client: str, upstream: str, streamed: bool) -> None:
    """Agents tell the model of its mistake: the broken call has to go back without upsetting anybody."""
    court.llmock.reset()
    court.llmock.play({"type": "tool_fault", "kind": "malformed_arguments"})
    here = talk(court, client, f"llmock-{upstream}", streamed=streamed, tools=True)
    ((name, _),) = here.say("How is the weather in Oslo?").calls
    assert name == "get_weather"
    answer = here.give("error: that call made no sense")
    assert answer.text and answer.finish == here.stop


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@DIRECTIONS
def test_aimock_fails_in_each_protocol(court: Court, client: str, upstream: str, streamed: bool) -> None:
    here = talk(court, client, f"aimock-{upstream}", streamed=streamed)
    with pytest.raises(here.error, match="That is too hot"):
        here.say("This is too hot, is it?")
    if streamed:
        here = talk(court, client, f"aimock-{upstream}")
        with pytest.raises(here.error):
            here.say("Is this cut off?")


@DIRECTIONS
def test_words_arrive_as_they_are_said(court: Court, client: str, upstream: str) -> None:
    answer = talk(court, client, f"aimock-{upstream}").say("Please take your time.")
    assert answer.text == "Slow words, one by one."
    assert answer.pieces > 1
