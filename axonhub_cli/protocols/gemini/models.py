"""What differs between generations of Gemini models, by their names."""

from __future__ import annotations

import re

from axonhub_cli.vendors import Quirks

_OLD = re.compile(r"(?:^|/)(?:learnlm|gemini-[12](?:\.|-|$)|gemma)")
_CLAUDE = re.compile(r"(?:^|/|-)claude")
_PRO = re.compile(r"gemini-2\.5-pro")


def is_old(model: str) -> bool:
    """Before Gemini 3: thinking in tokens, no checks of signatures, no functions beside JSON answers."""
    return _OLD.search(model) is not None


def takes_sentinel(model: str, quirks: Quirks) -> bool:
    """Whether a missing signature has a documented stand-in; never for Claude on Vertex (pitfall 89)."""
    return quirks.signature_sentinel and not is_old(model) and not _CLAUDE.search(model)


def thinking_style(model: str, quirks: Quirks) -> str:
    """level, budget or none."""
    if quirks.thinking_config != "auto":
        return quirks.thinking_config
    return "budget" if is_old(model) else "level"


def least_budget(model: str) -> int:
    """The fewest tokens of thought; only some models can be told not to think at all."""
    return 128 if _PRO.search(model) else 0
