"""What is known of models: windows, effort levels, modalities; and the lists clients ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from axonhub_cli.entities import ApiKey, Channel, Profile, Snapshot

JSON = dict[str, Any]

_LEVELS = ("low", "medium", "high")
# Codex believes the window it is told and compacts shortly before its end; ours counts tokens differently
# from the upstream, so a little less than the truth is safe (pitfall 133).
_SAFE_SHARE = 0.95
_MAX_MODELS = 300  # Codex reads 1 MiB at most (pitfall 164)


class Model(Struct, frozen=True):
    """`context` is the vendor's whole window in tokens. `efforts` () means the model does not reason on demand."""

    context: int = 128_000
    efforts: tuple[str, ...] = _LEVELS
    vision: bool = False
    parallel_tools: bool = True


# The first pattern that matches the name without its vendor prefix, in lower case, wins. Published figures,
# rounded down where sources disagree; a channel that serves less is its own limit.
_FAMILIES: tuple[tuple[str, Model], ...] = (
    (r"gpt-6.*", Model(272_000, ("low", "medium", "high", "xhigh"), vision=True)),
    (r"gpt-5\.\d.*", Model(272_000, ("low", "medium", "high", "xhigh"), vision=True)),
    (r"gpt-5.*", Model(272_000, ("minimal", *_LEVELS), vision=True)),
    (r"gpt-4\.1.*", Model(1_000_000, (), vision=True)),
    (r"gpt-4o.*|chatgpt-4o.*", Model(128_000, (), vision=True)),
    (r"o[134](-.*)?", Model(200_000, vision=True)),
    (r"gpt-oss.*", Model(131_072)),
    (r"deepseek-(v4|flash|pro).*", Model(128_000, ("none", "high", "max"))),
    (r"deepseek-(reasoner|r1).*", Model(128_000)),
    (r"deepseek.*", Model(128_000, ())),
    (r"kimi-k(2\.[5-9]|3).*", Model(256_000, vision=True)),
    (r"kimi-k2(-0711.*)?", Model(128_000, ())),
    (r"kimi-k2-thinking.*", Model(256_000)),
    (r"kimi.*", Model(128_000, ())),
    (r"moonshot-v1-(8|32)k.*", Model(8_000, ())),
    (r"glm-(4\.5|4\.6|4\.7|5).*v.*", Model(64_000, vision=True)),
    (r"glm-(4\.[67]|5).*", Model(200_000)),
    (r"glm-4\.5.*", Model(128_000)),
    (r"glm.*", Model(128_000, ())),
    (r"qwen3-(coder-plus|coder-flash|max).*", Model(256_000, ())),
    (r"qwen.*vl.*", Model(128_000, (), vision=True)),
    (r"qwen3.*|qwq.*", Model(128_000)),
    (r"qwen.*", Model(128_000, ())),
    (r"minimax-m.*", Model(192_000)),
    (r"claude.*", Model(200_000, vision=True)),
    (r"gemini.*", Model(1_000_000, vision=True)),
    (r"grok-(4|code).*", Model(256_000, ("low", "high"), vision=True)),
    (r"(devstral|codestral|mistral).*", Model(128_000, (), vision=False)),
    (r"demo", Model(128_000, vision=True)),
)
# -20250929, -2025-08-07, -09-2025, -0528, -001, -latest, -preview and their like at the end of a name.
_RELEASE = re.compile(r"(?:-(?:\d{8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{4}|\d{2}-\d{2}|\d{3,4}|latest|preview|exp|stable))+\Z")
# Bedrock's names of Claude, who tells his own without place, maker and version: us.anthropic.claude-opus-4-6-v1.
# https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html
_BEDROCK = re.compile(r"\A(?:[a-z-]+\.)?anthropic\.(.+?)(?:-v\d+)?\Z")
_PATTERNS = tuple((re.compile(pattern), model) for pattern, model in _FAMILIES)
# Whatever is behind an unknown name: a small window costs an early compaction, a large one the session.
_UNKNOWN = Model(64_000, ())
# The demo answers to any name; these are what `codex setup` and people ask for.
_DEMO_MODELS = ("demo", "gpt-5")

_EFFORT_WORDS = {
    "none": "Answers at once",
    "minimal": "Hardly any thinking",
    "low": "Fast, with little thinking",
    "medium": "Balances speed and depth",
    "high": "Thinks longer about hard problems",
    "xhigh": "Thinks very long",
    "max": "Thinks as long as it takes",
}

INSTRUCTIONS = """\
You are a coding agent. You work in a terminal, together with the user, on the files of their workspace.

How to work
- Find out before you change: read the code and the tests around the place, follow the conventions you see there.
- Do what was asked, completely, and nothing beside it. When the request is unclear in a way that matters, choose \
the most sensible reading, say which, and go on.
- Keep going until the task is done: edit, run, look at the result, correct. Never claim that something works \
without having run it, and say so plainly when something fails or could not be checked.
- Make small, exact edits with apply_patch where it is offered; do not rewrite a file to change a line. Leave \
unrelated changes of the user alone, and never undo them.
- Prefer fast searches (rg) and read only what you need. Combine commands that belong together.
- Do not delete data, rewrite history, send anything over the network or reveal secrets unless the user asked for it.

How to talk
- Before a longer step, one sentence on what comes next. At the end, a short summary: what changed and where \
(path and line), how it was checked, what is left to the user.
- Plain words, no flattery, no filler. Use code formatting for names, paths and commands.
"""


