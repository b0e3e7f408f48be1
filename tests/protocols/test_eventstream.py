"""AWS's frames, read as botocore reads them, whatever they hold and wherever they are cut."""

from __future__ import annotations

import contextlib
import json

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.protocols.anthropic_messages.stream import StreamDecoder
from axonhub_cli.protocols.eventstream import Frame, FrameError, FrameParser, to_sse
from axonhub_cli.protocols.failures import error_in
from tests.fakes.frames import chunk, event, exception, frame

STREAM = b"".join(
    [
        event("messageStart", {"role": "assistant"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüße\n\nevent: forged"}}),
        chunk({"type": "message_stop"}),
        exception("throttlingException", "slow down"),
        frame(b""),
    ]
)
# A header of every type there is, as botocore's own tests know them.
EVERY_TYPE = (
    b"\x01a\x00" + b"\x01b\x01" + b"\x01c\x02\xff" + b"\x01d\x03\x00\x09" + b"\x01e\x04\x00\x00\x00\x09"
    b"\x01f\x05" + bytes(7) + b"\x09" + b"\x01g\x06\x00\x02xy" + b"\x01h\x07\x00\x02hi" + b"\x01i\x08" + bytes(8)
) + b"\x01j\x09" + bytes(16)  # fmt: skip


def parsed(data: bytes, step: int | None = None) -> list[Frame]:
    parser = FrameParser()
    step = step or len(data)
    return [found for at in range(0, len(data), step) for found in parser.feed(data[at : at + step])]


def botocores(data: bytes) -> list[Frame]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    texts = [({k: v for k, v in m.headers.items() if isinstance(v, str)}, m.payload) for m in buffer]
    return [Frame(headers, payload) for headers, payload in texts]


@pytest.mark.parametrize("step", [1, 2, 7, 64, 1 << 20])
def test_frames_are_those_botocore_reads(step: int) -> None:
    assert parsed(STREAM, step) == botocores(STREAM)


@given(st.lists(st.binary(max_size=300), max_size=5), st.integers(1, 50))
def test_any_payload(payloads: list[bytes], step: int) -> None:
    data = b"".join(frame(payload, event_type="x", message_type="event") for payload in payloads)
    assert parsed(data, step) == botocores(data) or not data
    assert [found.payload for found in parsed(data, step)] == payloads or not data


def test_headers_that_are_no_text_are_passed_over() -> None:
    from zlib import crc32

    prelude = (16 + len(EVERY_TYPE)).to_bytes(4, "big") + len(EVERY_TYPE).to_bytes(4, "big")
    message = prelude + crc32(prelude).to_bytes(4, "big") + EVERY_TYPE
    data = message + crc32(message).to_bytes(4, "big")
    assert parsed(data)[0].headers == {"h": "hi"}
    assert botocores(data)[0].headers == {"h": "hi"}


@pytest.mark.parametrize("place", [0, 5, 9, 20, -10, -1])
def test_a_wrong_bit_anywhere_is_noticed(place: int) -> None:
    data = bytearray(STREAM)
    data[place] ^= 1
    with pytest.raises(FrameError):
        parsed(bytes(data))


@given(st.binary(max_size=100))
def test_garbage_raises_nothing_else(data: bytes) -> None:
    with contextlib.suppress(FrameError):
        parsed(data, 3)


def test_what_a_model_said_is_its_own_event() -> None:
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "é"}}
    assert to_sse(parsed(chunk(said))[0]) == b"event: content_block_delta\ndata: " + json.dumps(said).encode() + b"\n\n"


def test_a_frame_cannot_forge_an_event() -> None:
    lines = b"".join(map(to_sse, parsed(STREAM))).split(b"\n")
    assert [line for line in lines if line.startswith(b"event: ")] == [
        b"event: messageStart",
        b"event: contentBlockDelta",
        b"event: message_stop",
        b"event: error",
    ]


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (exception("throttlingException", "slow"), "rate_limit", "slow"),
        (exception("serviceUnavailableException", "busy"), "overloaded", "busy"),
        (exception("modelTimeoutException", "late"), "timeout", "late"),
        (exception("validationException", "wrong"), "invalid_request", "wrong"),
        (exception("validationException", "Input is too long for requested model."), "context_length", "too long"),
        (exception("internalServerException", "oops"), "server_error", "oops"),
        (exception("brandNewException", "new"), "server_error", "new"),
        (frame(b"", message_type="error", error_code="Oops", error_message="told so"), "server_error", "told so"),
        (frame(b"<html>", message_type="exception", exception_type="x"), "server_error", "broke off"),
    ],
)
def test_exceptions_are_errors_every_decoder_reads(data: bytes, kind: str, words: str) -> None:
    said = to_sse(parsed(data)[0])
    error = error_in(said.split(b"data: ")[1])
    assert (error.kind, words in error.message) == (kind, True)
    (end,) = StreamDecoder().feed(said)
    assert end.error.kind == kind


@pytest.mark.parametrize("payload", [b"{}", b'{"bytes": 1}', b'{"bytes": "***"}', b"\xff"])
def test_a_chunk_without_bytes_is_damage(payload: bytes) -> None:
    with pytest.raises(FrameError):
        to_sse(parsed(frame(payload, event_type="chunk", message_type="event"))[0])
