"""Sees to it that of all processes on one database exactly one checkpoints and prunes by itself."""

from __future__ import annotations

import os

from axonhub_cli.files import open_private
from axonhub_cli.store.connection import Connection

try:
    import fcntl
except ImportError:  # Windows: a server there has one process
    fcntl = None  # type: ignore[assignment]

__all__ = ["Keeper"]

_PAGES = 1000  # of 4 KiB in the log before it is written back


class Keeper:
    """A lock that the system takes back when its process ends, however it ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._descriptor: int | None = None
        self._held = False

    def attend(self) -> bool:
        """Whether this process is the keeper, having become it if there was none. Cheap enough for every batch."""
        if not self._held and self._connection.writable and self._lock():
            self._held = True
            self._connection.rows(f"PRAGMA wal_autocheckpoint = {_PAGES}")
        return self._held

    def close(self) -> None:
        """Lets another process become the keeper."""
        self._held = False
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self) -> bool:
        if fcntl is None:
            return True
        try:
            if self._descriptor is None:
                path = self._connection.path
                self._descriptor = open_private(path.with_name(path.name + ".keeper"))
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False  # another process is
        return True
