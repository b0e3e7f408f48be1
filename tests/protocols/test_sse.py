"""The event parser: reliability F28, F29, B14; pitfall 49."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.protocols import sse
from axonhub_cli.protocols.sse import Event, SSEParser, SSETooLarge, frame


def parse(data: bytes, *cuts: int) -> list[Event]:
    parser = SSEParser()
    points = [0, *sorted(cuts), len(data)]
    events = [event for a, b in pairwise(points) for event in parser.feed(data[a:b])]
    return events + parser.close()


def bytewise(data: bytes) -> list[Event]:
    return parse(data, *range(len(data)))


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\n\n", [Event(None, b"a")]),
        (b"data:a\n\n", [Event(None, b"a")]),
        (b"data:  a\n\n", [Event(None, b" a")]),
        (b"data\n\n", [Event(None, b"")]),
        (b"data:\n\n", [Event(None, b"")]),
        (b"event: x\ndata: a\n\n", [Event("x", b"a")]),
        (b"event:x\ndata:a\n\n", [Event("x", b"a")]),
        (b"data: a\nevent: x\n\n", [Event("x", b"a")]),
        (b"event: x\nid: 1\ndata: a\ndata: b\n\n", [Event("x", b"a\nb")]),
        (b"event: x\n\ndata: a\n\n", [Event(None, b"a")]),
        (b": ping\n\n", []),
        (b": ping\ndata: a\n\n: pong\n\n", [Event(None, b"a")]),
        (b"retry: 10\n\n\n\n\ndata: a\n\n\ndata: b\n\n", [Event(None, b"a"), Event(None, b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [Event(None, b"a")]),
        (b"data: \xef\xbb\xbf\n\n", [Event(None, b"\xef\xbb\xbf")]),
        (b"data: [DONE]", [Event(None, b"[DONE]")]),
        (b"data: [DONE]\n", [Event(None, b"[DONE]")]),
        (b"\xef\xbb", []),
        (b"", []),
        (b"data: " + "é😀".encode() + b"\n\n", [Event(None, "é😀".encode())]),  # pitfall 49
    ],
)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_forms(data: bytes, events: list[Event], newline: bytes) -> None:
    data = data.replace(b"\n", newline)
    assert parse(data) == events
    assert bytewise(data) == events


LINES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:b", b"event: x", b": c", b"", b"", b"id", "data: é".encode(), b"\xef\xbb\xbfdata: z"]
    )
)
BYTES = st.one_of(
    st.binary(max_size=60),
    st.builds(lambda lines, end: end.join(lines) + end + end, LINES, st.sampled_from([b"\n", b"\r\n", b"\r"])),
    st.lists(st.sampled_from([b"data: a", b"\r", b"\n", b"\r\n", b"event: x", b":"])).map(b"".join),
)


@given(BYTES, st.lists(st.integers(0, 60)))
def test_any_split_equals_the_whole(data: bytes, cuts: list[int]) -> None:
    assert parse(data, *(min(cut, len(data)) for cut in cuts)) == parse(data)


def test_an_event_comes_with_its_last_byte() -> None:
    parser = SSEParser()
    assert parser.feed(b"data: a\r\n\r") == [Event(None, b"a")]
    assert parser.feed(b"\ndata: b\n\n") == [Event(None, b"b")]


def test_size_is_capped_whatever_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 100)
    fits = b"data: " + b"x" * 90 + b"\n\n"
    assert len(bytewise(fits * 3)) == 3 == len(parse(fits * 3))
    for feed in (bytewise, parse):
        with pytest.raises(SSETooLarge):
            feed(b"data: " + b"x" * 100 + b"\n\n")
        with pytest.raises(SSETooLarge):
            feed(fits + b"data: " + b"x" * 100)


def test_a_large_event_in_small_reads_is_not_quadratic() -> None:
    piece, parser = b"x" * 4096, SSEParser()
    parser.feed(b"data: ")
    for _ in range(2048):
        assert parser.feed(piece) == []
    assert len(parser.feed(b"\n\n")[0].data) == 2048 * 4096


@pytest.mark.parametrize("data", [b"a", b"a\nb", b"a\r\nevent: forged", b"\n\ndata: forged", b"a\rb"])
@pytest.mark.parametrize("event", [None, "name"])
def test_a_frame_is_one_event(data: bytes, event: str | None) -> None:
    plain = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert parse(frame(data, event)) == [Event(event, plain)]
