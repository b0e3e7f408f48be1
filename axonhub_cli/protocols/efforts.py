"""Words for how much a model shall think, where a client counts tokens and the upstream does not."""

from __future__ import annotations

_STEPS = ((0, "none"), (2048, "low"), (8192, "medium"))


def effort_of_budget(budget: int | None) -> str | None:
    """OpenAI's word for a number of thinking tokens; None for none given."""
    if budget is None:
        return None
    return next((effort for limit, effort in _STEPS if budget <= limit), "high")
