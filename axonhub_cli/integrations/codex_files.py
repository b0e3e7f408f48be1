"""Codex's config.toml on disk: set up and taken back so that no crash and no other writer loses a byte.

Before the first change two files are written beside it: the old file as it was, and a receipt that tells
which text was made of which. Whatever happens after, `remove` finds the way back.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from axonhub_cli.errors import AxonHubError, ConfigError, ConflictError
from axonhub_cli.files import folder_lock, make_private_folder, read_limited, replace_file
from axonhub_cli.integrations import codex, codex_undo

MAX_BYTES = 4 << 20
_RECEIPT_VERSION = 1
_TRIES = 3
_KEPT = 8  # ways back of earlier setups


class Location(Struct, frozen=True):
    """A folder of Codex's (CODEX_HOME)."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def backup(self) -> Path:
        """The file as it was before setup."""
        return self.folder / "config.toml.before-axonhub"

    @property
    def receipt(self) -> Path:
        return self.folder / "config.toml.axonhub.json"


class Receipt(Struct, frozen=True):
    """`original` None: there was no file. `states` are digests of texts whose way back is `original`, whole.
    `earlier` are the ways back of setups before this one: who writes at the same moment may bring their text back."""

    original: str | None
    states: tuple[str, ...]
    undo: codex_undo.Undo
    version: int = _RECEIPT_VERSION
    earlier: tuple[codex_undo.Undo, ...] = ()

    def undo_for(self, text: str) -> codex_undo.Undo:
        """The way back that fits the model a text names; the newest where none does."""
        model = codex.parse(text).get("model")
        return next((undo for undo in (self.undo, *self.earlier) if undo.wanted.model == model), self.undo)


class Change(Struct, frozen=True):
    """What was, or with a dry run would be, done to the file. None: no file."""

    before: str | None
    after: str | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def codex_home(option: str | None, environ: dict[str, str]) -> Location:
    """The folder named by `option`, else by CODEX_HOME, else ~/.codex."""
    name = option or environ.get("CODEX_HOME") or "~/.codex"
    try:
        return Location(Path(name).expanduser().absolute())
    except (RuntimeError, OSError) as error:  # an unknown ~user; a working directory that is gone
        raise ConfigError(f"cannot tell which folder {name} is: {error}", "Write it out: --codex-home DIR.") from error


def setup(location: Location, wanted: codex.Wanted, dry_run: bool = False) -> Change:
    """Makes Codex use the hub. Where that is so already nothing is written. Raises ConfigError for a file that
    cannot be edited, ConflictError when somebody else keeps writing it."""
    if not dry_run:
        make_private_folder(location.folder)
    with _locked(location):
        for _ in range(_TRIES):
            current = _read(location.config)
            text = _decode(current)
            if text is not None and codex.is_set_up(codex.parse(text), wanted):
                return Change(text, text)
            receipt = load_receipt(location)
            base = _original(text, receipt) if receipt is not None else text
            plan = codex.install(base or "", wanted)
            change = Change(text, plan.text)
            if dry_run or not change.changed:
                return change
            _refuse_read_only(location.config)
            states = [digest(plan.text), *([digest(text)] if text is not None else [])]
            undo = codex_undo.undo_of(base or "", plan, wanted)
            _write_receipt(location, Receipt(base, tuple(states), undo, earlier=_earlier(receipt)))
            if _replaced(location.config, current, plan.text):
                return change
    raise _busy(location)


def remove(location: Location, dry_run: bool = False) -> Change:
    """Gives the file back as it was before setup; what others have changed since stays. Where nothing of ours is
    left only our own files go. Raises as `setup` does."""
    with _locked(location):
        for _ in range(_TRIES):
            current = _read(location.config)
            text = _decode(current)
            receipt = load_receipt(location)
            after = _original(text, receipt)
            if receipt is not None and receipt.original is None and after is not None and not after.strip():
                after = None
            change = Change(text, after)
            if dry_run:
                return change
            if change.changed:
                _refuse_read_only(location.config)
                if not _replaced(location.config, current, after):
                    continue
            _forget(location, receipt, after)
            return change
    raise _busy(location)


def settings(location: Location) -> dict[str, Any]:
    """What config.toml says; empty where there is none. Raises ConfigError."""
    text = _decode(_read(location.config))
    return {} if text is None else codex.parse(text)


