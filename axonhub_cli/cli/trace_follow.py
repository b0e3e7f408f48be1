"""The loop behind `traces tail`: looks at the store ten times a second and shows what has changed."""

from __future__ import annotations

import itertools
import select
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from axonhub_cli.cli.settle import settle
from axonhub_cli.cli.trace_tail import POLL_S, open_screen
from axonhub_cli.entities import RequestRecord, RequestStatus
from axonhub_cli.ids import now_ms

if TYPE_CHECKING:
    from axonhub_cli.cli.output import Output
    from axonhub_cli.store.database import Store
    from axonhub_cli.store.traces import RequestFilter

_SETTLE_TURNS = 20  # every two seconds
_REMEMBERED = 10_000  # finished requests known not to be shown again


def print_last(store: Store, wanted: RequestFilter, number: int, out: Output) -> None:
    """The last requests, oldest first, running ones included."""
    settle(store)
    with open_screen(out) as screen:
        screen.show(_last(store, wanted, number), (), now_ms())


def follow(
    store: Store, wanted: RequestFilter, number: int, out: Output, *, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Shows the last requests and then each that finishes, until interrupted. Raises StoreError where the database is
    moved or deleted."""
    settle(store)
    with open_screen(out) as screen:
        watcher = _Watcher(store, wanted)
        screen.show(watcher.begin(number), watcher.running, now_ms())
        for turn in itertools.count(1):
            if _reader_gone():
                break
            sleep(POLL_S)
            if turn % _SETTLE_TURNS == 0:
                store.revision()  # an error where the file was moved or deleted: it would be looked at for ever
                if watcher.running and settle(store, watcher.running):
                    watcher.look_again()
            screen.show(watcher.look(), watcher.running, now_ms())


def _reader_gone() -> bool:
    """Whether the other end of our pipe is closed: with nothing to write one would wait for ever to learn it."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)  # errors and hang-ups are always told
        return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # Windows has no poll; a replaced stdout may have no number
        return False


class _Watcher:
    """What changed since the last look. Records are asked for by the number of their last change, so that
    none is missed whatever the clocks of servers say."""

    def __init__(self, store: Store, wanted: RequestFilter) -> None:
        self._store = store
        self._wanted = wanted
        self._version = -1
        self._cursor = 0
        self._running: dict[str, RequestRecord] = {}
        self._shown: dict[str, None] = {}

    @property
    def running(self) -> Sequence[RequestRecord]:
        """Requests under way, the oldest first."""
        return list(self._running.values())

    def begin(self, number: int) -> list[RequestRecord]:
        """The last `number` requests that have finished, oldest first; takes note of those under way."""
        from msgspec.structs import replace

        self._version = self._store.traces.data_version()
        self._cursor = self._store.traces.cursor()
        under_way = replace(self._wanted, status=RequestStatus.RUNNING)
        if self._wanted.status in (None, RequestStatus.RUNNING):
            self._sort_out(self._store.traces.requests(under_way, newest_first=False))
        return self._sort_out(_last(self._store, self._wanted, number))

    def look(self) -> list[RequestRecord]:
        """Requests that have finished since, oldest first. Costs next to nothing where nothing was written."""
        version = self._store.traces.data_version()
        if version == self._version:
            return []
        self._version = version
        finished: list[RequestRecord] = []
        while (changes := self._store.traces.changed(self._cursor)).requests:
            self._cursor = changes.cursor
            finished += self._sort_out(changes.requests)
        return finished

    def look_again(self) -> None:
        """This process has written itself, which the version does not tell it."""
        self._version = -1

    def _sort_out(self, records: Sequence[RequestRecord]) -> list[RequestRecord]:
        finished = []
        for record in records:
            if record.id in self._shown:
                continue
            if not _fits(record, self._wanted):
                self._running.pop(record.id, None)  # it went on to another channel
                continue
            if record.status is RequestStatus.RUNNING:
                if self._wanted.status in (None, RequestStatus.RUNNING):
                    self._running[record.id] = record
                continue
            self._running.pop(record.id, None)
            if self._wanted.status in (None, record.status):
                self._remember(record.id)
                finished.append(record)
        return finished

    def _remember(self, request_id: str) -> None:
        self._shown[request_id] = None
        while len(self._shown) > _REMEMBERED:
            del self._shown[next(iter(self._shown))]


def _fits(record: RequestRecord, wanted: RequestFilter) -> bool:
    """All but the status: one that is under way must be seen to end, also where its end is not asked for."""
    return (
        wanted.key in (None, record.key)
        and wanted.channel in (None, record.channel)
        and (wanted.model is None or wanted.model in (record.client_model, record.upstream_model))
        and wanted.trace_id in (None, record.trace_id)
    )


def _last(store: Store, wanted: RequestFilter, number: int) -> list[RequestRecord]:
    """The newest `number`, oldest first."""
    return list(reversed(store.traces.requests(wanted, number, newest_first=True))) if number else []
