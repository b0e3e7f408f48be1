"""What each Claude takes, as Anthropic's documentation had it in 2026-11; written down apart from the product's table.

https://platform.claude.com/docs/en/build-with-claude/thinking, …/effort and …/mid-conversation-system-messages
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Claude:
    """`sampling`: free, either (temperature or top_p) or none. `hides`: thoughts come out empty unless asked for."""

    max_output: int
    thinking: tuple[str, ...]
    efforts: tuple[str, ...] = ()
    sampling: str = "either"
    prefill: bool = True
    system_amid: bool = False
    hides: bool = False
    thinks: bool = False  # without being asked


_LATE = ("low", "medium", "high", "xhigh", "max")
_ADAPTIVE = ("adaptive", "disabled")
MODELS = {
    "claude-sonnet-4-0": Claude(64_000, ("enabled", "disabled"), sampling="free"),
    "claude-haiku-4-5": Claude(64_000, ("enabled", "disabled")),
    "claude-sonnet-4-5": Claude(64_000, ("enabled", "disabled")),
    "claude-opus-4-6": Claude(
        128_000, ("enabled", "adaptive", "disabled"), ("low", "medium", "high", "max"), prefill=False
    ),
    "claude-opus-4-7": Claude(128_000, _ADAPTIVE, _LATE, "none", prefill=False, hides=True),
    "claude-opus-4-8": Claude(128_000, _ADAPTIVE, _LATE, "none", prefill=False, hides=True, system_amid=True),
    "claude-haiku-5-5": Claude(128_000, _ADAPTIVE, _LATE, "none", prefill=False, hides=True, system_amid=True),
    "claude-fable-5": Claude(
        128_000, ("adaptive",), _LATE, "none", prefill=False, hides=True, system_amid=True, thinks=True
    ),
}
