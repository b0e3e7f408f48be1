"""Requests as rows: the names of the JSON contract, and the columns people see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from axonhub_cli.cli.output import Column
from axonhub_cli.cli.text import count, cut, money, rfc3339, span, width_of

if TYPE_CHECKING:
    from axonhub_cli.entities import AttemptRecord, LossRecord, RequestRecord

# Straight from the record, in the order of the JSON object.
_PLAIN = (
    *("key", "profile", "rule", "client", "client_protocol", "operation", "client_model", "upstream_model"),
    *("served_model", "channel", "upstream_protocol", "stream", "http_status", "error", "error_kind", "attempts"),
    *("ttft_ms", "duration_ms", "input_tokens", "cached_tokens", "cache_written_tokens", "output_tokens"),
    *("cache_written_1h_tokens", "reasoning_tokens", "usage_estimated", "cost_usd", "finish_reason"),
)
_ATTEMPT_PLAIN = (
    *("id", "number", "channel", "upstream_protocol", "upstream_model", "reason", "url_path", "http_status", "error"),
    *("error_kind", "ttft_ms", "duration_ms", "upstream_request_id"),
)

# The marks of a finished request; words where colour alone would have to tell.
MARKS = {"completed": "ok", "failed": "failed", "canceled": "canceled", "running": "running"}
# What takes the place of "ok" where nobody was asked to answer.
_DONE = {"count_tokens": "counted", "embeddings": "embedded", "compact": "compacted"}
STYLES = {"completed": "green", "failed": "red", "canceled": "yellow", "running": "cyan"}


def request_row(record: RequestRecord) -> dict[str, Any]:
    """A request for JSON. Unknown is None."""
    row: dict[str, Any] = {
        "request_id": record.id,
        "trace_id": record.trace_id,
        "thread_id": record.thread_id,
        "parent_thread_id": record.parent_thread_id,
        "subagent": record.subagent,
        "trace_source": record.trace_source,
        "started_at": rfc3339(record.started_at),
        "finished_at": rfc3339(record.finished_at),
        "status": str(record.status),
    }
    row.update((name, getattr(record, name)) for name in _PLAIN)
    row["losses"] = loss_rows(record.losses)
    return row


def attempt_row(attempt: AttemptRecord) -> dict[str, Any]:
    """An attempt for JSON."""
    row: dict[str, Any] = {name: getattr(attempt, name) for name in _ATTEMPT_PLAIN}
    return {
        **row,
        "started_at": rfc3339(attempt.started_at),
        "status": str(attempt.status),
        "losses": loss_rows(attempt.losses),
    }


def loss_rows(losses: Iterable[LossRecord]) -> list[dict[str, str]]:
    """Losses for JSON."""
    return [{"field": loss.field, "reason": loss.reason} for loss in losses]


def models(record: RequestRecord) -> str:
    """What was asked for, and what was used where that differs."""
    asked, used = record.client_model or "-", record.upstream_model
    return asked if used in (None, asked) else f"{asked} → {used}"


def models_within(record: RequestRecord, width: int) -> str:
    """The same in at most `width` columns, with something left of both names."""
    asked, arrow, used = models(record).partition(" → ")
    room = width - len(arrow) - width_of(used)
    return cut(cut(asked, max(room, (width - len(arrow)) // 2)) + arrow + used, width)


def outcome(record: RequestRecord) -> str:
    """The status in a word, with the HTTP status where it failed."""
    word = MARKS[str(record.status)]
    if word == "ok":
        return _DONE.get(record.operation, word)
    return f"{word} {record.http_status}" if word == "failed" and record.http_status else word


def input_text(record: RequestRecord) -> str:
    """Input tokens with the cached share."""
    if not record.cached_tokens or not record.input_tokens:
        return count(record.input_tokens)
    return f"{count(record.input_tokens)} ({100 * record.cached_tokens // record.input_tokens}% cached)"


def output_text(record: RequestRecord) -> str:
    """Output tokens; `~` marks an estimate of ours."""
    return f"~{count(record.output_tokens)}" if record.usage_estimated else count(record.output_tokens)


def short(identity: str | None, length: int = 13) -> str:
    """The beginning of an id, which is enough for `traces show`."""
    return cut(identity, length) if identity else "-"


LIST_COLUMNS = (
    Column("STARTED", lambda item: item.started, rank=2),
    Column("REQUEST", lambda item: item.record.id, rank=3),
    Column("TRACE", lambda item: short(item.record.trace_id), rank=4),
    Column("KEY", lambda item: item.record.key or "-", rank=7),
    Column("MODEL", lambda item: models(item.record)),
    Column("CHANNEL", lambda item: item.record.channel or "-", rank=1),
    Column("STATUS", lambda item: outcome(item.record)),
    Column("IN", lambda item: count(item.record.input_tokens), right=True, rank=5),
    Column("CACHED", lambda item: count(item.record.cached_tokens), right=True, rank=8),
    Column("OUT", lambda item: output_text(item.record), right=True, rank=5),
    Column("COST", lambda item: money(item.record.cost_usd), right=True, rank=6),
    Column("TIME", lambda item: span(item.record.duration_ms), right=True, rank=2),
)
