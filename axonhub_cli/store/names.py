"""Names of channels, profiles and keys: which are allowed, and which was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from axonhub_cli.errors import AxonHubError, ConflictError, NotFoundError

__all__ = ["changed_meanwhile", "check_name", "not_found", "taken"]

# No slash: CHANNEL/MODEL pins a channel. Not only dots: names end up in file names.
_NAME = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,64}")


def check_name(noun: str, name: str) -> None:
    """Raises AxonHubError where `name` cannot be the name of a `noun` (channel, profile, key)."""
    if not _NAME.fullmatch(name) or name.startswith("-"):
        raise AxonHubError(
            f"{_short(name)!r} cannot be the name of a {noun}",
            "Use 1 to 64 letters, digits, dots, hyphens and underscores, the first one no hyphen.",
        )


def not_found(noun: str, name: str, known: Iterable[str]) -> NotFoundError:
    """The error for a name nothing has, with the nearest one and the command that lists them."""
    names = list(known)
    spelled = {word.lower(): word for word in names}
    near = difflib.get_close_matches(name.lower(), list(spelled), n=1, cutoff=0.5)
    meant = f"Did you mean {spelled[near[0]]}? " if near else "" if names else f"There is no {noun} yet. "
    return NotFoundError(f"no {noun} is called {_short(name)!r}", f"{meant}axonhub {noun} list shows them.")


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:79]}…"


def taken(noun: str, name: str) -> ConflictError:
    """The error for a name something else has."""
    return ConflictError(
        f"there is a {noun} called {name!r} already", f"Choose another name, or change it: axonhub {noun} show {name}"
    )


def changed_meanwhile(noun: str, name: str) -> ConflictError:
    """The error for an edit of what is no longer as it was when it was read."""
    return ConflictError(
        f"{noun} {name} was changed by another command at the same time, and stays as that left it",
        f"Give the command again; axonhub {noun} show {name} shows what it is now.",
    )
