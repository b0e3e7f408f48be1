from __future__ import annotations

import json
from typing import Any

import pytest

from axonhub_cli import catalog
from axonhub_cli.catalog import another_model
from axonhub_cli.entities import ApiKey, Channel, Profile, Rule, Snapshot, Unmapped


def channel(name: str, *models: str, **fields: Any) -> Channel:
    return Channel(name, name, fields.pop("type", "openai"), "http://127.0.0.1:1", models=models, **fields)


def snapshot(*profiles: Profile, active: str | None = None) -> Snapshot:
    channels = (
        channel("a", "deepseek-chat", "x"),
        channel("b", "x", "kimi-k2", tags=("eu",)),
        channel("any"),
        channel("off", "hidden", enabled=False),
        channel("demo", type="demo"),
    )
    return Snapshot(1, {c.name: c for c in channels}, {p.name: p for p in profiles}, {}, active)


WORK = Profile(
    "1",
    "work",
    (Rule("gpt-5", "deepseek-chat"), Rule("o.*", "x", regex=True), Rule("old", "x", enabled=False), Rule("p", "b/x")),
    tags=("eu",),
)
STRICT = Profile("2", "strict", (Rule("gpt-5", "kimi-k2"),), unmapped=Unmapped.DENY)
FEW = Profile("3", "few", (Rule("gpt-5", "x"),), allowed_models=("gpt-5", "kimi-k2"))


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        (None, ("deepseek-chat", "x", "kimi-k2", "demo", "gpt-5")),
        ("work", ("gpt-5", "p", "x", "kimi-k2")),
        ("strict", ("gpt-5",)),
        ("few", ("gpt-5", "kimi-k2")),
    ],
)
def test_visible_models(profile: str | None, names: tuple[str, ...]) -> None:
    assert catalog.visible_models(snapshot(WORK, STRICT, FEW, active=profile), None) == names


def test_a_keys_own_profile_beats_the_global_one() -> None:
    key = ApiKey("k", "codex", "d", "ah-", profile="strict")
    assert catalog.visible_models(snapshot(WORK, STRICT, active="work"), key) == ("gpt-5",)


@pytest.mark.parametrize(
    ("name", "context", "vision"),
    [
        ("gpt-5", 272_000, True),
        ("openai/gpt-5", 272_000, True),
        ("claude-sonnet-4-5", 200_000, True),
        ("gemini-2.5-pro", 1_000_000, True),
        ("deepseek-chat", 128_000, False),
        ("DeepSeek-Reasoner", 128_000, False),
        ("kimi-k2", 128_000, False),
        ("kimi-k2.5", 256_000, True),
        ("z-ai/glm-4.6:free", 200_000, False),
        ("GLM-4.5V", 64_000, True),
        ("qwen3-coder-plus", 256_000, False),
        ("MiniMax-M2", 192_000, False),
        ("somebody's own", 64_000, False),
    ],
)
def test_what_is_known(name: str, context: int, vision: bool) -> None:
    known = catalog.describe(name)
    assert (known.context, known.vision) == (context, vision)


def test_every_effort_has_a_word_and_no_pattern_hides_another() -> None:
    for pattern, model in catalog._FAMILIES:
        assert set(model.efforts) <= set(catalog._EFFORT_WORDS), pattern


# What Codex 0.169.0 refuses to be without (wire, section M): one entry that lacks one voids the catalog.
NEEDED = {
    "slug",
    "display_name",
    "supported_reasoning_levels",
    "shell_type",
    "visibility",
    "supported_in_api",
    "priority",
    "support_verbosity",
    "truncation_policy",
    "experimental_supported_tools",
    "base_instructions",
    "supports_reasoning_summaries",
}


def test_the_codex_catalog() -> None:  # pitfalls 116, 133, 164
    targets = {"gpt-5": "deepseek-chat", "p": "b/x"}
    answer = catalog.codex_catalog(["gpt-5", "x", "gpt-5"], lambda name: targets.get(name, name))
    first, second = answer["models"]
    assert set(first) >= NEEDED
    assert (first["slug"], first["priority"], second["priority"]) == ("gpt-5", 1, 2)
    assert first["context_window"] == 121_600 < 128_000  # the target's, and a little less
    assert first["apply_patch_tool_type"] == "freeform"
    assert first["input_modalities"] == ["text"]
    assert (first["supported_reasoning_levels"], first["default_reasoning_level"]) == ([], None)
    thinker = catalog.codex_catalog(["glm-4.6"])["models"][0]
    assert {"effort", "description"} == set(thinker["supported_reasoning_levels"][0])
    assert thinker["default_reasoning_level"] == "medium"


def test_the_catalog_stays_below_codexs_size_limit() -> None:
    full = catalog.codex_catalog([f"model-{i}" for i in range(2000)])
    assert len(full["models"]) == 300
    assert len(json.dumps(full)) < 2**20


def test_the_openai_list() -> None:
    assert catalog.openai_list(["a"], 7) == {
        "object": "list",
        "data": [{"id": "a", "object": "model", "created": 7, "owned_by": "axonhub"}],
    }


@pytest.mark.parametrize(
    ("asked", "served", "other"),
    [
        ("gpt-5", "gpt-5-2025-08-07", False),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", False),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022", False),
        ("openai/gpt-5", "gpt-5", False),
        ("qwen3:32b", "Qwen3", False),
        ("gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash", False),
        ("deepseek-chat", "DeepSeek-Chat", False),
        ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6", False),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929", False),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/us-gov.anthropic.claude-opus-4-6-v1", "claude-opus-4-6", False),
        ("gpt-5", None, False),
        ("us.anthropic.claude-opus-4-6-v1", "claude-sonnet-4-6", True),
        ("gpt-5", "gpt-5-mini", True),
        ("gpt-5", "gpt-5.1", True),
        ("gpt-5-2025-08-07", "gpt-5-mini-2025-08-07", True),
        ("claude-opus-4-5", "claude-haiku-4-5", True),
        ("glm-4.6", "glm-4.5", True),
    ],
)
def test_another_model_answers(asked: str, served: str | None, other: bool) -> None:  # pitfall 143
    assert another_model(asked, served) is other
