"""Frames of a socket: what is read of them, and what SSE becomes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.openai_responses.socket import Frames, error_frame, read_frame, turn_headers
from axonhub_cli.protocols.sse import MAX_EVENT, SSETooLarge, frame
from tests.protocols.openai_responses.helpers import FIXTURES

STREAMS = sorted(FIXTURES.rglob("*.sse"))


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("", "invalid_frame", None),
        ("nonsense", "invalid_frame", None),
        ("[]", "invalid_frame", None),
        ("{}", "unknown_frame", "type"),
        ('{"type":null}', "unknown_frame", "type"),
        ('{"type":"response.cancel"}', "unknown_frame", "type"),
        ('{"type":"response.create","stream_id":"a"}', "unsupported_parameter", "stream_id"),
        ("[" * 5000, "invalid_frame", None),
        (b'{"type":"response.create","model":"\xff"', "invalid_frame", None),
    ],
)
def test_frames_that_are_none(text, code, param):
    with pytest.raises(Failure) as refused:
        read_frame(text if isinstance(text, bytes) else text.encode())
    error = refused.value.error
    assert (error.status, error.code, error.param) == (400, code, param)


def test_an_acknowledgement_wants_no_answer():  # pitfall 160
    assert read_frame(b'{ "type" : "response.processed", "response_id": "resp_1" }') is None
    assert set(read_frame(b'{"type":"response.create","model":"m"}')) == {"type", "model"}


def test_headers_of_a_turn():
    upgrade = {
        "authorization": "Bearer k",
        "session-id": "s",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": "x",
        "openai-beta": "responses_websockets=2026-02-06",
        "x-codex-turn-metadata": "old",
        "x-codex-window-id": "w:0",
    }
    now = {"X-Codex-Turn-Metadata": "new", "session-id": "other", "x-codex-more": "y", "x-codex-window-id": "a\nb"}
    assert turn_headers(upgrade, {"client_metadata": now}) == {
        "authorization": "Bearer k",
        "session-id": "s",
        "x-codex-turn-metadata": "new",
        "x-codex-window-id": "w:0",
    }
    for odd in (None, 7, [], {"x-codex-turn-metadata": 7}):
        assert turn_headers(upgrade, {"client_metadata": odd})["x-codex-turn-metadata"] == "old"


def test_an_error_has_a_number():  # pitfall 161
    told = json.loads(error_frame(429, {"error": {"code": "rate_limit_exceeded"}}, {"retry-after": "3"}))
    assert told == {
        "type": "error",
        "status": 429,
        "error": {"code": "rate_limit_exceeded"},
        "headers": {"retry-after": "3"},
    }


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name)
@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_frames_are_the_data_of_events_wherever_they_are_cut(path, step):
    stream = path.read_bytes()
    frames, found = Frames(), []
    for start in range(0, len(stream), step):
        found += frames.feed(stream[start : start + step])
    text = stream.decode().replace("\r\n", "\n")
    wanted = [line[5:].strip() for line in text.split("\n") if line.startswith("data:") and "[DONE]" not in line]
    assert [one.decode().strip() for one in found] == wanted and wanted


@given(st.lists(st.text(min_size=1).filter(lambda text: "\r" not in text and text.strip("\n") == text), max_size=8))
def test_any_text_comes_out_as_it_went_in(texts):
    stream = b"".join(frame(text.encode("utf-8", "replace"), "x") for text in texts)
    assert [one.decode() for one in Frames().feed(stream)] == [t.encode("utf-8", "replace").decode() for t in texts]


@given(st.binary(max_size=200))
def test_every_frame_is_utf_8(data):
    for one in Frames().feed(b"data: " + data + b"\n\n"):
        one.decode()


def test_an_event_without_end():
    with pytest.raises(SSETooLarge):
        Frames().feed(b"data: " + b"x" * MAX_EVENT + b"x")
