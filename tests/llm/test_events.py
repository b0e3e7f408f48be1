"""The grammar of an answer, and folding it."""

import pytest

from axonhub_cli.llm.content import ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.errors import APIError, ErrorKind, Failure
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamError, check
from axonhub_cli.llm.fold import fold, unfold
from axonhub_cli.llm.response import FinishKind, FinishReason, Response, Usage

START = ResponseStart("r", "m", 7)
END = ResponseEnd(FinishReason(FinishKind.STOP, "stop"), Usage(3, output=4))
TEXT = (PartStart(0, TextPart()), PartDelta(0, "hi"), PartEnd(0, TextPart("hi")))
BROKEN = StreamError(APIError(ErrorKind.OVERLOADED, "busy", 529))

RESPONSE = Response(
    "r",
    "m",
    (
        ReasoningPart("raw", ("one", "two"), id="rs"),
        TextPart("hello"),
        RefusalPart("no"),
        ToolCallPart("c1", "patch", "text", ToolKind.CUSTOM, "ns", "id1"),
        ToolCallPart("c2", "empty"),
    ),
    FinishReason(FinishKind.TOOL_CALLS, "tool_calls"),
    Usage(10, 5, None, 3, 1),
    created=1,
    service_tier="flex",
)


@pytest.mark.parametrize("events", [[START, END], [START, *TEXT, END], [BROKEN], [START, *TEXT[:2], BROKEN]])
def test_grammar_accepts(events):
    assert list(check(events)) == events


@pytest.mark.parametrize(
    "events",
    [
        [],
        [START],
        [END],
        [START, START, END],
        [TEXT[0]],
        [START, TEXT[0], END],
        [START, TEXT[1], END],
        [START, TEXT[0], PartStart(1, TextPart()), END],
        [START, PartStart(1, TextPart()), PartEnd(1, TextPart()), END],
        [START, END, END],
        [BROKEN, END],
        [START, TEXT[0], PartDelta(1, "x")],
        [START, TEXT[0], PartEnd(1, TextPart())],
    ],
)
def test_grammar_refuses(events):
    with pytest.raises(AssertionError):
        list(check(events))


def test_unfold_then_fold_is_the_answer():
    events = list(check(unfold(RESPONSE)))
    assert fold(events) == RESPONSE


def test_unfold_starts_parts_empty_and_gives_every_word_as_a_delta():
    events = list(unfold(RESPONSE))
    assert events[1] == PartStart(0, ReasoningPart(id="rs"))
    assert [event for event in events if isinstance(event, PartDelta)] == [
        PartDelta(0, "raw"),
        PartDelta(0, "one", 0),
        PartDelta(0, "two", 1),
        PartDelta(1, "hello"),
        PartDelta(2, "no"),
        PartDelta(3, "text"),
    ]


def test_fold_raises_what_the_stream_failed_with():
    with pytest.raises(Failure) as failure:
        fold([START, *TEXT, BROKEN])
    assert failure.value.error.kind is ErrorKind.OVERLOADED


def test_fold_of_a_stream_without_an_end_is_a_failure():
    with pytest.raises(Failure) as failure:
        fold([START, *TEXT])
    assert failure.value.error.kind is ErrorKind.BAD_GATEWAY