def describe(model: str) -> Model:
    """What is known of `model`; careful assumptions where nothing is. Prefixes of routers (`openai/…`) are ignored."""
    name = model.rsplit("/", 1)[-1].split(":", 1)[0].lower()
    return next((known for pattern, known in _PATTERNS if pattern.fullmatch(name)), _UNKNOWN)


@lru_cache(maxsize=1024)
def another_model(asked: str, served: str | None) -> bool:
    """Whether an upstream that was asked for one model says it used another (pitfall 143). A date, a release, a
    router's prefix or what Bedrock adds makes no other model; what is not told is not another."""
    return served is not None and served != asked and _plain(served) != _plain(asked)


def _plain(model: str) -> str:
    name = model.rsplit("/", 1)[-1].split(":", 1)[0].split("@", 1)[0].lower()
    return _RELEASE.sub("", _BEDROCK.sub(r"\1", name))


def visible_models(snapshot: Snapshot, key: ApiKey | None) -> tuple[str, ...]:
    """The names a client with `key` may ask for: its profile's exact rules, then the models its channels list
    (unless the profile denies what no rule maps). Sorted as they were made; each once."""
    profile = active_profile(snapshot, key)
    names: dict[str, None] = {}
    if profile:
        names |= dict.fromkeys(rule.pattern for rule in profile.rules if rule.enabled and not rule.regex)
    if profile is None or profile.unmapped == "pass":
        for channel in snapshot.channels.values():
            if channel.enabled and _allows(profile, channel):
                names |= dict.fromkeys(channel.models or (_DEMO_MODELS if channel.type == "demo" else ()))
    if profile and profile.allowed_models:
        names |= dict.fromkeys(profile.allowed_models)
        names = {name: None for name in names if name in profile.allowed_models}
    return tuple(names)


def active_profile(snapshot: Snapshot, key: ApiKey | None) -> Profile | None:
    """The key's own profile, else the one that is active for all."""
    name = (key.profile if key else None) or snapshot.active_profile
    return snapshot.profiles.get(name) if name else None


def openai_list(names: Iterable[str], created: int = 0) -> JSON:
    """`GET /v1/models` as OpenAI's clients expect it."""
    rows = [{"id": name, "object": "model", "created": created, "owned_by": "axonhub"} for name in names]
    return {"object": "list", "data": rows}


def anthropic_list(names: Iterable[str]) -> JSON:
    """`GET /v1/models` as Anthropic's clients expect it, in one page."""
    rows = [{"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name in names]
    edges = {"first_id": rows[0]["id"] if rows else None, "last_id": rows[-1]["id"] if rows else None}
    return {"data": rows, "has_more": False, **edges}


def gemini_list(names: Iterable[str], target: Callable[[str], str] = str) -> JSON:
    """`GET /v1beta/models` as Google's clients expect it, in one page; `target` as in `codex_catalog`."""
    return {"models": [_gemini_entry(name, describe(target(name))) for name in names]}


def _gemini_entry(name: str, known: Model) -> JSON:
    return {
        "name": f"models/{name}",
        "version": "1",
        "displayName": name,
        "description": "By way of AxonHub",
        "inputTokenLimit": known.context,
        "outputTokenLimit": min(known.context, 65_536),
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "thinking": bool(known.efforts),
    }


def codex_catalog(names: Iterable[str], target: Callable[[str], str] = str) -> JSON:
    """`GET /v1/models?client_version=…` as Codex expects it (pitfalls 116, 164; checked with 0.169.0).

    `target` tells which model is behind a name: its window and abilities are the ones that count.
    """
    listed = list(dict.fromkeys(names))[:_MAX_MODELS]
    return {"models": [_codex_entry(name, target(name), place) for place, name in enumerate(listed, 1)]}


def _codex_entry(name: str, target: str, priority: int) -> JSON:
    known = describe(target)
    efforts = known.efforts  # none: Codex then sends no effort at all
    window = int(known.context * _SAFE_SHARE)
    mapped = "" if target == name else f" · {target}"
    return {
        "slug": name,
        "display_name": name,
        "description": f"By way of AxonHub{mapped}",
        "supported_reasoning_levels": [{"effort": word, "description": _EFFORT_WORDS[word]} for word in efforts],
        "default_reasoning_level": "medium" if "medium" in efforts else next(iter(efforts), None),
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "base_instructions": INSTRUCTIONS,
        "supports_reasoning_summaries": bool(known.efforts),
        "default_reasoning_summary": "auto",
        "support_verbosity": False,
        "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "supports_parallel_tool_calls": known.parallel_tools,
        "context_window": window,
        "max_context_window": window,
        "effective_context_window_percent": 95,
        "experimental_supported_tools": [],
        "input_modalities": ["text", "image"] if known.vision else ["text"],
        "supports_search_tool": True,
        "use_responses_lite": False,
    }


def _allows(profile: Profile | None, channel: Channel) -> bool:
    if profile is None:
        return True
    if profile.channels and channel.name not in profile.channels:
        return False
    return not profile.tags or bool(set(profile.tags) & set(channel.tags))
