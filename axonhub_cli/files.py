"""Files and folders that only their owner may read, written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from axonhub_cli.errors import AxonHubError

__all__ = [
    "create_private",
    "folder_lock",
    "link_new",
    "make_private_folder",
    "open_private",
    "read_limited",
    "replace_file",
]

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # not on Windows
_BINARY = getattr(os, "O_BINARY", 0)  # only on Windows
_EXCLUSIVE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY


def make_private_folder(path: Path) -> None:
    """Makes `path` and what is missing above it with mode 0700, whatever the umask; one that exists is left as it is.

    Raises AxonHubError that names the path where that cannot be done.
    """
    missing = []
    current = path
    try:
        while not current.exists() and current != current.parent:
            missing.append(current)
            current = current.parent
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            if stat.S_IMODE(folder.stat().st_mode) != FOLDER_MODE:
                folder.chmod(FOLDER_MODE)  # a umask may only have taken bits away
    except OSError as error:
        raise _failure(f"cannot create the folder {path}", error) from error
    if not path.is_dir():
        raise AxonHubError(f"{path} is not a folder", "Move that file away, or choose another with AXONHUB_HOME.")


@contextmanager
def folder_lock(path: Path) -> Iterator[None]:
    """One process at a time inside. The folder itself is the lock, so that nothing stays behind. Raises OSError where
    it cannot be opened."""
    try:
        import fcntl
    except ImportError:  # Windows: comparing before the rename has to do
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_private(path: Path, *, append: bool = True) -> int:
    """A descriptor for writing `path`, made with mode 0600 where missing; a symbolic link is refused with OSError."""
    flags = os.O_WRONLY | os.O_CREAT | _NO_FOLLOW | _BINARY | (os.O_APPEND if append else os.O_TRUNC)
    descriptor = os.open(path, flags, FILE_MODE)
    if os.name == "posix" and stat.S_IMODE(os.fstat(descriptor).st_mode) & FILE_MODE != FILE_MODE:
        os.fchmod(descriptor, FILE_MODE)  # a umask may only have taken bits away
    return descriptor


def create_private(path: Path, data: bytes) -> bool:
    """Writes a new file of mode 0600, whole and on disk before it has its name. False: the name is taken.

    Of two processes that do this at once exactly one gets True. Raises AxonHubError where the folder is not writable.
    """
    try:
        temporary = _temporary(path, data, FILE_MODE)
        try:
            link_new(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise _failure(f"cannot write {path}", error) from error
    return True


def replace_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Puts `data` in the place of `path` in one step; a crash leaves the old file or the new one.

    A symbolic link stays, its target is replaced. Mode and owner of an existing file are kept unless
    `mode` is given; a new file gets `mode` or 0600. Raises AxonHubError, with nothing changed.
    """
    try:
        target = path.resolve()
        old = target.stat() if target.exists() else None
        kept = stat.S_IMODE(old.st_mode) if old else FILE_MODE
        temporary = _temporary(target, data, kept if mode is None else mode)
        try:
            if old is not None:
                _keep_owner(temporary, old)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise _failure(f"cannot write {path}", error) from error


def link_new(temporary: Path, path: Path) -> None:
    """Gives a finished file its name, for good. Raises FileExistsError where the name is taken, OSError else."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links (FAT, some network mounts): nearly as good.
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        temporary.replace(path)
    _sync_folder(path.parent)


def read_limited(path: Path, limit: int) -> bytes:
    """All of a file of at most `limit` bytes. Raises AxonHubError when it is larger, or a pipe, which would keep
    us waiting; OSError as it comes."""
    if stat.S_ISFIFO(path.stat().st_mode):
        raise AxonHubError(f"{path} is a pipe, not a file", "Put a file in its place.")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise AxonHubError(f"{path} is larger than {limit} bytes", "Is it the right file?")
    return data


def _temporary(target: Path, data: bytes, mode: int) -> Path:
    """A new file beside `target` with `data` on disk; gone again where writing fails."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(path, _EXCLUSIVE, mode & FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name == "posix" and stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
                os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _keep_owner(path: Path, old: os.stat_result) -> None:
    if os.name == "posix" and (old.st_uid, old.st_gid) != (path.stat().st_uid, path.stat().st_gid):
        with suppress(PermissionError):  # only root may give files away; the content matters more
            os.chown(path, old.st_uid, old.st_gid)


def _sync_folder(path: Path) -> None:
    """Makes a rename last through a power cut; not offered by every file system."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(what: str, error: BaseException) -> AxonHubError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return AxonHubError(
        f"{what}: {reason}",
        "Check the permissions and free space, or choose another folder (AXONHUB_HOME; for Codex, CODEX_HOME).",
    )
