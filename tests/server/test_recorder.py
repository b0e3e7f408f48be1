"""The queue between requests and the store."""

import threading
import time

import pytest

from axonhub_cli.entities import Binding, Body, RequestRecord, RequestStatus
from axonhub_cli.server.limits import Limits
from axonhub_cli.server.metrics import Metrics
from axonhub_cli.server.recorder import Recorder

FAST = Limits(batch_s=0.005)


class Sink:
    """Fails as often as it is told to."""

    def __init__(self, failures=0):
        self.failures, self.batches = failures, []
        self.saved = threading.Event()

    def save(self, requests, attempts, bodies, bindings):
        if self.failures:
            self.failures -= 1
            raise OSError("disk is full")
        self.batches.append((requests, attempts, bodies, bindings))
        self.saved.set()

    def close(self):
        pass


def record(number, **fields):
    return RequestRecord(id=f"req_{number}", started_at=1, client_protocol="p", operation="o", **fields)


def test_rows_of_one_id_are_joined_and_all_are_written_at_the_end():
    sink = Sink()
    recorder = Recorder(lambda: sink, Limits(batch_s=5.0), Metrics())
    recorder.start()
    recorder.request(record(1))
    recorder.finish(record(1, status=RequestStatus.COMPLETED), [], [Body("request", b"x")])
    recorder.binding(Binding("k", "t", "c", None, "m", 1))
    assert recorder.close(2.0)
    ((requests, _, bodies, bindings),) = sink.batches
    assert [row.status for row in requests] == ["completed"]
    assert (len(bodies), len(bindings)) == (1, 1)


def test_d4_d5_a_failing_store_loses_no_row():
    sink = Sink(failures=2)
    recorder = Recorder(lambda: sink, FAST, Metrics())
    recorder.start()
    for number in range(5):
        recorder.request(record(number))
    assert sink.saved.wait(5)
    recorder.close(2.0)
    assert {row.id for batch in sink.batches for row in batch[0]} == {f"req_{number}" for number in range(5)}


def test_l10_nobody_waits_for_a_store_that_hangs():
    gate = threading.Event()

    class Slow(Sink):
        def save(self, *batch):
            gate.wait(5)
            super().save(*batch)

    sink = Slow()
    recorder = Recorder(lambda: sink, FAST, Metrics())
    recorder.start()
    start = time.monotonic()
    for number in range(1000):
        recorder.finish(record(number), [], [Body("request", b"x" * 100)])
    assert time.monotonic() - start < 1.0
    gate.set()
    assert recorder.close(5.0)


@pytest.mark.parametrize("failures", [0, 99], ids=["hangs", "fails"])
def test_rows_that_are_lost_at_the_end_are_counted(caplog, failures):
    gate = threading.Event()

    class Stuck(Sink):
        def save(self, *batch):
            gate.wait(5)
            super().save(*batch)

    recorder = Recorder(lambda: Stuck(failures), FAST, Metrics())
    recorder.start()
    recorder.request(record(1))
    while recorder.gauges()["axonhub_queue_rows"]:
        time.sleep(0.005)
    recorder.request(record(2))
    if failures:
        threading.Timer(0.1, gate.set).start()
    assert not recorder.close(5.0 if failures else 0.05)
    gate.set()
    assert "2 trace rows could not be written before the end" in caplog.text


def test_bodies_are_dropped_before_rows_and_counted():
    metrics = Metrics()
    recorder = Recorder(Sink, Limits(queue_bytes=1000, body_kept=800), metrics)
    recorder.finish(record(1), [], [Body("request", b"x" * 700)])
    recorder.finish(record(2), [], [Body("request", b"x" * 700), Body("stream", b"x" * 900)])
    text = metrics.text(recorder.gauges())
    assert 'axonhub_dropped_total{what="bodies"} 2' in text
    assert "axonhub_queue_rows 2" in text
    assert "axonhub_queue_bytes 700" in text
