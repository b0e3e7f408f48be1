"""Bodies come back byte for byte, and a conversation grows with what is new in it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from axonhub_cli.entities import Body
from axonhub_cli.errors import StoreError
from axonhub_cli.store.database import Store
from axonhub_cli.store.splitting import Pieces, split
from tests.store.conftest import Clock

LONG = "x" * 300
ODD_BODIES = [
    b"",
    b"{}",
    b"not json at all " * 30,
    b'"text"',
    b"[1,2,3]",
    b'{"input":[]}',
    json.dumps({"input": [{"a": LONG}, {"b": LONG}], "model": "m"}).encode(),  # ", " between items
    json.dumps({"input": [{"a": LONG}, {"b": LONG}]}, indent=2).encode(),
    json.dumps({"messages": [LONG, LONG, LONG]}, separators=(",", ":")).encode(),
    json.dumps({"system": LONG, "tools": {"a": LONG}, "instructions": LONG}).encode(),
    b'{"input":[ "%s" ,"%s"]}' % ((LONG.encode(),) * 2),
    b'{"input":["%s" , "%s",  "%s"]}' % ((LONG.encode(),) * 3),
    b'{"input":["%s"],"input":["%s","y"]}' % ((LONG.encode(),) * 2),  # a key given twice
    b'\n {"a":"%s", "input" : ["%s"]}\r\n' % ((LONG.encode(),) * 2),
    json.dumps({"x": LONG + "é\ud83d\ude00\u2028", "input": ["é" * 200]}, ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    ),
    json.dumps({"copy": LONG, "again": LONG, "input": [LONG, LONG]}, separators=(",", ":")).encode(),
    b'{"input":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b"\xff\xfe" * 400,
]


@pytest.mark.parametrize("data", ODD_BODIES, ids=range(len(ODD_BODIES)))
def test_any_bytes_come_back(store: Store, data: bytes) -> None:
    parts = [part if isinstance(part, bytes) else part.separator.join(part.items) for part in split(data)]
    assert b"".join(parts) == data
    store.traces.save([], [], [("req_1", Body("request", data)), ("req_1", Body("stream", data))])
    assert store.traces.bodies("req_1") == [Body("request", data), Body("stream", data)]


def test_spacing_of_the_usual_clients_is_cut_into_items() -> None:
    for separators in ((",", ":"), (", ", ": ")):
        data = json.dumps({"model": "m", "input": [{"a": LONG}, {"b": LONG}]}, separators=separators).encode()
        pieces = [part for part in split(data) if isinstance(part, Pieces)]
        assert [len(part.items) for part in pieces] == [2]


def test_captured_requests_come_back(store: Store) -> None:
    captures = sorted((Path(__file__).parents[1] / "fixtures").rglob("*.json"))
    assert captures
    for capture in captures:
        data = capture.read_bytes()
        store.traces.save([], [], [(capture.name, Body("request", data))])
        assert store.traces.bodies(capture.name) == [Body("request", data)]


def conversation(turns: int, seed: int = 1) -> list[bytes]:
    """Like Codex: instructions and tools every time, then all that was said, three new items a turn."""
    words = random.Random(seed)

    def text(length: int) -> str:
        return " ".join(words.choice(["def", "return", "value", "file", str(words.random())]) for _ in range(length))

    tools = [{"type": "function", "name": f"tool_{n}", "description": text(60)} for n in range(10)]
    instructions, items, bodies = text(800), [], []
    for turn in range(turns):
        items += [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text(20)}]},
            {"type": "function_call", "call_id": f"call_{turn}", "name": "shell", "arguments": text(20)},
            {"type": "function_call_output", "call_id": f"call_{turn}", "output": text(80)},
        ]
        body = {"model": "gpt-5", "instructions": instructions, "input": items, "tools": tools, "stream": True,
                "prompt_cache_key": "0190-aa", "client_metadata": {"turn": turn}}  # fmt: skip
        bodies.append(json.dumps(body, separators=(",", ":")).encode())
    return bodies


def used(store: Store) -> int:
    return sum(
        store._connection.value(f"SELECT COALESCE(SUM(LENGTH({column})), 0) FROM {table}")
        for table, column in (("contents", "data"), ("bodies", "recipe"))
    )


def test_growth_is_linear_in_what_is_new(store: Store) -> None:
    bodies = conversation(100)
    sizes = []
    for turn, data in enumerate(bodies):
        store.traces.save([], [], [(f"req_{turn}", Body("request", data))])
        sizes.append(used(store))
    plain_new = len(bodies[-1])
    assert sum(map(len, bodies)) > 40 * plain_new  # what storing each whole would cost
    assert sizes[-1] < 1.25 * plain_new
    # The second half of the conversation costs what the first half did, give or take a quarter.
    assert sizes[99] - sizes[49] < 1.25 * (sizes[49] - sizes[0])
    assert [store.traces.bodies(f"req_{turn}")[0].data for turn in range(100)] == bodies


def test_a_known_piece_is_not_compressed_or_written_again(store: Store) -> None:
    first, second = conversation(2)
    store.traces.save([], [], [("req_1", Body("request", first))])
    before = store._connection.value("SELECT COUNT(*) FROM contents")
    store.traces.save([], [], [("req_2", Body("request", second))])
    assert store._connection.value("SELECT COUNT(*) FROM contents") == before + 3


def test_a_rolled_back_piece_is_not_believed_to_be_there(store: Store) -> None:
    data = conversation(1)[0]
    with pytest.raises(StoreError):
        store.traces.save([], [], [("req_1", Body("request", data)), (None, Body("request", data))])  # type: ignore[list-item]
    assert used(store) == 0
    store.traces.save([], [], [("req_1", Body("request", data))])
    assert store.traces.bodies("req_1")[0].data == data


def test_pieces_survive_as_long_as_a_body_names_them(store: Store, clock: Clock) -> None:
    first, second = conversation(2)
    store.traces.save([], [], [("req_1", Body("request", first))])
    clock.now += 5 * 3_600_000
    store.traces.save([], [], [("req_2", Body("request", second))])
    assert store.prune(clock.now - 3_600_000, bodies_only=True).bodies == 1
    assert store.traces.bodies("req_1") == []
    assert store.traces.bodies("req_2")[0].data == second


def test_pieces_go_with_the_last_body_and_are_written_again_after_it(store: Store, clock: Clock) -> None:
    data = conversation(1)[0]
    store.traces.save([], [], [("req_1", Body("request", data))])
    store.prune(clock.now + 1, bodies_only=True)
    assert used(store) == 0
    store.traces.save([], [], [("req_2", Body("request", data))])
    assert store.traces.bodies("req_2")[0].data == data


def test_a_missing_or_damaged_piece_is_said_to_be(store: Store) -> None:
    store.traces.save([], [], [("req_1", Body("request", conversation(1)[0]))])
    store._connection.run("UPDATE contents SET data = x'00' WHERE size > 1000")
    with pytest.raises(StoreError, match="stored body is damaged"):
        store.traces.bodies("req_1")
    store._connection.run("DELETE FROM contents")
    with pytest.raises(StoreError, match="a piece of it is missing"):
        store.traces.bodies("req_1")
