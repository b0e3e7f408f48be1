"""Requests and attempts: kept in batches, found by filter, followed as they finish."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from axonhub_cli.entities import AttemptRecord, Binding, Body, RequestRecord, RequestStatus
from axonhub_cli.errors import NotFoundError
from axonhub_cli.store.bindings import Bindings
from axonhub_cli.store.bodies import Bodies
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.keeper import Keeper
from axonhub_cli.store.queries import RequestFilter, select_requests, upper_bound
from axonhub_cli.store.rows import RowCodec

__all__ = ["Changes", "Found", "FoundKind", "RequestFilter", "Traces"]

_REQUEST: RowCodec[RequestRecord] = RowCodec(RequestRecord)
_ATTEMPT: RowCodec[AttemptRecord] = RowCodec(AttemptRecord)


def _upsert(table: str, names: Sequence[str]) -> str:
    columns, holes = ", ".join(names), ", ".join("?" * len(names))
    assignments = ", ".join(f"{name} = excluded.{name}" for name in names if name != "id")
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({holes}) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {assignments} "
        # A batch that was put back may hold the beginning of what has ended since.
        f"WHERE {table}.status = 'running' OR excluded.status <> 'running'"
    )


_SAVE_REQUEST = _upsert("requests", (*_REQUEST.names, "change"))
_SAVE_ATTEMPT = _upsert("attempts", _ATTEMPT.names)
_SELECT_REQUEST = f"SELECT {_REQUEST.columns} FROM requests"  # noqa: S608
_SELECT_ATTEMPT = f"SELECT {_ATTEMPT.columns} FROM attempts"  # noqa: S608
_CANDIDATES = 10  # shown of an ambiguous prefix


class FoundKind(StrEnum):
    """What an id belongs to."""

    REQUEST = "request"
    TRACE = "trace"
    THREAD = "thread"


class Found(Struct, frozen=True):
    """What a prefix stands for, with the whole id."""

    kind: FoundKind
    id: str


class Changes(Struct, frozen=True):
    """Requests as they stand now, in the order they were written; pass `cursor` the next time."""

    requests: tuple[RequestRecord, ...]
    cursor: int


class Traces:
    """For one thread at a time. Reading sees what other processes have committed."""

    def __init__(self, connection: Connection, keeper: Keeper, clock: Callable[[], int]) -> None:
        self._connection = connection
        self._keeper = keeper
        self._clock = clock
        self._bodies = Bodies(connection, clock)
        self._bindings = Bindings(connection)

    def save(
        self,
        requests: Sequence[RequestRecord],
        attempts: Sequence[AttemptRecord] = (),
        bodies: Sequence[tuple[str, Body]] = (),
    ) -> None:
        """Keeps all of it in one transaction; a row whose id is known is replaced. `bodies` name their request."""
        with self._connection.writing():
            first = self._next_changes(len(requests))
            rows = [(*_REQUEST.encode(record), first + index) for index, record in enumerate(requests)]
            self._connection.run_many(_SAVE_REQUEST, rows)
            self._connection.run_many(_SAVE_ATTEMPT, map(_ATTEMPT.encode, attempts))
            if bodies:
                self._bodies.save(bodies)
        self._bodies.committed()
        self._keeper.attend()

    def requests(
        self, wanted: RequestFilter | None = None, limit: int | None = None, newest_first: bool = True
    ) -> list[RequestRecord]:
        """Those that fit the filter (None: all), by the time they started."""
        statement, values = select_requests(_REQUEST.columns, wanted or RequestFilter(), limit, newest_first)
        return [_REQUEST.decode(row) for row in self._connection.rows(statement, values)]

    def running(self) -> list[RequestRecord]:
        """Requests that are under way, oldest first."""
        return self.requests(RequestFilter(status=RequestStatus.RUNNING), newest_first=False)

    def get(self, request_id: str) -> RequestRecord:
        """The request of exactly that id. Raises NotFoundError."""
        row = self._connection.row(f"{_SELECT_REQUEST} WHERE id = ?", (request_id,))
        if row is None:
            raise _unknown(request_id)
        return _REQUEST.decode(row)

    def attempts(self, request_id: str) -> list[AttemptRecord]:
        """The upstream calls of a request, in order."""
        rows = self._connection.rows(f"{_SELECT_ATTEMPT} WHERE request_id = ? ORDER BY number, id", (request_id,))
        return [_ATTEMPT.decode(row) for row in rows]

    def bodies(self, request_id: str) -> list[Body]:
        """What a request said and was told, byte for byte; empty where nothing was kept. Raises StoreError."""
        return self._bodies.load(request_id)

    def cursor(self) -> int:
        """Where `changed` stands now."""
        return int(self._connection.value("SELECT number FROM meta WHERE name = 'change'") or 0)

    def changed(self, cursor: int, limit: int = 1000) -> Changes:
        """Requests that were written since `cursor`, running ones too; none is missed, however late it commits.

        The cursor counts writes, under the lock of the write: what commits later has a higher number.
        """
        rows = self._connection.rows(
            f"SELECT change, {_REQUEST.columns} FROM requests WHERE change > ? ORDER BY change LIMIT ?",  # noqa: S608
            (cursor, limit),
        )
        return Changes(tuple(_REQUEST.decode(row[1:]) for row in rows), rows[-1][0] if rows else cursor)

    def data_version(self) -> int:
        """Differs from the last time where another connection has committed anything; microseconds.

        https://www.sqlite.org/pragma.html#pragma_data_version
        """
        return int(self._connection.value("PRAGMA data_version"))

    def find(self, prefix: str) -> Found:
        """What an id, or the beginning of one, stands for: a request, a trace or a thread.

        A whole id wins over a longer one. Raises NotFoundError where nothing or more than one thing begins so.
        """
        starting = self._starting(prefix) or self._starting(f"req_{prefix}")
        candidates = [found for found in starting if found.id in (prefix, f"req_{prefix}")] or starting
        if not prefix or not candidates:
            raise _unknown(prefix)
        if len(candidates) > 1:
            listed = ", ".join(f"{found.id} ({found.kind.value})" for found in candidates[:_CANDIDATES])
            more = ", …" if len(candidates) > _CANDIDATES else ""
            raise NotFoundError(f"more than one id begins with {prefix!r}: {listed}{more}", "Give more of it.")
        return candidates[0]

    def binding(self, api_key_id: str, trace_id: str) -> Binding | None:
        """The channel and key a trace of one of our keys sticks to."""
        return self._bindings.get(api_key_id, trace_id)

    def save_bindings(self, bindings: Sequence[Binding]) -> None:
        """Keeps bindings, in one transaction."""
        self._bindings.save(bindings)

    def servers(self) -> tuple[str, ...]:
        """The `server` of every request that is said to run: whoever is not alive is to be abandoned."""
        rows = self._connection.rows("SELECT DISTINCT server FROM requests WHERE status = 'running'")
        return tuple(server for (server,) in rows)

    def abandon(self, server: str | None = None) -> int:
        """Marks what a dead server (None: any server) left running as failed; returns how many requests that were."""
        with self._connection.writing():
            wanted, values = ("", ()) if server is None else (" AND server = ?", (server,))
            ids = self._connection.rows(f"SELECT id FROM requests WHERE status = 'running'{wanted}", values)  # noqa: S608
            first = self._next_changes(len(ids))
            now = self._clock()
            self._connection.run_many(_ABANDON, [(now, first + index, id_) for index, (id_,) in enumerate(ids)])
            self._connection.run_many(_ABANDON_ATTEMPTS, ids)
        return len(ids)

    def _next_changes(self, count: int) -> int:
        """The first of `count` new numbers."""
        self._connection.run("UPDATE meta SET number = number + ? WHERE name = 'change'", (count,))
        return self.cursor() - count + 1

    def _starting(self, prefix: str) -> list[Found]:
        """Distinct ids with that beginning, the exact ones first; one id that is a trace and a thread is a trace."""
        found: dict[str, Found] = {}
        for kind, column in _IDS:
            # Constants of this program; the prefix goes by placeholder, so that no pattern is read into it.
            rows = self._connection.rows(
                f"SELECT DISTINCT {column} FROM requests WHERE {column} >= ? AND {column} < ? "  # noqa: S608
                f"ORDER BY {column} LIMIT ?",
                (prefix, upper_bound(prefix), _CANDIDATES + 1),
            )
            for (id_,) in rows:
                found.setdefault(id_, Found(kind, id_))
        return list(found.values())


_IDS = ((FoundKind.REQUEST, "id"), (FoundKind.TRACE, "trace_id"), (FoundKind.THREAD, "thread_id"))
_GONE = "the server ended before the answer did"
_ABANDON = f"""
    UPDATE requests SET status = 'failed', error = '{_GONE}', error_kind = 'server_error', finished_at = ?, change = ?
    WHERE id = ?
"""  # noqa: S608
_ABANDON_ATTEMPTS = f"""
    UPDATE attempts SET status = 'failed', error = '{_GONE}', error_kind = 'server_error'
    WHERE request_id = ? AND status = 'running'
"""  # noqa: S608


def _unknown(prefix: str) -> NotFoundError:
    return NotFoundError(f"no trace or request begins with {prefix!r}", "axonhub traces list shows them.")
