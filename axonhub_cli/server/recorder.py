"""Carries records of requests to the store without anyone waiting for the disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from axonhub_cli.entities import AttemptRecord, Binding, Body, RequestRecord
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.log import LOGGER, Rarely
from axonhub_cli.server.metrics import Metrics

_RETRY_S = (0.1, 0.5, 1.0, 2.0, 4.0)
_HARD_FACTOR = 10  # of `queue_rows`: beyond it a store that is gone for hours would eat the memory


class Sink(Protocol):
    """Where batches go; made, used and closed on the recorder's thread."""

    def save(
        self,
        requests: Sequence[RequestRecord],
        attempts: Sequence[AttemptRecord],
        bodies: Sequence[tuple[str, Body]],
        bindings: Sequence[Binding],
    ) -> None: ...

    def close(self) -> None: ...


class _Batch:
    """What waits; a later row of one id replaces the earlier."""

    def __init__(self) -> None:
        self.requests: dict[str, RequestRecord] = {}
        self.attempts: dict[str, AttemptRecord] = {}
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.bodies: deque[tuple[str, Body]] = deque()
        self.size = 0

    @property
    def rows(self) -> int:
        return len(self.requests) + len(self.attempts) + len(self.bindings)


class Recorder:
    """A bounded queue and one thread. Its methods never block and never raise; call them from the loop's thread."""

    def __init__(self, open_sink: Callable[[], Sink], limits: Limits, metrics: Metrics) -> None:
        self._open, self._limits, self._metrics = open_sink, limits, metrics
        self._batch = _Batch()
        self._writing = 0  # rows that the thread is busy with
        self._lock = threading.Condition()
        self._closing = False
        self._idle = False  # the thread waits for a first row
        self._warning = Rarely()
        self._thread = threading.Thread(target=self._run, name="axonhub-recorder", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def request(self, record: RequestRecord) -> None:
        """A row as it stands now; the newest of its id is kept."""
        with self._lock:
            self._batch.requests[record.id] = record
            self._bound()
            self._wake()

    def finish(self, record: RequestRecord, attempts: Sequence[AttemptRecord], bodies: Sequence[Body]) -> None:
        """A request that is over, with its attempts, its prompt and its reply."""
        with self._lock:
            batch = self._batch
            batch.requests[record.id] = record
            for attempt in attempts:
                batch.attempts[attempt.id] = attempt
            for body in bodies:
                if len(body.data) <= self._limits.body_kept:
                    batch.bodies.append((record.id, body))
                    batch.size += len(body.data)
                else:
                    self._drop("bodies")
            self._bound()
            self._wake()

    def binding(self, binding: Binding) -> None:
        """Where a trace sticks from now on."""
        with self._lock:
            self._batch.bindings[binding.api_key_id, binding.trace_id] = binding
            self._wake()

    def gauges(self) -> Mapping[str, int]:
        """What waits, for the metrics."""
        return {"axonhub_queue_rows": self._batch.rows, "axonhub_queue_bytes": self._batch.size}

    def close(self, seconds: float) -> bool:
        """Writes what waits and ends the thread; False where that fails, or takes longer than `seconds`."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        if self._thread.is_alive():
            self._thread.join(seconds)
        if lost := self._batch.rows + self._writing:
            LOGGER.warning("%d trace rows could not be written before the end", lost)
        return not lost

    def _wake(self) -> None:
        """Only where the thread has something to do: each waking costs the loop a turn."""
        if self._idle or self._batch.rows >= self._limits.batch_rows:
            self._idle = False
            self._lock.notify()

    def _bound(self) -> None:
        batch, limits = self._batch, self._limits
        while batch.bodies and (batch.size > limits.queue_bytes or batch.rows > limits.queue_rows):
            _, body = batch.bodies.popleft()
            batch.size -= len(body.data)
            self._drop("bodies")
        while batch.rows > limits.queue_rows * _HARD_FACTOR and batch.requests:
            del batch.requests[next(iter(batch.requests))]
            self._drop("rows")

    def _drop(self, what: str) -> None:
        self._metrics.count("axonhub_dropped_total", f'what="{what}"')

    def _run(self) -> None:
        sink: Sink | None = None
        failures = 0
        while (batch := self._take()) is not None:
            try:
                sink = sink or self._open()
                sink.save(
                    list(batch.requests.values()),
                    list(batch.attempts.values()),
                    list(batch.bodies),
                    list(batch.bindings.values()),
                )
                failures = self._writing = 0
            except Exception as error:
                self._warning.warn(f"traces cannot be written, {batch.rows} rows wait: {error}")
                self._put_back(batch)
                # A connection that failed is not trusted again (reliability D5).
                _close(sink)
                sink = None
                if not self._rest(_RETRY_S[min(failures, len(_RETRY_S) - 1)]):
                    return
                failures += 1
        _close(sink)

    def _take(self) -> _Batch | None:
        """The next batch, a moment after its first row came so that others can join; None at the end."""
        with self._lock:
            while not self._waiting():
                if self._closing:
                    return None
                self._idle = True
                self._lock.wait()
            self._idle = False
            deadline = time.monotonic() + self._limits.batch_s
            while not self._closing and self._batch.rows < self._limits.batch_rows:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._lock.wait(left)
            batch, self._batch = self._batch, _Batch()
            self._writing = batch.rows
            return batch

    def _waiting(self) -> bool:
        return bool(self._batch.rows or self._batch.bodies)

    def _put_back(self, batch: _Batch) -> None:
        with self._lock:
            newer, self._batch, self._writing = self._batch, batch, 0
            batch.requests.update(newer.requests)
            batch.attempts.update(newer.attempts)
            batch.bindings.update(newer.bindings)
            batch.bodies.extend(newer.bodies)
            batch.size += newer.size
            self._bound()

    def _rest(self, seconds: float) -> bool:
        """False where the end came while the store still fails."""
        with self._lock:
            if self._closing:
                return False
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                self._lock.wait(left)
                if self._closing:
                    return True
            return True


def _close(sink: Sink | None) -> None:
    if sink is not None:
        try:
            sink.close()
        except Exception as error:
            LOGGER.debug("closing the store failed: %s", type(error).__name__)
