"""What `traces show` reads out of stored bodies."""

import json

import pytest

from axonhub_cli.entities import Body, RequestStatus
from tests.cli.test_traces import record, user
from tests.server.upstreams import chat_stream, responses_events

BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
WORDS = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello there"}}


def test_streams_that_passed_untouched_are_decoded(cli, store):
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
    answer = {"id": "resp_1", "model": "m", "status": "completed", "output": [item], "object": "response"}
    events = [
        {"type": "response.created", "response": {**answer, "status": "in_progress", "output": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": answer},
    ]
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()
    store.traces.save(
        [record(1), record(2)],
        (),
        [("req_0001", Body("stream", stream)), ("req_0002", Body("stream", json.dumps(answer).encode()))],
    )
    for request_id in ("req_0001", "req_0002"):
        (said,) = cli("traces", "show", request_id, "--json").json["reply"]
        assert (said["type"], said["text"]) == ("text", "hi")


def test_calls_of_gemini_that_have_no_id_are_shown_once(cli, store):
    call = {"role": "model", "parts": [{"functionCall": {"name": "ls", "args": {}}}]}
    result = {"role": "user", "parts": [{"functionResponse": {"name": "ls", "response": {"output": "README"}}}]}
    history = [{"role": "user", "parts": [{"text": "list"}]}]
    answer = Body("stream", json.dumps({"candidates": [{"content": call, "finishReason": "STOP"}]}).encode())
    for number in (1, 2, 3):
        asked = Body("request", json.dumps({"contents": history}).encode())
        told = record(number, client_protocol="gemini", upstream_protocol="gemini")
        store.traces.save([told], (), [(told.id, asked), (told.id, answer)])
        history += [call, result]
    shown = cli("traces", "show", "trace-1").out
    assert (shown.count("assistant calls ls: {}"), shown.count("tool result ls: README")) == (3, 2)


@pytest.mark.parametrize(
    ("protocol", "pieces"),
    [
        ("openai_responses", responses_events()[:6]),
        ("openai_chat", chat_stream()[:3]),
        ("anthropic_messages", [f"data: {json.dumps(event)}\n\n".encode() for event in (BLOCK, WORDS)]),
    ],
)
def test_what_had_come_of_an_answer_is_shown_where_it_was_cut(cli, store, protocol, pieces):
    cut = record(1, status=RequestStatus.CANCELED, client_protocol=protocol, upstream_protocol=protocol)
    store.traces.save([cut], (), [("req_0001", Body("stream", b"".join(pieces)))])
    (said,) = cli("traces", "show", "req_0001", "--json").json["reply"]
    assert (said["type"], said["text"].strip()) == ("text", "Hello there")


@pytest.mark.parametrize(
    ("protocol", "body"),
    [
        ("openai_responses", Body("request", b"\xff{")),
        ("openai_responses", Body("response", b"[]")),
        ("openai_responses", Body("request", b'{"input": 5}')),
        ("openai_chat", Body("request", b"[]")),
        ("gemini", Body("request", b'{"contents":' + b"[" * 5000 + b"]" * 5000 + b"}")),
        ("anthropic_messages", Body("stream", b'{"content":' + b"[" * 5000 + b"]" * 5000 + b"}")),
    ],
)
def test_what_cannot_be_read_is_told(cli, store, protocol, body):
    told = record(1, client_protocol=protocol, error="[/foo]\x1b]0;x\x07", error_kind="bad_gateway")
    store.traces.save([told], (), [("req_0001", body)])
    shown = cli("traces", "show", "req_0001").out
    assert f"the stored {body.kind} cannot be read" in shown
    assert "error (bad_gateway): [/foo]\\e]0;x\\x07" in shown


@pytest.mark.parametrize(
    ("more", "items", "left_out"),
    [
        ({"previous_response_id": "resp_0"}, [], ["previous_response_id"]),
        ({"background": True, "prompt": {"id": "p"}}, [], ["background", "prompt"]),
        ({}, [{"type": "item_reference", "id": "msg_0"}] * 2, ["an item of input"] * 2),
    ],
)
def test_what_only_the_vendor_has_hides_nothing_else(cli, store, more, items, left_out):
    payload = {"model": "gpt-5", "input": [user("list the files"), *items], **more}
    store.traces.save([record(1)], (), [("req_0001", Body("request", json.dumps(payload).encode()))])
    row = cli("traces", "show", "req_0001", "--json").json
    assert [entry["text"] for entry in row["messages"]] == ["list the files"]
    assert sorted(problem.rpartition(": ")[2] for problem in row["problems"]) == left_out
