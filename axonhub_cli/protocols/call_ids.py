"""Ids of tool calls in the letters that every strict vendor takes, each call its own (pitfall 70)."""

from __future__ import annotations

import hashlib
import re

_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_SHORT = re.compile(r"[a-zA-Z0-9]{9}\Z")
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


def is_short(id: object) -> bool:
    """Whether an id is one of nine letters and digits."""
    return isinstance(id, str) and _SHORT.match(id) is not None


class CallIds:
    """The ids of one request, in the order of its calls. Two calls never share one, whatever they were called.

    `short`: for those who insist on nine letters and digits.
    """

    def __init__(self, *, short: bool = False) -> None:
        self._legal = _SHORT if short else _LEGAL
        self._taken: set[str] = set()

    def allocate(self, raw: str) -> str:
        """The id for the next call; the same conversation always gives the same ids (pitfall 20)."""
        candidate, attempt = raw, 0
        while not self._legal.match(candidate) or candidate in self._taken:
            digest = hashlib.sha256(f"{raw}\0{attempt}".encode("utf-8", "surrogatepass")).hexdigest()
            short = self._legal is _SHORT
            candidate = digest[:9] if short else f"{_UNSAFE.sub('_', raw)[:48] or 'call'}_{digest[:12]}"
            attempt += 1
        self._taken.add(candidate)
        return candidate
