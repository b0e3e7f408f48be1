"""What differs between generations of Gemini models, by their names."""

from __future__ import annotations

import re
from typing import NamedTuple

from axonhub_cli.vendors import Quirks

_OLD = re.compile(r"(?:^|/)(?:learnlm|gemini-[12](?:\.|-|$)|gemma-?[1-3])")
_CLAUDE = re.compile(r"(?:^|/|-)claude")


class Thinking(NamedTuple):
    """What a model takes: `levels` by name, else a number of tokens from `least` to `most`. `off` is none at all."""

    levels: tuple[str, ...] = ("minimal", "low", "medium", "high")
    least: int = 0
    most: int = 24_576
    off: bool = True


# As of 2026-11, the first that fits: https://ai.google.dev/gemini-api/docs/thinking; livekit/agents 7095 (Gemma 4).
_THINKING = (
    (r"gemma-?4", Thinking(("minimal", "high"))),
    (r"gemini-3-pro", Thinking(("low", "high"), 128, 32_768, off=False)),
    (r"gemini-[3-9](\.\d+)?-pro", Thinking(("low", "medium", "high"), 128, 32_768, off=False)),
    (r"gemini-(flash-latest|3\.[7-9]-flash(?!-lite))", Thinking(("low", "medium", "high"))),
    (r"gemini-2\.5-pro", Thinking((), 128, 32_768, off=False)),
    (r"gemini-2\.5-flash-lite", Thinking((), 512)),
)


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


def thinking(model: str) -> Thinking:
    """How much this model can be told to think; what is unknown is taken for the newest kind."""
    return next((found for pattern, found in _THINKING if re.search(pattern, model)), Thinking())
