"""Requests, attempts and bindings: kept, filtered, followed, found."""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from axonhub_cli.config import Config
from axonhub_cli.entities import AttemptRecord, Binding, LossRecord, RequestRecord, RequestStatus
from axonhub_cli.errors import NotFoundError, StoreError
from axonhub_cli.paths import Home
from axonhub_cli.store.database import Store, open_store
from axonhub_cli.store.queries import select_requests
from axonhub_cli.store.traces import Found, FoundKind, RequestFilter
from tests.store.conftest import Clock


def request(number: int, **fields: object) -> RequestRecord:
    record = RequestRecord(f"req_{number:04}", 1000 + number, "openai_responses", "responses", RequestStatus.COMPLETED)
    return replace(record, **fields)


FULL = RequestRecord(
    id="req_full", started_at=5, client_protocol="openai_responses", operation="responses",
    status=RequestStatus.FAILED, server="127.0.0.1:8090:77", path="/v1/responses", finished_at=9, trace_id="t",
    trace_source="session-id", thread_id="th", parent_thread_id="pt", subagent="review", api_key_id="key_1",
    key="codex", profile="work", rule="gpt-5 → x", client="codex_cli_rs/0.169", client_model="gpt-5",
    upstream_model="x", served_model="x-1", channel="c", upstream_protocol="openai_chat", stream=True,
    http_status=502, error="boom", error_kind="bad_gateway", attempts=2, ttft_ms=1, duration_ms=4, input_tokens=10,
    cached_tokens=3, cache_written_tokens=0, output_tokens=7, reasoning_tokens=2, usage_estimated=True,
    cost_usd=0.25, finish_reason="stop", losses=(LossRecord("tools[0].strict", "not offered"),),
)  # fmt: skip
ATTEMPT = AttemptRecord(
    id="att_1", request_id="req_full", number=1, channel="c", upstream_protocol="openai_chat", upstream_model="x",
    reason="bound", started_at=5, status=RequestStatus.FAILED, upstream_key_id="uk", url_path="/chat/completions",
    http_status=500, error="e", error_kind="server_error", ttft_ms=1, duration_ms=2, upstream_request_id="u",
    losses=(LossRecord("a", "b"),),
)  # fmt: skip


def test_every_field_comes_back(store: Store) -> None:
    second = replace(ATTEMPT, id="att_0", number=2, status=RequestStatus.COMPLETED)
    store.traces.save([FULL], [second, ATTEMPT])
    assert store.traces.get("req_full") == FULL
    assert store.traces.attempts("req_full") == [ATTEMPT, second]
    assert store.traces.requests() == [FULL]


def test_unknown_stays_none(store: Store) -> None:
    store.traces.save([request(1)])
    assert store.traces.get("req_0001") == request(1)
    assert store.traces.get("req_0001").input_tokens is None


def test_a_later_row_replaces_an_earlier_one_but_running_never_what_ended(store: Store) -> None:
    store.traces.save([request(1, status=RequestStatus.RUNNING)])
    store.traces.save([request(1, output_tokens=5)])
    store.traces.save([request(1, status=RequestStatus.RUNNING)])
    assert store.traces.requests() == [request(1, output_tokens=5)]


def test_values_no_database_takes_are_made_fit(store: Store) -> None:
    """reliability B7, D11: lone surrogates, NUL, huge numbers and NaN must not stop a batch."""
    odd = request(
        1, client="\ud800x\0y", input_tokens=10**30, cost_usd=float("nan"), losses=(LossRecord("\udfff", "é"),)
    )
    store.traces.save([odd, request(2)])
    kept = store.traces.get("req_0001")
    assert (kept.client, kept.input_tokens, kept.cost_usd) == ("?x\ufffdy", 2**63 - 1, None)
    assert kept.losses == (LossRecord("?", "é"),)


def test_a_nul_inside_of_a_list_is_replaced(store: Store) -> None:
    store.traces.save([request(1, losses=(LossRecord("a\0b", "c"),))])
    assert store.traces.requests()[0].losses == (LossRecord("a\ufffdb", "c"),)


ROWS = [
    request(1, key="a", channel="x", client_model="gpt-5", upstream_model="glm", trace_id="t1", thread_id="h1"),
    request(2, key="b", channel="x", client_model="glm", upstream_model="glm", trace_id="t1"),
    request(3, key="a", channel="y", client_model="gpt-5", upstream_model="qwen", status=RequestStatus.FAILED),
    request(4, status=RequestStatus.RUNNING),
]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (RequestFilter(), [4, 3, 2, 1]),
        (RequestFilter(key="a"), [3, 1]),
        (RequestFilter(channel="x"), [2, 1]),
        (RequestFilter(model="glm"), [2, 1]),
        (RequestFilter(model="gpt-5"), [3, 1]),
        (RequestFilter(model="gpt-5", channel="y", key="a"), [3]),
        (RequestFilter(status="failed"), [3]),
        (RequestFilter(trace_id="t1"), [2, 1]),
        (RequestFilter(thread_id="h1"), [1]),
        (RequestFilter(since_ms=1003), [4, 3]),
        (RequestFilter(until_ms=1003, since_ms=1002), [2]),
        (RequestFilter(model="%"), []),
        (RequestFilter(key="a' OR 1=1 --"), []),
    ],
)
def test_filters(store: Store, wanted: RequestFilter, numbers: list[int]) -> None:
    store.traces.save(ROWS)
    newest = store.traces.requests(wanted, 10)
    assert [int(record.id[-1]) for record in newest] == numbers
    assert store.traces.requests(wanted, None, newest_first=False) == newest[::-1]
    assert store.traces.requests(wanted, 1) == newest[:1]
    assert store.traces.requests(wanted, 0) == []


