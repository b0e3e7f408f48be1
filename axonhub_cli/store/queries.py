"""Filters on requests as statements that walk an index in the order that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

__all__ = ["NO_LIMIT", "RequestFilter", "select_requests", "upper_bound"]

NO_LIMIT = 2**62


class RequestFilter(Struct, frozen=True):
    """All that is given must hold. `model` is the client's or the upstream's; times are about the start."""

    key: str | None = None
    channel: str | None = None
    model: str | None = None
    status: str | None = None
    trace_id: str | None = None
    thread_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None  # exclusive


_CONDITIONS = (
    ("key", "key = ?"),
    ("channel", "channel = ?"),
    ("status", "status = ?"),
    ("trace_id", "trace_id = ?"),
    ("thread_id", "thread_id = ?"),
    ("since_ms", "started_at >= ?"),
    ("until_ms", "started_at < ?"),
)


def select_requests(
    columns: str, wanted: RequestFilter, limit: int | None, newest_first: bool
) -> tuple[str, list[Any]]:
    """The statement and its values."""
    direction = "DESC" if newest_first else "ASC"
    order = f"ORDER BY started_at {direction}, id {direction} LIMIT ?"
    conditions = [(text, getattr(wanted, name)) for name, text in _CONDITIONS if getattr(wanted, name) is not None]
    count = NO_LIMIT if limit is None else max(0, limit)
    if wanted.model is None:
        return _select(columns, conditions, order, count)
    # One OR would read and sort every request of the model; two walks in order stop at the limit.
    left, left_values = _select(columns, [("client_model = ?", wanted.model), *conditions], order, count)
    right, right_values = _select(columns, [("upstream_model = ?", wanted.model), *conditions], order, count)
    both = f"SELECT * FROM ({left}) AS a UNION SELECT * FROM ({right}) AS b {order}"  # noqa: S608
    return both, [*left_values, *right_values, count]


def upper_bound(prefix: str) -> str:
    """The text that sorts after everything that starts with `prefix` (both databases compare code points)."""
    return prefix + "\U0010ffff"


def _select(columns: str, conditions: Sequence[tuple[str, Any]], order: str, limit: int) -> tuple[str, list[Any]]:
    where = " AND ".join(text for text, _ in conditions)
    clause = f" WHERE {where}" if where else ""
    return f"SELECT {columns} FROM requests{clause} {order}", [*(value for _, value in conditions), limit]  # noqa: S608
