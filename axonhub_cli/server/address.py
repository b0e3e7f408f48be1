"""Where a channel is asked: its base URL, in the spellings people use, and a protocol's path (pitfall 25)."""

from __future__ import annotations

import re

from axonhub_cli.llm.errors import invalid

_VERSION = r"/v\d+(?:alpha|beta)?\d*"
_ENDS = re.compile(_VERSION + r"\Z")
_BEGINS = re.compile(_VERSION + r"(?=/)")


def join(base_url: str, path: str) -> str:
    """One address; where both name a version of the API, the base URL's stands. Raises Failure where a model's name
    in the path would lead out of the base URL (reliability S5)."""
    if {".", ".."} & set(path.partition("?")[0].split("/")):
        raise invalid("`model` must be the name of a model.", param="model")
    base = base_url.rstrip("/")
    if _ENDS.search(base) and (version := _BEGINS.match(path)):
        path = path[version.end() :]
    return base + path