def diff(location: Location, change: Change) -> str:
    """The change as a unified diff; empty where there is none."""
    lines = difflib.unified_diff(
        (change.before or "").splitlines(keepends=True),
        (change.after or "").splitlines(keepends=True),
        str(location.config) if change.before is not None else os.devnull,
        str(location.config) if change.after is not None else os.devnull,
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def load_receipt(location: Location) -> Receipt | None:
    """What the last setup left, None where there was none or it cannot be read."""
    try:
        receipt = msgspec.json.decode(read_limited(location.receipt, 8 * MAX_BYTES), type=Receipt)
    except (OSError, AxonHubError, msgspec.DecodeError, UnicodeError):
        return None
    return receipt if receipt.version == _RECEIPT_VERSION else None


def digest(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _original(text: str | None, receipt: Receipt | None) -> str | None:
    """The file without us."""
    if text is None:
        return None
    if receipt is not None and digest(text) in receipt.states:
        return receipt.original
    return codex_undo.uninstall(text, receipt.undo_for(text) if receipt else None)


def _earlier(receipt: Receipt | None) -> tuple[codex_undo.Undo, ...]:
    return () if receipt is None else (receipt.undo, *receipt.earlier)[:_KEPT]


def _write_receipt(location: Location, receipt: Receipt) -> None:
    if receipt.original is not None:
        replace_file(location.backup, receipt.original.encode(), 0o600)
    replace_file(location.receipt, msgspec.json.encode(receipt), 0o600)


def _forget(location: Location, receipt: Receipt | None, after: str | None) -> None:
    """Ours is gone: so are the receipt, and the old file where it holds nothing that is not there again."""
    try:
        if receipt is not None and receipt.original == after:
            location.backup.unlink(missing_ok=True)
        location.receipt.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{location.config} is without the hub, but {error.filename} stays: {error.strerror}", "Delete it by hand."
        ) from error


def _replaced(path: Path, expected: bytes | None, text: str | None) -> bool:
    """Writes `text` (None: deletes the file) unless the file is no longer what it was."""
    if _read(path) != expected:
        return False
    if text is None:
        path.resolve().unlink(missing_ok=True)
        return True
    try:
        if expected is not None and path.stat().st_nlink > 1:
            _rewrite(path, text.encode(), len(expected))
        else:
            replace_file(path, text.encode())
    except AxonHubError as error:
        raise ConfigError(error.message, "Make the file and its folder writable, or pass --codex-home.") from error
    return True


def _rewrite(path: Path, data: bytes, old_length: int) -> None:
    """Writes into a file that has several names (hard links), which a rename would part.

    One write, filled up with newlines to the old length, then the cut: the file is whole TOML all the while.
    """
    with path.open("r+b", buffering=0) as file:
        file.write(data.ljust(old_length, b"\n"))
        file.truncate(len(data))
        os.fsync(file.fileno())


def _read(path: Path) -> bytes | None:
    try:
        return read_limited(path, MAX_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read {path}: {reason}", "Mend it, or pass --codex-home.") from error


def _decode(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"Codex's config.toml is not UTF-8: {error}", "Mend it; nothing was changed.") from error


def _refuse_read_only(path: Path) -> None:
    target = path.resolve()
    if target.exists() and not (stat.S_IMODE(target.stat().st_mode) & stat.S_IWUSR and os.access(target, os.W_OK)):
        raise ConfigError(
            f"{target} is read-only; nothing was changed",
            f"chmod u+w {target}, or edit it where it is managed: `axonhub codex setup --dry-run` shows the lines.",
        )


def _busy(location: Location) -> ConflictError:
    return ConflictError(
        f"{location.config} keeps changing while it is being edited; nothing was changed",
        "Close Codex's settings, then try again.",
    )


@contextmanager
def _locked(location: Location) -> Iterator[None]:
    """One of our own runs at a time; where there is no folder there is nothing to guard."""
    with ExitStack() as stack:
        try:
            stack.enter_context(folder_lock(location.folder))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise ConfigError(
                f"cannot open {location.folder}: {error.strerror}", "Mend the folder, or pass --codex-home."
            ) from error
        yield
