"""What a failing database tells the person at the terminal."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from axonhub_cli.errors import StoreError

__all__ = ["ERRORS", "damaged", "explain", "foreign", "moved", "read_only"]

_LOCKS = Path("/proc/locks")  # Linux: https://man7.org/linux/man-pages/man5/proc_locks.5.html
_NEEDED = 64 * 1024  # the index of the write-ahead log grows by 32 KiB
_WRITE_LOCK_BYTE = "120"  # WAL_WRITE_LOCK in the -shm file: https://www.sqlite.org/walformat.html (2.3.1)


# Beside its own: values it cannot bind (a lone surrogate of an argument, a huge number), and messages about a
# damaged schema that are no UTF-8.
ERRORS = (sqlite3.Error, UnicodeError, OverflowError)


def explain(error: Exception, path: Path) -> StoreError:
    """The StoreError for what sqlite3 raised while working on the file `path`."""
    if isinstance(error, (UnicodeEncodeError, OverflowError)):
        return StoreError("a value that no database holds (not valid Unicode, or too large)", "Check what you typed.")
    # The low byte is the primary code, the rest refines it: https://www.sqlite.org/rescode.html
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _locked(path)
    if code == sqlite3.SQLITE_NOTADB:
        return foreign(path, "it is no SQLite file")
    if code == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeError) or "decode to UTF-8" in str(error):
        return damaged(path, str(error))
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _disk_is_full(path)):
        return StoreError(
            f"the disk is full: cannot write {path}",
            "Free some space; traces.max_database_mb in config.yml bounds what is kept.",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return read_only(path)
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return StoreError(f"cannot read or write {path}: {error}", "Check the disk and the folder's permissions.")
    return StoreError(
        f"the database {path} refused: {error}",
        f"Check its disk, or move it away (mv {path} {path}.broken) to start with an empty one.",
    )


def _disk_is_full(path: Path) -> bool:
    """SQLite calls a write-ahead log or its index that cannot grow an I/O error."""
    try:
        return shutil.disk_usage(path.parent).free < _NEEDED
    except OSError:
        return False


def read_only(path: Path) -> StoreError:
    """Something was to be written where nothing may be."""
    return StoreError(
        f"cannot write {path}: it or its folder is read-only",
        "Check the owner and permissions, or choose another folder with AXONHUB_HOME.",
    )


def moved(path: Path) -> StoreError:
    """The file is not where it was opened."""
    return StoreError(
        f"the database {path} was moved or deleted, and is read anew after a restart only", "Start this command anew."
    )


def damaged(path: Path, reason: str) -> StoreError:
    """The file is ours, but broken."""
    return StoreError(
        f"the database {path} is damaged: {reason}",
        f"It was left as it is. Restore a copy, or move it away (mv {path} {path}.broken) to start with an empty one.",
    )


def foreign(path: Path, reason: str) -> StoreError:
    """The file is not ours."""
    return StoreError(
        f"{path} is not a database of axonhub: {reason}",
        f"It was left as it is. Move it away (mv {path} {path}.old), or choose another folder with AXONHUB_HOME.",
    )


def _locked(path: Path) -> StoreError:
    holders = ", ".join(str(pid) for pid in _writers(path))
    who = f"process {holders}" if holders else "another process"
    return StoreError(
        f"the database {path} is locked by {who} for more than 5 seconds", "End that program, or try again later."
    )


def _writers(path: Path) -> list[int]:
    """The processes that hold the write lock, where the system tells."""
    try:
        inode = str(Path(f"{path}-shm").stat().st_ino)
        lines = _LOCKS.read_text("ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = set()
    for line in lines:
        # 1: POSIX  ADVISORY  WRITE 4242 fd:01:1234567 120 120
        words = line.split()
        on_the_log = len(words) == 8 and words[3] == "WRITE" and words[5].rsplit(":", 1)[-1] == inode
        if on_the_log and words[6] == _WRITE_LOCK_BYTE and words[4].isdigit():
            found.add(int(words[4]))
    return sorted(found)
