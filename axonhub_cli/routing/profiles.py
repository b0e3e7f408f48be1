"""From the model a client asks for to the model it gets, by the rules of a profile."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import re2  # type: ignore[import-untyped]
from msgspec import Struct

from axonhub_cli.entities import Profile, Rule, Unmapped
from axonhub_cli.errors import ConfigError

MAX_PATTERN = 1000
_GROUP = re.compile(r"\\(\d|\\)")


class Resolution(Struct, frozen=True):
    """`model` is what to send. `channel` is set where a rule pins one. `rule` and `reason` are words for
    people; `denied` means the profile refuses the name, and `reason` says why."""

    model: str
    channel: str | None = None
    rule: str | None = None
    denied: bool = False
    reason: str = ""


class _CompiledRule(Struct, frozen=True):
    number: int  # as `profile show` counts, from 1
    rule: Rule
    pattern: Any = None


class CompiledProfile(Struct, frozen=True):
    """A profile whose patterns have been compiled once."""

    profile: Profile
    rules: tuple[_CompiledRule, ...]


def compile(profile: Profile) -> CompiledProfile:
    """Raises ConfigError, naming the rule, for a pattern or target that cannot work."""
    numbered = enumerate(profile.rules, 1)
    rules = tuple(_CompiledRule(number, rule, compile_rule(rule)) for number, rule in numbered)
    return CompiledProfile(profile, rules)


def compile_rule(rule: Rule) -> Any:
    """The RE2 pattern of a regex rule, None for an exact one. Raises ConfigError."""
    if not rule.pattern or not rule.target:
        raise ConfigError("A rule needs a name on both sides of `=`.", "For example --map gpt-4=deepseek-reasoner.")
    if not rule.regex:
        return None
    pattern = _compile_pattern(rule.pattern)
    highest = max((int(group) for group in _GROUP.findall(rule.target) if group != "\\"), default=0)
    if highest > pattern.groups:
        raise ConfigError(
            f"The target {rule.target!r} uses \\{highest}, but {rule.pattern!r} has {pattern.groups} group(s).",
            "Put the part of the name to keep in parentheses.",
        )
    return pattern


def _compile_pattern(text: str) -> Any:
    if len(text) > MAX_PATTERN:
        raise ConfigError(f"The pattern is longer than {MAX_PATTERN} characters.")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        told = error.args[0] if error.args else ""
        reason = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        raise ConfigError(
            f"The pattern {text!r} is not valid: {reason}.",
            "Patterns are RE2: no look-around and no back-references. https://github.com/google/re2/wiki/Syntax",
        ) from error


def resolve(compiled: CompiledProfile | None, model: str, channels: Collection[str] = ()) -> Resolution:
    """The first rule that matches `model` decides; its result is not mapped again.

    `channels` are the names that exist: only before one of them does `NAME/…` in a target pin the channel,
    so that models whose own names hold a slash still work.
    """
    if compiled is None:
        return Resolution(model, reason="no profile is active")
    profile = compiled.profile
    if profile.allowed_models and model not in profile.allowed_models:
        return Resolution(model, denied=True, reason=f"profile {profile.name} does not allow the model {model}")
    for candidate in compiled.rules:
        if candidate.rule.enabled and (target := _target(candidate, model)) is not None:
            return _resolved(profile, candidate, target, channels)
    if profile.unmapped is Unmapped.DENY:
        return Resolution(model, denied=True, reason=f"profile {profile.name} has no rule for the model {model}")
    return Resolution(model, reason=f"no rule of profile {profile.name} matches")


def describe(rule: Rule) -> str:
    """A rule in words: `gpt-4 → deepseek-reasoner`, a pattern between slashes."""
    left = f"/{rule.pattern}/" if rule.regex else rule.pattern
    return f"{left} → {rule.target}"


def split_target(target: str, channels: Collection[str]) -> tuple[str | None, str]:
    """(channel, model) of a target; the channel is None unless its name is known."""
    # A channel's own name may hold a slash: the longest known name wins.
    for position in range(len(target) - 1, 0, -1):
        if target[position] == "/" and target[:position] in channels and target[position + 1 :]:
            return target[:position], target[position + 1 :]
    return None, target


def _target(candidate: _CompiledRule, model: str) -> str | None:
    rule = candidate.rule
    if candidate.pattern is None:
        return rule.target if rule.pattern == model else None
    match = candidate.pattern.fullmatch(model)
    if match is None:
        return None

    def expand(found: re.Match[str]) -> str:
        group = found.group(1)
        return "\\" if group == "\\" else (match.group(int(group)) or "")

    return _GROUP.sub(expand, rule.target)


def _resolved(profile: Profile, candidate: _CompiledRule, target: str, channels: Collection[str]) -> Resolution:
    words = f"{profile.name} rule {candidate.number}: {describe(candidate.rule)}"
    channel, model = split_target(target, channels)
    if not model:
        return Resolution(target, rule=words, denied=True, reason=f"{words} leaves no model name")
    reason = f"{words} (pinned to {channel})" if channel else words
    return Resolution(model, channel, words, reason=reason)
