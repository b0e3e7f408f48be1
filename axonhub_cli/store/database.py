"""The store as the rest of the program sees it."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from axonhub_cli.config import Config
from axonhub_cli.entities import Snapshot
from axonhub_cli.ids import now_ms
from axonhub_cli.paths import Home
from axonhub_cli.store.api_keys import ApiKeys
from axonhub_cli.store.channels import Channels
from axonhub_cli.store.connection import Connection
from axonhub_cli.store.keeper import Keeper
from axonhub_cli.store.opening import open_database
from axonhub_cli.store.profiles import Profiles
from axonhub_cli.store.retention import Pruned, Retention
from axonhub_cli.store.snapshot import read_revision, read_snapshot
from axonhub_cli.store.traces import Traces
from axonhub_cli.store.usage import Usage

__all__ = ["Store", "open_store"]


class Store:
    """One connection, for one thread at a time. Whatever fails raises StoreError."""

    def __init__(self, home: Home, config: Config, connection: Connection, clock: Callable[[], int]) -> None:
        self.home = home
        self._connection = connection
        self.channels = Channels(connection, clock)
        self.profiles = Profiles(connection, clock)
        self.keys = ApiKeys(connection, clock)
        self._keeper = Keeper(connection)
        self.traces = Traces(connection, self._keeper, clock)
        self.usage = Usage(connection)
        self._retention = Retention(connection, self._keeper, self.usage, config.traces)

    @property
    def writable(self) -> bool:
        """False where the home is read-only, or the store was opened for reading: changes raise StoreError."""
        return self._connection.writable

    def revision(self) -> int:
        """Grows with every change to channels, profiles or keys. Raises StoreError also where the file is gone."""
        self._connection.check_place()
        return read_revision(self._connection)

    def snapshot(self) -> Snapshot:
        """Channels, profiles and keys as of one moment."""
        return read_snapshot(self._connection, self.channels, self.profiles, self.keys)

    def damage(self) -> str | None:
        """What a check of the whole file finds; None when it is sound. Takes seconds for gigabytes."""
        found = str(self._connection.value("PRAGMA quick_check(1)"))
        return None if found == "ok" else found

    def prune(self, before_ms: int, *, bodies_only: bool = False) -> Pruned:
        """Deletes traces that started before, or only the bodies saved before, and shortens the file."""
        return self._retention.prune(before_ms, bodies_only=bodies_only)

    def maintain(self, now_ms: int) -> bool:
        """Keeps age and size within the configuration; for a server to call after every batch. True: call again."""
        return self._retention.maintain(now_ms)

    def size(self) -> int:
        """Bytes of the database that are in use."""
        return self._retention.size()

    def close(self) -> None:
        """Ends the connection; a second time does nothing."""
        self._keeper.close()
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def open_store(home: Home, config: Config, *, writable: bool = True, clock: Callable[[], int] = now_ms) -> Store:
    """The home's store, made where missing.

    With `writable` false nothing is made or changed, and a home without a database reads as empty. A home that
    is read-only is opened for reading all the same; a change then raises StoreError. Raises StoreError where the
    file is no sound database of ours; the file is left as it is.
    """
    return Store(home, config, open_database(home, writable=writable), clock)
