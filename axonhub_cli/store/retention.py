"""Forgets what is old or too much, in steps so small that nobody waits for them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from axonhub_cli.config import TracesConfig
from axonhub_cli.store.bodies import HOUR_MS
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.keeper import Keeper
from axonhub_cli.store.usage import DAY_MS, Usage

__all__ = ["Pruned", "Retention"]

_STEP = 500  # rows
_PAGES = 2000  # given back to the disk after each step: 8 MB
_STEPS = 4  # of one call of `maintain`
_EVERY_MS = 60_000
_MEGABYTE = 1 << 20


class Pruned(Struct, frozen=True):
    """How much was deleted; `done` is False where a next step would find more."""

    requests: int = 0
    bodies: int = 0
    done: bool = True

    def plus(self, other: Pruned) -> Pruned:
        """Both together; done when the later one is."""
        return Pruned(self.requests + other.requests, self.bodies + other.bodies, other.done)


class Retention:
    """Every step is one short transaction; usage sums take over what is deleted."""

    def __init__(self, connection: Connection, keeper: Keeper, usage: Usage, config: TracesConfig) -> None:
        self._connection = connection
        self._keeper = keeper
        self._usage = usage
        self._config = config
        self._due_ms = 0

    def prune(self, before_ms: int, *, bodies_only: bool = False, step: int = _STEP) -> Pruned:
        """Deletes requests that started before, with their attempts and bodies; or only bodies saved before."""
        return self._all(lambda: self.prune_step(before_ms, bodies_only=bodies_only, step=step))

    def prune_step(self, before_ms: int, *, bodies_only: bool = False, step: int = _STEP) -> Pruned:
        """At most `step` rows of `prune`, the oldest."""
        with self._connection.writing():
            requests = 0 if bodies_only else self._delete_requests(before_ms, step)
            bodies = self._delete_bodies(before_ms, step)
            if not bodies_only:
                self._connection.run(_OLD_BINDINGS, (before_ms, step))
            contents = self._delete_contents(step)
        self._give_back()
        return Pruned(requests, bodies, done=max(requests, bodies, contents) < step)

    def maintain(self, now_ms: int) -> bool:
        """Keeps age and size within the configuration; for a server to call after every batch.

        Does nothing most of the time, and only in the one process that is the keeper. True: call again soon.
        """
        if self._due_ms - _EVERY_MS <= now_ms < self._due_ms or not self._keeper.attend():  # earlier: a clock set back
            return False
        more = self._maintain_steps(now_ms)
        self._due_ms = now_ms if more else now_ms + _EVERY_MS
        return more

    def size(self) -> int:
        """Bytes of the database that are in use."""
        pages, free, size = (int(self._connection.value(f"PRAGMA {name}")) for name in _PAGE_COUNTS)
        return (pages - free) * size

    def _maintain_steps(self, now_ms: int) -> bool:
        before = now_ms - self._config.retention_days * DAY_MS
        limit = self._config.max_database_mb * _MEGABYTE
        for _ in range(_STEPS):
            if not self.prune_step(before).done:
                continue
            if self.size() <= limit or self._shrink_step().done:
                return False
        return True

    def _shrink_step(self) -> Pruned:
        """Deletes the bodies of the oldest hour, then the oldest requests. Done where nothing is left."""
        with self._connection.writing():
            oldest = self._connection.value(_OLDEST_BODY) or 0
            bodies = self._delete_bodies((oldest // HOUR_MS + 1) * HOUR_MS, _STEP)
            requests = 0 if bodies else self._delete_requests(_FAR, _STEP)
            contents = self._delete_contents(_STEP)
        self._give_back()
        return Pruned(requests, bodies, done=not (bodies or requests or contents))

    def _all(self, action: Callable[[], Pruned]) -> Pruned:
        total = action()
        while not total.done:
            total = total.plus(action())
        self._give_back(everything=True)
        return total

    def _delete_requests(self, before_ms: int, step: int) -> int:
        """The oldest requests, up to a last one: sums and deletes agree on the same range."""
        last = self._connection.rows(_OLD_REQUESTS, (before_ms, step))
        if not last:
            return 0
        edge = last[-1]
        self._usage.absorb(*edge)
        for statement in _DELETE_REQUESTS:
            self._connection.run(statement, edge)
        return len(last)

    def _delete_bodies(self, before_ms: int, step: int) -> int:
        rows = self._connection.rows(_OLD_BODIES, (before_ms, step))
        self._connection.run_many("DELETE FROM bodies WHERE request_id = ? AND kind = ?", rows)
        return len(rows)

    def _delete_contents(self, step: int) -> int:
        """Contents no body can name any more: last named in an hour before that of the oldest body."""
        oldest = self._connection.value(_OLDEST_BODY)
        deleted = self._connection.run(_OLD_CONTENTS, (_FAR if oldest is None else oldest // HOUR_MS, step))
        if oldest is None and deleted:
            # Contents of this very hour too: servers must not believe in them any longer.
            self._connection.run("UPDATE meta SET number = number + 1 WHERE name = 'epoch'")
        return deleted

    def _give_back(self, everything: bool = False) -> None:
        """Shortens the file by free pages; https://www.sqlite.org/pragma.html#pragma_incremental_vacuum"""
        self._connection.finish("PRAGMA incremental_vacuum" if everything else f"PRAGMA incremental_vacuum({_PAGES})")


_FAR = 2**62  # later than any time and hour
_PAGE_COUNTS = ("page_count", "freelist_count", "page_size")
_OLDEST_BODY = "SELECT MIN(saved_at) FROM bodies"
_OLD_REQUESTS = "SELECT started_at, id FROM requests WHERE started_at < ? ORDER BY started_at, id LIMIT ?"
_OLD_BODIES = "SELECT request_id, kind FROM bodies WHERE saved_at < ? ORDER BY saved_at LIMIT ?"
_OLD_CONTENTS = """
    DELETE FROM contents WHERE hash IN (SELECT hash FROM contents WHERE used_hour < ? ORDER BY used_hour LIMIT ?)
"""
_OLD_BINDINGS = """
    DELETE FROM bindings WHERE (api_key_id, trace_id) IN
        (SELECT api_key_id, trace_id FROM bindings WHERE updated_at < ? ORDER BY updated_at LIMIT ?)
"""
_UP_TO = "SELECT id FROM requests WHERE (started_at, id) <= (?, ?)"
_DELETE_REQUESTS = (
    f"DELETE FROM attempts WHERE request_id IN ({_UP_TO})",  # noqa: S608
    f"DELETE FROM bodies WHERE request_id IN ({_UP_TO})",  # noqa: S608
    "DELETE FROM requests WHERE (started_at, id) <= (?, ?)",
)
