"""What a socket remembers: a client that sends only what is new is understood as one that sends all of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axonhub_cli.llm.errors import Failure
from axonhub_cli.protocols.openai_responses.socket import read_frame
from axonhub_cli.protocols.openai_responses.transcript import Answer, Transcript


def created(*new, previous=None, **fields):
    asked = {"type": "response.create", "model": "m", "input": list(new)} | fields
    return read_frame(json.dumps(asked | ({"previous_response_id": previous} if previous else {})).encode())


def answered(response_id, *items, end="response.completed"):
    answer = Answer(1000)
    answer.read(b'{"type":"response.output_text.delta","delta":"response.completed"}')
    for item in items:
        answer.read(json.dumps({"type": "response.output_item.done", "item": item}).encode())
    if end:
        answer.read(json.dumps({"type": end, "response": {"id": response_id, "output": []}}).encode())
    return answer


def test_three_turns():  # pitfall 127
    talk = Transcript()
    warm = talk.turn(created({"a": 1}, generate=False))
    assert (warm.generate, json.loads(warm.body)) == (False, {"model": "m", "input": [{"a": 1}], "stream": True})
    talk.keep(warm, answered("r1"))
    first = talk.turn(created({"b": 2}, previous="r1", tools=[1.50]))
    assert json.loads(first.body) == {"model": "m", "tools": [1.5], "input": [{"a": 1}, {"b": 2}], "stream": True}
    assert first.generate
    talk.keep(first, answered("r2", {"type": "message", "c": 3}))
    second = talk.turn(created(previous="r2"))
    assert json.loads(second.body)["input"] == [{"a": 1}, {"b": 2}, {"type": "message", "c": 3}]


def test_every_byte_of_what_passes_is_kept():
    frame = read_frame(b'{"type":"response.create","model":"m","input":[ {"n": 1.50e3 , "s":"\\u00e9"} ],"x":1e2}')
    assert Transcript().turn(frame).body == (
        b'{"model":"m","input":[ {"n": 1.50e3 , "s":"\\u00e9"} ],"x":1e2,"stream":true}'
    )


@pytest.mark.parametrize("end", ["response.failed", "response.incomplete", "error", None])
def test_what_did_not_end_well_leaves_no_mark(end):  # pitfall 129
    talk = Transcript()
    first = talk.turn(created({"a": 1}))
    talk.keep(first, answered("r1"))
    talk.keep(talk.turn(created({"bad": 1}, previous="r1")), answered("r2", {"half": 1}, end=end))
    with pytest.raises(Failure):
        talk.turn(created({"b": 2}, previous="r2"))
    assert json.loads(talk.turn(created({"b": 2}, previous="r1")).body)["input"] == [{"a": 1}, {"b": 2}]


def test_all_of_it_again_starts_anew():  # pitfall 163
    talk = Transcript()
    talk.keep(talk.turn(created({"a": 1})), answered("r1"))
    talk.keep(talk.turn(created({"b": 2})), answered("r2"))
    assert json.loads(talk.turn(created({"c": 3}, previous="r2")).body)["input"] == [{"b": 2}, {"c": 3}]


def test_an_unknown_response():  # pitfall 127
    for talk in (Transcript(), Transcript()):
        with pytest.raises(Failure) as refused:
            talk.turn(created(previous="r1"))
        error = refused.value.error
        assert (error.status, error.code, error.param) == (400, "previous_response_not_found", "previous_response_id")


def test_a_compaction_ends_what_was_before():  # pitfalls 132, 163
    talk = Transcript()
    talk.keep(talk.turn(created({"a": 1})), answered("r1"))
    turn = talk.turn(created({"type": "compaction_trigger"}, previous="r1"))
    assert turn.compacts and json.loads(turn.body)["input"][-1] == {"type": "compaction_trigger"}
    talk.keep(turn, answered("r2", {"type": "compaction", "encrypted_content": "x"}))
    assert talk.size == 0
    with pytest.raises(Failure):
        talk.turn(created(previous="r2"))


def test_a_compaction_that_failed_leaves_no_mark():  # pitfall 129
    talk = Transcript()
    talk.keep(talk.turn(created({"a": 1})), answered("r1"))
    talk.keep(talk.turn(created({"type": "compaction_trigger"}, previous="r1")), answered("r2", end="response.failed"))
    assert json.loads(talk.turn(created(previous="r1")).body)["input"] == [{"a": 1}]


@pytest.mark.parametrize(
    ("given_input", "kept"),
    [
        ("hi \u00e9", [{"type": "message", "role": "user", "content": "hi \u00e9"}]),
        (None, []),
        ([], []),
        ([1, "x"], [1, "x"]),  # to be refused by whoever looks at items
    ],
)
def test_input_of_any_form(given_input, kept):
    talk = Transcript()
    turn = talk.turn(created(input=given_input))
    assert json.loads(turn.body)["input"] == given_input
    talk.keep(turn, answered("r1"))
    assert json.loads(talk.turn(created({"b": 2}, previous="r1")).body)["input"] == [*kept, {"b": 2}]
    follow = talk.turn(read_frame(b'{"type":"response.create","previous_response_id":"r1"}'))
    assert json.loads(follow.body)["input"] == kept


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": 7}, "input"),
        ({"input": {}}, "input"),
        ({"previous_response_id": 7}, "previous_response_id"),
        ({"generate": "no"}, "generate"),
    ],
)
def test_a_refusal_names_its_field(fields, param):
    with pytest.raises(Failure) as refused:
        Transcript().turn(created(**{"input": [], **fields}))
    assert (refused.value.error.status, refused.value.error.param) == (400, param)


def test_items_that_come_only_at_the_end():
    answer = Answer(1000)
    answer.read(b'{"type":"response.completed","response":{"id":"r1","output":[{"a":1},{"b":2}]}}')
    assert (answer.response_id, answer.items) == ("r1", b'{"a":1},{"b":2}')
    both = answered("r1", {"a": 1})
    both.read(b'{"type":"response.completed","response":{"id":"r1","output":[{"a":1}]}}')
    assert both.items == b'{"a": 1}'


def test_an_answer_that_is_too_long_is_not_held():  # reliability B14
    answer = Answer(10)
    for _ in range(3):
        answer.read(b'{"type":"response.output_item.done","item":{"a":"b"}}')
    answer.read(b'{"type":"response.completed","response":{"id":"r1","output":[]}}')
    assert (answer.response_id, answer.items) == (None, b"")


@given(st.binary(max_size=60))
def test_no_event_upsets_it(noise):
    answer = Answer(1000)
    answer.read(b'{"type":"response.completed","response":' + noise)
    answer.read(b'{"type":"response.output_item.done","item":' + noise + b"}")
    answer.read(b'"response.completed"')
    assert answer.response_id is None or noise


ITEMS = st.lists(st.dictionaries(st.sampled_from(["type", "text", "id"]), st.text(max_size=5)), max_size=3)


@given(st.lists(st.tuples(ITEMS, ITEMS, st.sampled_from(["response.completed", "response.failed"])), max_size=6))
def test_deltas_mean_what_the_whole_conversation_would(turns):  # pitfalls 127, 129
    talk, whole, last = Transcript(), [], None
    for number, (new, said, end) in enumerate(turns):
        turn = talk.turn(created(*new, previous=last))
        assert json.loads(turn.body)["input"] == whole + new
        talk.keep(turn, answered(f"r{number}", *said, end=end))
        if end == "response.completed":
            whole, last = whole + new + said, f"r{number}"
    assert talk.size == 0 or json.loads(talk.turn(created(previous=last)).body)["input"] == whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["type", "model", "input", "previous_response_id", "generate", "stream", "tools", "stream_id"])


@given(st.dictionaries(NAMES, JSON | st.just("response.create"), max_size=6))
def test_a_frame_of_anything_is_a_turn_or_a_400(fields):  # reliability B1
    told = []
    try:
        frame = read_frame(json.dumps(fields).encode())
        if frame is not None:
            told.append(json.loads(Transcript().turn(frame).body)["stream"])
    except Failure as refused:
        told.append(refused.error.status)
    assert told in ([], [True], [400])
