"""Tokens and cost in sums: of the requests that are still there, and of those that were pruned."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from axonhub_cli.errors import UsageError
from axonhub_cli.store.connection import Connection

__all__ = ["GROUPS", "Usage", "UsageRow"]

DAY_MS = 86_400_000
_MODEL = "COALESCE(upstream_model, client_model)"
# by -> the expression over requests, the one over usage_days
_EXPRESSIONS: Mapping[str, tuple[str, str]] = {
    "day": (f"started_at / {DAY_MS}", "day"),
    "model": (_MODEL, "NULLIF(model, '')"),
    "channel": ("channel", "NULLIF(channel, '')"),
    "key": ("key", "NULLIF(key, '')"),
    "profile": ("profile", "NULLIF(profile, '')"),
    "trace": ("trace_id", "NULL"),
}
GROUPS = tuple(_EXPRESSIONS)

_TOKENS = ("input_tokens", "cached_tokens", "cache_written_tokens", "output_tokens", "reasoning_tokens", "cost_usd")
# A column of usage_days -> what it is over requests.
_SUMS: Mapping[str, str] = {
    "requests": "COUNT(*)",
    "failed": "SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END)",
    "unpriced": "SUM(CASE WHEN cost_usd IS NULL AND input_tokens IS NOT NULL THEN 1 ELSE 0 END)",
    **{name: f"SUM({name})" for name in _TOKENS},
}
_NAMES = ", ".join(_SUMS)
_ADDED = ", ".join(f"SUM({name})" for name in _SUMS)
_OF_REQUESTS = ", ".join(f"{expression} AS {name}" for name, expression in _SUMS.items())
_DAY_GROUPS = (
    f"started_at / {DAY_MS}, COALESCE(key, ''), COALESCE(channel, ''), COALESCE({_MODEL}, ''), COALESCE(profile, '')"
)
# Unknown plus something is something; a sum of nothing but unknowns stays unknown.
_ABSORBED = ", ".join(
    f"{name} = COALESCE(usage_days.{name} + excluded.{name}, usage_days.{name}, excluded.{name})" for name in _SUMS
)
_ABSORB = f"""
    INSERT INTO usage_days (day, key, channel, model, profile, {_NAMES})
    SELECT {_DAY_GROUPS}, {_OF_REQUESTS} FROM requests
    WHERE (started_at, id) <= (?, ?) AND status <> 'running' GROUP BY {_DAY_GROUPS}
    ON CONFLICT (day, key, channel, model, profile) DO UPDATE SET {_ABSORBED}
"""  # noqa: S608


class UsageRow(Struct, frozen=True):
    """Sums for one group (a day is `2026-11-23`, UTC; None is unknown). A sum is None where nothing is known.

    `unpriced` counts requests with tokens whose cost is unknown: `cost_usd` leaves them out.
    """

    group: str | None
    requests: int
    failed: int
    unpriced: int
    input_tokens: int | None
    cached_tokens: int | None
    cache_written_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None


class Usage:
    """Reads sums; `absorb` belongs into the transaction that deletes the requests."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sums(self, by: str, since_ms: int | None = None) -> list[UsageRow]:
        """Days in order; other groups by cost, then tokens, the largest first. Requests under way do not count.

        Of requests that were pruned only the day is known: a `since_ms` within that day takes all of it.
        Raises UsageError for a group there is none of.
        """
        if by not in _EXPRESSIONS:
            raise UsageError(f"cannot sum by {by!r}", f"One of: {', '.join(GROUPS)}")
        live, pruned = _EXPRESSIONS[by]
        since = since_ms or 0
        # Constants of this program only; values go by placeholders.
        statement = f"""
            SELECT a.label, {_ADDED} FROM (
                SELECT {live} AS label, {_OF_REQUESTS} FROM requests
                WHERE started_at >= ? AND status <> 'running' GROUP BY {live}
                UNION ALL
                SELECT {pruned} AS label, {_NAMES} FROM usage_days WHERE day >= ?
            ) AS a GROUP BY a.label
        """  # noqa: S608
        rows = self._connection.rows(statement, (since, since // DAY_MS))
        sums = [UsageRow(_label(by, row[0]), *row[1:]) for row in rows]
        if by == "day":
            return sorted(sums, key=lambda row: row.group or "")
        return sorted(sums, key=_weight, reverse=True)

    def absorb(self, started_at: int, request_id: str) -> None:
        """Adds the requests up to and including this one, by start and id, to the sums of what was pruned."""
        self._connection.run(_ABSORB, (started_at, request_id))


def _label(by: str, value: Any) -> str | None:
    if value is None:
        return None
    return str(date(1970, 1, 1) + timedelta(days=int(value))) if by == "day" else str(value)


def _weight(row: UsageRow) -> tuple[float, int, str]:
    return (row.cost_usd or 0.0, (row.input_tokens or 0) + (row.output_tokens or 0), row.group or "")
