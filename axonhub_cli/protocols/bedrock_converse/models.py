"""What differs between the models behind one wire, by their names: Claude's thinking and sampling, and who caches.

https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html, …/prompt-caching.html
"""

from __future__ import annotations

import re

_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?")
_ALWAYS = re.compile(r"claude-(?:fable|mythos)")
_CACHING = ("claude", "nova")


def claude_version(model: str) -> tuple[int, int] | None:
    """Its version; None for any other model."""
    found = _CLAUDE.search(model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else None


def always_thinks(model: str) -> bool:
    """Whether it refuses to be told not to think."""
    return _ALWAYS.search(model.lower()) is not None


def caches(model: str) -> bool:
    """Whether it takes cache points; others refuse them."""
    return any(name in model.lower() for name in _CACHING)
