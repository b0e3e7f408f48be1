"""One server per home: a lock that a killed process cannot leave behind."""

from __future__ import annotations

import os
from pathlib import Path

from axonhub_cli.errors import AxonHubError, ConflictError

_NAME = "server.lock"


class ServerLock:
    """Held from `take` until `release` or the process's end; the file names its holder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises ConflictError, naming pid and address of the server that has it; AxonHubError where the file
        cannot be written."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError as error:
            raise AxonHubError(
                f"cannot write {self._path}: {error.strerror}", "Make the folder writable, or give another --home."
            ) from error
        try:
            _lock(descriptor)
        except OSError:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip() or "its pid is not known"
            os.close(descriptor)
            raise ConflictError(
                f"another axonhub serves this home already ({holder})",
                "Use it, stop it, or give this one another --home.",
            ) from None
        self._descriptor = descriptor
        self.say("starting")

    def say(self, address: str) -> None:
        """Writes who holds the lock."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"pid {os.getpid()}, {address}\n".encode(), 0)

    def leave(self) -> None:
        """For a child process: the lock stays with its parent alone."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def release(self) -> None:
        """Gives it back."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: the port is what two servers cannot share there
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
