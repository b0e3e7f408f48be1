"""Words for how much a model shall think, and the nearest of those an upstream knows (pitfalls 16, 17)."""

from __future__ import annotations

from collections.abc import Sequence

LEVELS = ("minimal", "low", "medium", "high", "xhigh", "max", "ultra")
OFF = "none"
_STEPS = ((0, "none"), (2048, "low"), (8192, "medium"))


def clamp(effort: str, legal: Sequence[str]) -> str | None:
    """The nearest legal level that is not below, else the highest; None for an unknown word or where none is legal."""
    if effort in legal:
        return effort
    known = [level for level in LEVELS if level in legal]
    if effort not in LEVELS or not known:
        return None
    return next((level for level in known if LEVELS.index(level) > LEVELS.index(effort)), known[-1])


def effort_of_budget(budget: int | None) -> str | None:
    """OpenAI's word for a number of thinking tokens; None for none given."""
    if budget is None:
        return None
    return next((effort for limit, effort in _STEPS if budget <= limit), "high")