FIELDS = {
    "key": "a",
    "channel": "x",
    "model": "m",
    "status": "failed",
    "trace_id": "t",
    "thread_id": "h",
    "since_ms": 5,
}


@pytest.mark.parametrize("names", [c for n in range(4) for c in itertools.combinations(FIELDS, n)], ids="+".join)
def test_no_filter_reads_the_whole_table(store: Store, names: tuple[str, ...]) -> None:
    statement, values = select_requests("*", RequestFilter(**{name: FIELDS[name] for name in names}), 50, True)
    plan = [str(row[3]) for row in store._connection.rows(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert not [step for step in plan if step.startswith("SCAN requests") and "USING INDEX" not in step], plan
    if "model" not in names:  # there the two walks, each cut at the limit, are merged
        assert not [step for step in plan if "TEMP B-TREE" in step], plan


def test_changes_are_followed_across_processes(store: Store, home: Home) -> None:
    with open_store(home, Config(), writable=False) as watcher:
        start, version = watcher.traces.cursor(), watcher.traces.data_version()
        store.traces.save([request(1, status=RequestStatus.RUNNING), request(2)])
        assert watcher.traces.data_version() != version
        first = watcher.traces.changed(start)
        assert [record.id for record in first.requests] == ["req_0001", "req_0002"]
        assert watcher.traces.changed(first.cursor).requests == ()
        # Started before the cursor was taken, ends after it: must show.
        store.traces.save([request(1)])
        assert watcher.traces.changed(first.cursor).requests == (request(1),)
        one = watcher.traces.changed(0, limit=1)
        assert one.requests == (request(2),) and watcher.traces.changed(one.cursor).requests == (request(1),)


def test_finding_by_prefix(store: Store) -> None:
    store.traces.save([
        replace(request(1), id="req_01aa", trace_id="0190-a", thread_id="0190-a"),
        replace(request(2), id="req_01ab", trace_id="0190-b", thread_id="child"),
        replace(request(3), id="req_01abc", trace_id="0190-b"),
    ])  # fmt: skip
    find = store.traces.find
    assert find("0190-a") == find("0190-a") == Found(FoundKind.TRACE, "0190-a")
    assert find("0190-b") == Found(FoundKind.TRACE, "0190-b")
    assert find("chi") == Found(FoundKind.THREAD, "child")
    assert find("req_01aa") == find("01aa") == Found(FoundKind.REQUEST, "req_01aa")
    assert find("req_01ab") == find("01ab") == Found(FoundKind.REQUEST, "req_01ab")
    with pytest.raises(NotFoundError, match=r"more than one id begins with '0190': 0190-a \(trace\), 0190-b"):
        find("0190")
    for nothing in ("zz", "", "%", "\U0010ffff", "req_01abcd"):
        with pytest.raises(NotFoundError, match="no trace or request"):
            find(nothing)


def test_text_that_cannot_be_looked_up_is_an_error_in_words(store: Store) -> None:
    """reliability B21: an argument of bytes that are no UTF-8 arrives with lone surrogates."""
    with pytest.raises(StoreError, match="not valid Unicode"):
        store.traces.find("\udcff")


def test_an_ambiguous_list_is_cut(store: Store) -> None:
    store.traces.save([request(number, trace_id=f"t{number}") for number in range(50)])
    with pytest.raises(NotFoundError, match=r"t\d+ \(trace\), …"):
        store.traces.find("t")


def test_what_a_dead_server_left_is_marked(store: Store, clock: Clock) -> None:
    running = {"status": RequestStatus.RUNNING}
    store.traces.save(
        [request(1, server="h:1", **running), request(2, server="h:2", **running), request(3, server="h:1")],
        [replace(ATTEMPT, request_id="req_0001", **running)],
    )
    cursor = store.traces.cursor()
    assert store.traces.servers() == ("h:1", "h:2")
    assert store.traces.abandon("h:1") == 1
    gone = store.traces.get("req_0001")
    assert (gone.status, gone.error_kind, gone.finished_at) == (RequestStatus.FAILED, "server_error", clock.now)
    assert store.traces.attempts("req_0001")[0].status is RequestStatus.FAILED
    assert store.traces.running() == [store.traces.get("req_0002")]
    assert store.traces.changed(cursor).requests == (gone,)
    assert store.traces.abandon() == 1 and store.traces.abandon() == 0


def test_bindings_belong_to_one_key_and_the_newest_wins(store: Store) -> None:
    old = Binding("key_1", "t", "ch_1", None, "m", 5)
    new = replace(old, channel_id="ch_2", upstream_key_id="uk_1", updated_at=6)
    store.traces.save_bindings([old])
    assert store.traces.binding("key_1", "t") == old
    assert store.traces.binding("key_2", "t") is None  # reliability S21
    store.traces.save_bindings([new])
    store.traces.save_bindings([old])
    assert store.traces.binding("key_1", "t") == new


def test_a_store_opened_for_reading_refuses_to_write(store: Store, home: Home) -> None:
    with open_store(home, Config(), writable=False) as reader, pytest.raises(StoreError, match="read-only"):
        reader.traces.save([request(1)])
