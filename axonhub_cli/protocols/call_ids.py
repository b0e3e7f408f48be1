"""Ids of tool calls in the letters that every strict vendor takes, each call its own (pitfall 70)."""

from __future__ import annotations

import hashlib
import re

_LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


class CallIds:
    """The ids of one request, in the order of its calls. Two calls never share one, whatever they were called."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def allocate(self, raw: str) -> str:
        """The id for the next call; the same conversation always gives the same ids (pitfall 20)."""
        candidate, attempt = raw, 0
        while not _LEGAL.match(candidate) or candidate in self._taken:
            digest = hashlib.sha256(f"{raw}\0{attempt}".encode("utf-8", "surrogatepass")).hexdigest()[:12]
            candidate = f"{_UNSAFE.sub('_', raw)[:48] or 'call'}_{digest}"
            attempt += 1
        self._taken.add(candidate)
        return candidate
