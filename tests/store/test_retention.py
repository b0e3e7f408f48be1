"""Old traces go, their sums stay, and the disk gets its space back."""

from __future__ import annotations

import os
import random

import pytest
from msgspec.structs import replace

from axonhub_cli.config import Config, TracesConfig
from axonhub_cli.entities import AttemptRecord, Binding, Body, RequestRecord, RequestStatus
from axonhub_cli.errors import UsageError
from axonhub_cli.paths import Home
from axonhub_cli.store.database import Store, open_store
from axonhub_cli.store.usage import GROUPS
from tests.store.conftest import Clock

DAY = 86_400_000
START = 1_790_000_000_000 // DAY * DAY


def fill(store: Store, days: int = 4, per_day: int = 40) -> list[RequestRecord]:
    chance = random.Random(5)
    records = [
        RequestRecord(
            f"req_{day}_{n:03}", START + day * DAY + n, "openai_chat", "chat",
            chance.choice([RequestStatus.COMPLETED, RequestStatus.FAILED, RequestStatus.CANCELED]),
            key=chance.choice(["a", "b", None]), channel=chance.choice(["x", "y"]), profile=chance.choice(["p", None]),
            client_model="gpt-5", upstream_model=chance.choice(["m", None]), trace_id=f"t{day}",
            input_tokens=chance.choice([None, 100]), output_tokens=chance.choice([None, 0, 7]),
            cost_usd=chance.choice([None, 0.5, 0.25]),
        )
        for day in range(days) for n in range(per_day)
    ]  # fmt: skip
    attempts = [AttemptRecord(f"att_{r.id}", r.id, 1, "x", "openai_chat", "m", "only", r.started_at) for r in records]
    store.traces.save(records, attempts)
    return records


def count(store: Store, table: str) -> int:
    return int(store._connection.value(f"SELECT COUNT(*) FROM {table}"))


@pytest.mark.parametrize("by", [group for group in GROUPS if group != "trace"])
def test_sums_are_the_same_before_and_after_pruning(store: Store, by: str) -> None:
    records = fill(store)
    before = store.usage.sums(by)
    assert sum(row.requests for row in before) == len(records)
    assert sum(row.input_tokens or 0 for row in before) == sum(record.input_tokens or 0 for record in records)
    for days in (1, 2, 2, 4):
        store._retention.prune(START + days * DAY, step=7)
        assert store.usage.sums(by) == before
    assert count(store, "requests") == count(store, "attempts") == 0


def test_sums_by_hand(store: Store) -> None:
    one = RequestRecord("req_1", START, "p", "o", RequestStatus.COMPLETED, key="k", input_tokens=5, cost_usd=0.5)
    store.traces.save([
        one,
        replace(one, id="req_2", status=RequestStatus.FAILED, input_tokens=None, cost_usd=None, key=None),
        replace(one, id="req_3", input_tokens=7, cost_usd=None, started_at=START + DAY),
        replace(one, id="req_4", status=RequestStatus.RUNNING),
    ])  # fmt: skip
    rows = store.usage.sums("key")
    assert [(row.group, row.requests, row.failed, row.unpriced, row.input_tokens, row.cost_usd) for row in rows] == [
        ("k", 2, 0, 1, 12, 0.5),
        (None, 1, 1, 0, None, None),
    ]
    assert [(row.group, row.requests) for row in store.usage.sums("day")] == [("2026-09-21", 2), ("2026-09-22", 1)]
    assert [row.requests for row in store.usage.sums("model", START + 1)] == [1]
    with pytest.raises(UsageError, match="cannot sum by 'week'"):
        store.usage.sums("week")


def test_a_step_is_bounded_and_takes_the_oldest(store: Store) -> None:
    records = fill(store, days=1)
    pruned = store._retention.prune_step(START + DAY, step=10)
    assert (pruned.requests, pruned.done) == (10, False)
    assert store.traces.requests(newest_first=False) == records[10:]
    assert count(store, "attempts") == 30


def test_only_bodies(store: Store, clock: Clock) -> None:
    fill(store, days=1, per_day=3)
    store.traces.save([], [], [("req_0_000", Body("request", b"{}"))])
    assert store.prune(clock.now + 1, bodies_only=True).bodies == 1
    assert count(store, "requests") == 3 and count(store, "contents") == 0


def test_space_is_given_back(store: Store, home: Home, clock: Clock) -> None:
    for number in range(60):
        store.traces.save([], [], [(f"req_{number}", Body("stream", os.urandom(50_000)))])
    store._connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert home.database.stat().st_size > 3_000_000
    store.prune(clock.now + 1)
    store._connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    assert home.database.stat().st_size < 400_000


def test_maintain_keeps_age_and_forgets_bindings(store: Store, clock: Clock) -> None:
    fill(store, days=4)
    store.traces.save_bindings(
        [Binding("k", "old", "c", None, "m", START), Binding("k", "new", "c", None, "m", clock.now)]
    )
    now = START + 32 * DAY
    while store.maintain(now):
        pass
    assert {record.trace_id for record in store.traces.requests()} == {"t2", "t3"}
    assert store.traces.binding("k", "old") is None
    later = START + 40 * DAY
    assert store.maintain(later - 8 * DAY + 1) is False  # not due
    while store.maintain(later):
        pass
    assert store.traces.requests() == []


def test_maintain_goes_on_after_the_clock_was_set_back(store: Store) -> None:
    store.maintain(START + 3650 * DAY)
    fill(store, days=4)
    while store.maintain(START + 32 * DAY):
        pass
    assert {record.trace_id for record in store.traces.requests()} == {"t2", "t3"}


def test_maintain_keeps_the_size_and_the_newest_bodies(home: Home, clock: Clock) -> None:
    config = Config(traces=TracesConfig(max_database_mb=2))
    with open_store(home, config, clock=clock) as store:
        for hour in range(40):
            clock.now += 3_600_000
            bodies = [(f"req_{hour}_{n}", Body("stream", os.urandom(20_000))) for n in range(5)]
            store.traces.save([RequestRecord(f"req_{hour}_0", clock.now, "p", "o")], [], bodies)
        assert store.size() > 4_000_000
        while store.maintain(clock.now):
            pass
        assert store.size() <= 2 << 20
        assert count(store, "requests") == 40  # metadata is small, and stays
        assert store.traces.bodies("req_39_4") and not store.traces.bodies("req_0_0")


def test_only_one_process_maintains(store: Store, home: Home, clock: Clock) -> None:
    fill(store)
    assert store._keeper.attend()
    with open_store(home, Config(), clock=clock) as second:
        assert not second._keeper.attend()
        second.maintain(START + 400 * DAY)
        assert count(store, "requests") == 160
        store.close()
        assert second._keeper.attend()
        assert second._connection.value("PRAGMA wal_autocheckpoint") == 1000
