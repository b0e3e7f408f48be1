"""The file of the server's log: private, bounded, and shared by the processes of one server."""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

__all__ = ["LogFile"]

_OLDER = 3  # full ones that are kept beside it, as `.1` to `.3`


class LogFile:
    """Takes lines; one of `most` bytes is full and is put aside. For one thread at a time."""

    def __init__(self, path: Path, most: int) -> None:
        """Raises OSError."""
        self._path, self._most = path, most
        self._file = _open(path)
        self._torn = False  # the last line did not get there whole

    def write(self, line: bytes) -> None:
        """Appends a line. Raises OSError."""
        if self._file.closed or os.fstat(self._file.fileno()).st_size >= self._most:
            self._renew()
        rest = b"\n" + line if self._torn else line
        self._torn = True
        while rest:
            rest = rest[self._file.write(rest) :]
        self._torn = False

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()

    def _renew(self) -> None:
        """Of the processes that find a file full one puts it aside, the others follow to the new one."""
        self._file.close()
        with suppress(FileNotFoundError):
            if self._path.stat().st_size >= self._most:
                names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, _OLDER + 1))]
                for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
                    with suppress(FileNotFoundError):
                        newer.replace(older)
        self._file = _open(self._path)


def _open(path: Path) -> FileIO:
    """Created 0600, whatever the umask; unbuffered."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "ab", buffering=0)
