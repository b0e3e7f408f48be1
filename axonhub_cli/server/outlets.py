"""Where the lines of the server's log go: a terminal, which may take no more, and a file."""

from __future__ import annotations

import errno
import os
import select
import stat
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TextIO

__all__ = ["LogFile", "Terminal"]

_OLDER = 3  # full ones that are kept beside it, as `.1` to `.3`


class Terminal:
    """A stream of text that is never waited for: what a paused terminal or an unread pipe has no room for is left
    out, so that it does not stop the server."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._own: FileIO | None = None
        self._room: select.poll | None = None
        self._left_out = 0
        self._torn = False  # the last line did not get there whole
        with suppress(OSError, ValueError, AttributeError):  # no descriptor; and Windows polls sockets only
            room = select.poll()
            room.register(stream.fileno(), select.POLLOUT)
            self._room = room
            self._own = _opened_again(stream.fileno())

    def write(self, line: str) -> None:
        """Shows a line; where nobody can see it any more that is no error."""
        if self._room is not None and not self._room.poll(0):
            self._left_out += 1
            return
        if self._left_out:
            line = f"({self._left_out} lines are not shown here)\n{line}"
        with suppress(OSError, ValueError):  # the terminal is gone, the stream was closed
            if self._own is not None:
                self._push(self._own, f"{line}\n".encode(self._stream.encoding, "backslashreplace"))
                return
            self._stream.write(f"{line}\n")
            self._stream.flush()
        self._left_out = 0

    def _push(self, terminal: FileIO, line: bytes) -> None:
        whole = b"\n" + line if self._torn else line
        taken = terminal.write(whole) or 0
        self._left_out = 0 if taken else self._left_out + 1
        if taken:
            self._torn = taken < len(whole)

    def close(self) -> None:
        """Lets go of the terminal; the stream stays."""
        if self._own is not None:
            self._own.close()


class LogFile:
    """Takes lines; one of `most` bytes is full and is put aside. Shared by the processes of one server: 0600, and
    each line in one piece. For one thread at a time."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most = path, most
        self._file: FileIO | None = None  # until the first line
        self._torn = False  # the last line did not get there whole

    def write(self, line: bytes) -> None:
        """Appends a line. Raises OSError."""
        file = self._file
        if file is None or self._is_over(os.fstat(file.fileno())):
            file = self._renew()
        rest = b"\n" + line if self._torn else line
        self._torn = True
        while rest:
            rest = rest[file.write(rest) :]
        self._torn = False

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_over(self, status: os.stat_result) -> bool:
        """Full, or deleted by somebody."""
        return status.st_size >= self._most or not status.st_nlink

    def _renew(self) -> FileIO:
        """Of the processes that find a file full one puts it aside, the others follow to the new one."""
        self.close()
        with suppress(FileNotFoundError):
            if self._path.stat().st_size >= self._most:
                names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, _OLDER + 1))]
                for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
                    with suppress(FileNotFoundError):
                        newer.replace(older)
        self._file = _open(self._path)
        return self._file


def _open(path: Path) -> FileIO:
    """Created 0600, whatever the umask; unbuffered. A pipe would be waited for: it is refused with OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file")
    return os.fdopen(descriptor, "ab", buffering=0)


def _opened_again(descriptor: int) -> FileIO | None:
    """A terminal, for writes that do not wait: it may have room for the half of a line, which `poll` does not say. The
    descriptor itself is shared with the shell and stays as it is. None for what is no terminal, or not ours to open."""
    try:
        path = os.ttyname(descriptor)
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY), "wb", buffering=0)
    except OSError:
        return None
