"""Prompt caching as Anthropic does it: what lies before a mark is kept, and found again by the marks of later requests.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

JSON = dict[str, Any]
LOOK_BACK = 20  # blocks before a mark that are searched for something kept
CHARACTERS = 4  # of a token


class PromptCache:
    """Of one account; nothing is ever forgotten."""

    def __init__(self) -> None:
        self._kept: set[str] = set()

    def use(self, body: JSON) -> tuple[int, int, int]:
        """(fresh, read, written) tokens of a request, whose marked prefixes are kept from now on."""
        digest, size, found, last = hashlib.sha256(body["model"].encode()), 0, 0, 0
        places: list[tuple[str, int]] = []
        fresh: set[str] = set()
        for block in blocks(body):
            text = json.dumps(without_mark(block), sort_keys=True)
            digest.update(text.encode())
            size += len(text)
            places.append((digest.hexdigest(), size))
            if block.get("cache_control"):
                known = [at for key, at in places[-LOOK_BACK:] if key in self._kept]
                found, last = max(found, *known, 0), size
                fresh.add(places[-1][0])
        self._kept |= fresh
        written = max(0, last - found)
        return (size - found - written) // CHARACTERS + 1, found // CHARACTERS, written // CHARACTERS


def blocks(body: JSON) -> Iterator[JSON]:
    """All that can be marked, in the order of caching: tools, system, messages."""
    yield from body.get("tools") or ()
    system = body.get("system") or []
    yield from [{"type": "text", "text": system}] if isinstance(system, str) else system
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            yield {"role": message["role"], **block}


def without_mark(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_mark(item) for name, item in value.items() if name != "cache_control"}
    return [without_mark(item) for item in value] if isinstance(value, list) else value
