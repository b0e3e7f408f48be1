"""What is written down about one exchange, from its first byte to its last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from axonhub_cli import ids
from axonhub_cli.entities import ApiKey, AttemptRecord, Body, LossRecord, RequestRecord, RequestStatus
from axonhub_cli.llm.errors import APIError
from axonhub_cli.llm.response import Usage
from axonhub_cli.protocols.base import Loss
from axonhub_cli.routing.affinity import Identity
from axonhub_cli.server import log
from axonhub_cli.server.calls import Asked
from axonhub_cli.server.metrics import Metrics
from axonhub_cli.server.recorder import Recorder

_MAX_ERROR = 2048


def new_record(
    record_id: str, asked: Asked, identity: Identity, key: ApiKey, *, path: str, server: str, now_ms: int
) -> RequestRecord:
    """What is known of a request before anything is done for it."""
    return RequestRecord(
        id=record_id,
        started_at=now_ms,
        client_protocol=asked.codec.name,
        operation=asked.operation.value,
        server=server,
        path=path,
        trace_id=identity.trace_id,
        trace_source=identity.source,
        thread_id=identity.thread_id,
        parent_thread_id=identity.parent_thread_id,
        subagent=identity.subagent,
        api_key_id=key.id,
        key=key.name,
        client=asked.headers.get("user-agent", "")[:200] or None,
        client_model=asked.model,
        stream=asked.stream,
    )


class Journal:
    """One request's record and those of its attempts. Clocks: `clock` in seconds, monotonic; `now_ms` wall time."""

    def __init__(
        self,
        record: RequestRecord,
        recorder: Recorder,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self.record = record
        self.attempts: list[AttemptRecord] = []
        self._recorder, self._metrics = recorder, metrics
        self._clock, self._now_ms = clock, now_ms
        self._started = self._attempt_started = clock()
        self._first: float | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """`finish` was called: nothing more is written down."""
        return self._over

    @property
    def elapsed(self) -> float:
        """Seconds since the request came."""
        return self._clock() - self._started

    def note(self, **fields: Any) -> None:
        """Adds what has become known of the request."""
        self.record = replace(self.record, **fields)

    def begin(self) -> None:
        """Makes the request visible as running."""
        self._recorder.request(self.record)

    def attempt(self, **fields: Any) -> None:
        """An upstream call begins; whoever watches sees on which channel the request is now."""
        self._attempt_started = self._clock()
        self._first = None
        number = len(self.attempts) + 1
        self.attempts.append(
            AttemptRecord(
                id=ids.new_id("att"), request_id=self.record.id, number=number, started_at=self._now_ms(), **fields
            )
        )
        self._recorder.request(self.record)

    def attempt_note(self, **fields: Any) -> None:
        """Adds what has become known of the call."""
        self.attempts[-1] = replace(self.attempts[-1], **fields)

    def lost(self, found: Sequence[Loss]) -> None:
        """What of the call's answer the client could not be told, beside what the upstream could not be asked."""
        if found:
            self.attempt_note(losses=(*self.attempts[-1].losses, *losses(found)))

    def output(self) -> None:
        """The first output has come."""
        if self._first is None:
            self._first = self._clock()
            self.attempt_note(ttft_ms=_ms(self._first - self._attempt_started))

    def attempt_done(self, status: RequestStatus, error: APIError | None = None) -> None:
        """The call is over."""
        self._metrics.count("axonhub_upstream_attempts_total", f'result="{status.value}"')
        fields: dict[str, Any] = {"status": status, "duration_ms": _ms(self._clock() - self._attempt_started)}
        if error is not None:
            fields |= {"error": error.message[:_MAX_ERROR], "error_kind": error.kind.value}
            if self.attempts[-1].http_status is None and error.code is None:
                fields["http_status"] = error.status
        self.attempt_note(**fields)

    def end_attempts(self, status: RequestStatus, error: APIError | None) -> None:
        """The request ended while a call was under way."""
        if self.attempts and self.attempts[-1].status is RequestStatus.RUNNING:
            self.attempt_done(status, error)

    def finish(
        self,
        status: RequestStatus,
        *,
        http_status: int | None,
        error: APIError | None = None,
        usage: Usage | None = None,
        bodies: Sequence[Body] = (),
    ) -> None:
        """The request is over; only the first call counts."""
        if self._over:
            return
        self._over = True
        fields: dict[str, Any] = {
            "status": status,
            "finished_at": self._now_ms(),
            "http_status": http_status,
            "attempts": len(self.attempts),
            "duration_ms": _ms(self.elapsed),
            "ttft_ms": None if self._first is None else _ms(self._first - self._started),
        }
        if self.attempts:
            fields["losses"] = self.attempts[-1].losses
        if error is not None:
            fields |= {"error": error.message[:_MAX_ERROR], "error_kind": error.kind.value}
        if usage is not None:
            fields |= self._tokens(usage)
        self.note(**fields)
        self._metrics.count("axonhub_requests_total", f'status="{http_status or 0}"')
        self._recorder.finish(self.record, self.attempts, bodies)
        log.request_done(self.record, self.attempts[-1] if self.attempts else None)

    def _tokens(self, usage: Usage) -> dict[str, Any]:
        for kind, count in (("input", usage.input), ("cached", usage.cached), ("output", usage.output)):
            if count:
                self._metrics.count("axonhub_tokens_total", f'kind="{kind}"', count)
        return {
            "input_tokens": usage.input,
            "cached_tokens": usage.cached,
            "cache_written_tokens": usage.cache_written,
            "cache_written_1h_tokens": usage.cache_written_1h or None,
            "output_tokens": usage.output,
            "reasoning_tokens": usage.reasoning,
            "usage_estimated": usage.estimated,
        }


def losses(found: Sequence[Loss]) -> tuple[LossRecord, ...]:
    """Losses as they are kept."""
    return tuple(LossRecord(loss.field, loss.reason) for loss in found)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
