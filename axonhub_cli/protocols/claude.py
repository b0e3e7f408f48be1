"""What each Claude model takes, read from its name; the names carry family and version in two orders.

https://platform.claude.com/docs/en/about-claude/models/overview (output limits),
…/build-with-claude/adaptive-thinking and …/build-with-claude/mid-conversation-system-messages (seen 2026-11).
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

_NAME = re.compile(r"claude-(?:([a-z]+)-)?(\d{1,2})(?!\d)(?:[-.](\d{1,2})(?!\d))?(?:-([a-z]+))?")
UNKNOWN_OUTPUT = 32_768  # tokens; servers of other models take it, and few answers are longer
_OUTPUTS = (((4, 6), 128_000), ((4, 2), 64_000), ((3, 7), 64_000), ((3, 5), 8_192), ((3, 0), 4_096))

MIN_BUDGET = 1024  # thinking tokens; fewer are refused
# Thinking tokens for OpenAI's words, where a model takes a number, and words for a number, where it takes those.
BUDGETS = {"minimal": 1024, "low": 4096, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32768, "ultra": 32768}
_STEPS = ((1024, "low"), (8192, "medium"), (24576, "high"))
UNSIGNED = "the calls being answered lack their signed thinking; off for this answer"


class Model(Struct, frozen=True):
    """`version` is None for a model that is no Claude."""

    family: str = ""
    version: tuple[int, int] | None = None

    def since(self, major: int, minor: int) -> bool:
        """Whether it is a Claude of this version or a later one."""
        return self.version is not None and self.version >= (major, minor)

    @property
    def max_output(self) -> int:
        """The most tokens an answer may have (pitfalls 54, 71)."""
        if self.version is None:
            return UNKNOWN_OUTPUT
        if self.family == "opus" and (4, 0) <= self.version < (4, 2):
            return 32_000
        return next((limit for since, limit in _OUTPUTS if self.version >= since), 4_096)

    @property
    def thinks(self) -> bool:
        """Whether it can think at all; nobody knows of models that are no Claude."""
        return self.version is None or self.version >= (3, 7)

    @property
    def always_thinks(self) -> bool:
        """Refuses `thinking: disabled`."""
        return self.family in {"fable", "mythos"}

    @property
    def efforts(self) -> tuple[str, ...]:
        """The words of output_config.effort, lowest first."""
        return ("low", "medium", "high", "xhigh", "max") if self.since(4, 7) else ("low", "medium", "high", "max")


def effort_for(budget: int) -> str:
    """The word for a number of thinking tokens."""
    return next((word for limit, word in _STEPS if budget <= limit), "xhigh")


@lru_cache(maxsize=256)
def model_of(name: str) -> Model:
    """The model behind a name, with whatever a cloud puts around it."""
    found = _NAME.search(name.lower())
    if found is None:
        return Model()
    family, major, minor, after = found.groups()
    return Model(family or after or "", (int(major), int(minor or 0)))
