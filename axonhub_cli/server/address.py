"""Where a channel is asked: its base URL, in the spellings people use, and a protocol's path (pitfall 25)."""

from __future__ import annotations

import re

_VERSION = r"/v\d+(?:alpha|beta)?\d*"
_ENDS = re.compile(_VERSION + r"\Z")
_BEGINS = re.compile(_VERSION + r"(?=/)")


def join(base_url: str, path: str) -> str:
    """One address; where both name a version of the API, the base URL's stands."""
    base = base_url.rstrip("/")
    if _ENDS.search(base) and (version := _BEGINS.match(path)):
        path = path[version.end() :]
    return base + path
