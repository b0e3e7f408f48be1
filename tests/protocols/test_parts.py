"""Order out of interleaved pieces: pitfalls 6, 30, 39-45."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.content import ImagePart, Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart, ToolKind
from axonhub_cli.llm.events import PartDelta, PartEnd, PartStart, ResponseEnd, ResponseStart, StreamEvent, check
from axonhub_cli.llm.response import FinishKind, FinishReason
from axonhub_cli.protocols.parts import PartWriter

Step = tuple[str, dict[str, Any]]


def run(steps: list[Step], *, drains: bool = False) -> list[StreamEvent]:
    writer = PartWriter("r1")
    events: list[StreamEvent] = []
    for method, arguments in steps:
        getattr(writer, method)(**arguments)
        if drains:
            events += writer.drain()
    events += writer.finish()
    list(check([ResponseStart("r1", "m"), *events, ResponseEnd(FinishReason(FinishKind.STOP))]))
    sums_hold(events)
    return events


def sums_hold(events: list[StreamEvent]) -> None:
    """What the deltas say is what PartEnd says."""
    channels: dict[int | None, str] = defaultdict(str)
    for event in events:
        match event:
            case PartStart():
                channels.clear()
            case PartDelta():
                channels[event.summary_index] += event.text
            case PartEnd(part=TextPart(text=text) | RefusalPart(text=text) | ToolCallPart(input=text)):
                assert channels[None] == text
            case PartEnd(part=ReasoningPart() as part):
                assert channels.pop(None, "") == part.text
                assert tuple(channels.values()) == part.summary
                assert list(channels) == list(range(len(channels)))


def parts(steps: list[Step]) -> list[Part]:
    whole = [event.part for event in run(steps) if isinstance(event, PartEnd)]
    assert whole == [event.part for event in run(steps, drains=True) if isinstance(event, PartEnd)]
    return whole


def text(value: str) -> Step:
    return "text", {"text": value}


def thought(value: str, index: int | None = None) -> Step:
    return "reasoning", {"text": value, "summary_index": index}


def call(key: int | None, arguments: str | None = "", **more: Any) -> Step:
    return "call", {"key": key, "arguments": arguments, **more}


def test_text_in_one_read_is_one_delta() -> None:
    events = run([text("a"), text(""), text("b")])
    assert events == [PartStart(0, TextPart()), PartDelta(0, "ab"), PartEnd(0, TextPart("ab"))]


def test_text_in_two_reads_is_two_deltas() -> None:
    assert [e.text for e in run([text("a"), text("b")], drains=True) if isinstance(e, PartDelta)] == ["a", "b"]


def test_thinking_between_texts_keeps_its_place() -> None:
    assert parts([thought("a"), text("b"), thought("c"), text("d"), ("refusal", {"text": "e"})]) == [
        ReasoningPart("a"),
        TextPart("b"),
        ReasoningPart("c"),
        TextPart("d"),
        RefusalPart("e"),
    ]


def test_empty_pieces_open_nothing() -> None:  # vendors pad every chunk with ""
    assert parts([text(""), thought(""), ("refusal", {"text": ""}), text("a"), thought(""), text("b")]) == [
        TextPart("ab")
    ]


def test_summaries_are_counted_from_0() -> None:
    assert parts([thought("a", 3), thought("b", 3), thought("raw"), thought("c", 7)]) == [
        ReasoningPart("raw", ("ab", "c"))
    ]


def test_interleaved_calls() -> None:  # pitfalls 30, 41
    steps = [
        text("t"),
        call(0, "{", id="a", name="f"),
        call(1, '{"y"', id="b", name="g"),
        call(0, '"x":1}'),
        call(1, ":2}"),
    ]
    assert parts(steps) == [TextPart("t"), ToolCallPart("a", "f", '{"x":1}'), ToolCallPart("b", "g", '{"y":2}')]


def test_a_complete_call_ends_when_the_next_begins() -> None:
    writer = PartWriter()
    writer.call(0, "a", "f", "{}")
    writer.call(1, "b", "g", "")
    assert [type(event) for event in writer.drain()] == [PartStart, PartDelta, PartEnd, PartStart]


def test_text_during_an_unfinished_call_is_held() -> None:
    steps = [call(0, '{"x"', id="a", name="f"), text("late"), call(0, ":1}"), text("r")]
    assert parts(steps) == [ToolCallPart("a", "f", '{"x":1}'), TextPart("later")]


def test_a_call_without_index() -> None:  # pitfall 41: by id, then the last one
    steps = [
        call(None, "{", id="a", name="f"),
        call(None, "{", id="b", name="g"),
        call(None, "}", id="a"),
        call(None, '"y":', id="b"),
        call(None, "2}"),
    ]
    assert parts(steps) == [ToolCallPart("a", "f", "{}"), ToolCallPart("b", "g", '{"y":2}')]


def test_one_id_for_several_calls() -> None:  # pitfall 39: as where ids are the names of functions
    steps = [
        call(0, "", id="f", name="f"),
        call(0, '{"x":1}'),
        call(1, "", id="f", name="f"),
        call(1, '{"x":2', id="f"),
        call(1, "}"),
    ]
    first, second = parts(steps)
    assert first == ToolCallPart("f", "f", '{"x":1}')
    assert second == ToolCallPart(second.call_id, "f", '{"x":2}') and second.call_id not in ("", "f")


def test_one_index_for_all_calls() -> None:
    steps = [call(0, "{}", id="a", name="f"), call(0, "{}", id="b", name="g")]
    assert parts(steps) == [ToolCallPart("a", "f", "{}"), ToolCallPart("b", "g", "{}")]
    steps = [call(0, "{}", name="f"), call(0, "{}", name="f")]
    assert parts(steps) == [ToolCallPart("call_r1_0", "f", "{}"), ToolCallPart("call_r1_1", "f", "{}")]


def test_late_and_padded_names_and_ids() -> None:  # pitfall 40
    steps = [
        call(0, "{", id=None, name=""),
        call(0, "", id="a", name=None),
        call(0, '"x":', id="", name="f"),
        call(0, "1}", id="a", name="other"),
        call(0, None, id=None, name=None),
    ]
    assert parts(steps) == [ToolCallPart("a", "f", '{"x":1}')]


def test_an_id_that_never_comes() -> None:  # pitfall 39
    steps = [call(0, "{}", name="f"), call(1, "{}", name="g")]
    assert parts(steps) == [ToolCallPart("call_r1_0", "f", "{}"), ToolCallPart("call_r1_1", "g", "{}")]
    writer = PartWriter("x" * 70)
    writer.call(0, name="f")
    end = writer.finish()[-1]
    assert isinstance(end, PartEnd) and isinstance(end.part, ToolCallPart) and len(end.part.call_id) <= 64


def test_a_name_that_never_comes() -> None:  # pitfall 42
    writer = PartWriter("r1")
    writer.call(0, "a", None, "{}")
    assert writer.finish() == [] and writer.nameless == 1


@pytest.mark.parametrize("arguments", ["", None, "  "])
def test_no_arguments_become_an_object(arguments: str | None) -> None:  # pitfall 6
    (part,) = parts([call(0, arguments, id="a", name="f")])
    assert isinstance(part, ToolCallPart) and part.input.strip() == "{}"


def test_a_custom_call_may_be_empty() -> None:
    assert parts([call(0, "", id="a", name="f", kind=ToolKind.CUSTOM)]) == [ToolCallPart("a", "f", "", ToolKind.CUSTOM)]


def test_fragments_after_the_end_are_ignored() -> None:  # pitfall 45
    steps = [call(0, "{}", id="a", name="f"), text("t"), call(0, "{}", id="a", name="f")]
    assert parts(steps) == [ToolCallPart("a", "f", "{}"), TextPart("t")]


def test_state_does_not_interrupt_a_text() -> None:
    steps = [
        thought("a"),
        ("state", {"protocol": "p", "fields": {"details": [1], "signature": "x"}}),
        ("state", {"protocol": "p", "fields": {"details": [2], "signature": "y"}}),
        text("b"),
        ("state", {"protocol": "p", "fields": {"late": 1}}),
        text("c"),
    ]
    assert parts(steps) == [
        ReasoningPart("a", opaque={"p": {"details": [1, 2], "signature": "y"}}),
        TextPart("bc"),
        ReasoningPart(opaque={"p": {"late": 1}}),
    ]


def test_annotations_and_whole_parts() -> None:
    image = ImagePart("data:image/png;base64,AA==")
    steps = [text("a"), ("annotate", {"annotations": [{"url": "u"}]}), ("whole", {"part": image}), text("b")]
    assert parts(steps) == [TextPart("a", ({"url": "u"},)), image, TextPart("b")]
    assert parts([("whole", {"part": ReasoningPart("a", ("b",))})]) == [ReasoningPart("a", ("b",))]


def test_an_upstream_may_say_that_a_call_is_complete() -> None:
    writer = PartWriter()
    writer.call(0, "a", "f", "{broken")
    writer.end_call(0)
    writer.text("t")
    assert [type(event) for event in writer.drain()] == [PartStart, PartDelta, PartEnd, PartStart, PartDelta]


PIECES = st.sampled_from(["", "a", "b ", "é"])
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        PIECES.map(text),
        st.builds(thought, PIECES, st.sampled_from([None, 0, 1, 5])),
        PIECES.map(lambda piece: ("refusal", {"text": piece})),
        st.builds(
            lambda key, arguments, id, name: call(key, arguments, id=id, name=name),
            st.sampled_from([None, 0, 1, 2]),
            st.sampled_from(["", "{", "}", '"x":1', "{}"]),
            st.sampled_from([None, "", "i", "j"]),
            st.sampled_from([None, "", "f", "g"]),
        ),
        st.just(("state", {"protocol": "p", "fields": {"a": [1]}})),
        st.just(("whole", {"part": ImagePart("u")})),
    ),
    max_size=20,
)


@given(STEPS)
def test_any_order_fits_the_grammar_and_reads_do_not_matter(steps: list[Step]) -> None:
    parts(steps)


@given(STEPS)
def test_no_text_is_lost(steps: list[Step]) -> None:
    for kind, method in ((TextPart, "text"), (RefusalPart, "refusal")):
        sent = "".join(arguments["text"] for name, arguments in steps if name == method)
        read: Callable[[Any], str] = lambda part: part.text  # noqa: E731
        assert "".join(read(part) for part in parts(steps) if isinstance(part, kind)) == sent
