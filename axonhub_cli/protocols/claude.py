"""What each Claude model takes, wherever it runs, read from its name; the names carry family and version in two orders.

https://platform.claude.com/docs/en/about-claude/models/overview (output limits),
…/build-with-claude/adaptive-thinking and …/build-with-claude/mid-conversation-system-messages (seen 2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from axonhub_cli.llm.request import Sampling
from axonhub_cli.protocols.base import JSON
from axonhub_cli.protocols.losses import Losses

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


def sampled(sampling: Sampling, names: Iterable[str], model: Model, thinking: JSON, losses: Losses) -> JSON:
    """Those of the fields `names` that are given, as far as the model's generation takes them (pitfall 73): none beside
    `thinking`, none at all from 4.7 on, not both temperature and top_p from 4.1 on."""
    given = {name: value for name in names if (value := getattr(sampling, name)) is not None}
    thinks = thinking.get("thinking", {}).get("type") in {"enabled", "adaptive"}
    if thinks or model.since(4, 7):
        for name in given:
            losses.add(name, "not beside thinking" if thinks else "this model takes no sampling parameters")
        return {}
    if {"temperature", "top_p"} <= given.keys() and model.since(4, 1):
        del given["top_p"]
        losses.add("top_p", "this model takes either temperature or top_p")
    if given.get("temperature", 0) > 1:
        given["temperature"] = 1
        losses.add("temperature", "the highest is 1 here")
    return given


def stops(sampling: Sampling, losses: Losses) -> list[str]:
    """The words to stop at, without those that are refused."""
    for at, word in enumerate(sampling.stop):
        if not word.strip():
            losses.add(f"stop[{at}]", "no model stops at blank text")
    return [word for word in sampling.stop if word.strip()]
