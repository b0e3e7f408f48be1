"""The channel types and the options that bend them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from axonhub_cli.entities import Channel
from axonhub_cli.errors import ConfigError
from axonhub_cli.vendors import CHANNEL_TYPES, EXTRAS, ChannelType, Quirks, base_url, check_options, protocols, quirks

DOC = (Path(__file__).parents[1] / "docs" / "options.md").read_text()
VERTEX = "https://{location}-aiplatform.googleapis.com/v1/projects/{project}/locations/{location}"
EXPECTED = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openai-compatible": ("", None),
    "deepseek": ("https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
    "moonshot": ("https://api.moonshot.cn/v1", "MOONSHOT_API_KEY"),
    "zhipu": ("https://open.bigmodel.cn/api/paas/v4", "ZHIPU_API_KEY"),
    "zai": ("https://api.z.ai/api/paas/v4", "ZAI_API_KEY"),
    "qwen": ("https://dashscope.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    "minimax": ("https://api.minimaxi.com/v1", "MINIMAX_API_KEY"),
    "openrouter": ("https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "xai": ("https://api.x.ai/v1", "XAI_API_KEY"),
    "groq": ("https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ("https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "siliconflow": ("https://api.siliconflow.cn/v1", "SILICONFLOW_API_KEY"),
    "ollama": ("http://127.0.0.1:11434/v1", None),
    "lmstudio": ("http://127.0.0.1:1234/v1", None),
    "vllm": ("http://127.0.0.1:8000/v1", None),
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "anthropic-compatible": ("", None),
    "deepseek-anthropic": ("https://api.deepseek.com/anthropic", "DEEPSEEK_API_KEY"),
    "moonshot-anthropic": ("https://api.moonshot.cn/anthropic", "MOONSHOT_API_KEY"),
    "zai-anthropic": ("https://api.z.ai/api/anthropic", "ZAI_API_KEY"),
    "zhipu-anthropic": ("https://open.bigmodel.cn/api/anthropic", "ZHIPU_API_KEY"),
    "minimax-anthropic": ("https://api.minimaxi.com/anthropic", "MINIMAX_API_KEY"),
    "gemini": ("https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
    "demo": ("demo://", None),
    "azure": ("https://{resource}.openai.azure.com/openai/v1", "AZURE_OPENAI_API_KEY"),
    "bedrock": ("https://bedrock-runtime.{region}.amazonaws.com", None),
    "bedrock-converse": ("https://bedrock-runtime.{region}.amazonaws.com", None),
    "vertex": (VERTEX, None),
    "vertex-anthropic": (VERTEX, None),
}
PROTOCOLS = {
    "openai": ("openai_responses", "openai_chat"),
    "azure": ("openai_responses", "openai_chat"),
    "gemini": ("gemini",),
    "vertex": ("gemini",),
    "bedrock": ("anthropic_messages",),
    "bedrock-converse": ("bedrock_converse",),
}
LEGAL = {
    "system_role": {"developer", "system"},
    "effort_style": {"reasoning_effort", "reasoning", "thinking", "enable_thinking", "none"},
    "reasoning_echo": {"never", "tool_calls", "always"},
    "response_format": {"json_schema", "json_object", "none"},
    "auth": {"x-api-key", "bearer", "api-key", "aws", "google"},
    "cloud": {"none", "azure", "bedrock", "vertex"},
    "thinking_style": {"auto", "adaptive", "budget", "enabled", "none"},
    "mid_system": {"auto", "always", "never"},
    "thinking_config": {"auto", "level", "budget", "none"},
}


def channel(type: str = "openai-compatible", **options: str) -> Channel:
    return Channel("ch_1", "c", type, "https://x", options=options)


def test_every_type() -> None:
    assert {name: (row.base_url, row.api_key_env) for name, row in CHANNEL_TYPES.items()} == EXPECTED
    for name, row in CHANNEL_TYPES.items():
        usual = ("anthropic_messages" if "anthropic" in name else "openai_chat",)
        assert row.protocols == PROTOCOLS.get(name, usual)


@pytest.mark.parametrize("row", CHANNEL_TYPES.values(), ids=lambda row: row.name)
def test_every_departure_has_a_date_and_a_source(row: ChannelType) -> None:
    told = {fact.field: fact.value for fact in row.facts}
    for field in Quirks.__struct_fields__:
        value = getattr(row.quirks, field)
        assert value == told.get(field, getattr(Quirks(), field)), field
        assert value in LEGAL.get(field, {value} if not isinstance(value, (dict, list)) else [value])
    for fact in row.facts:
        assert re.fullmatch(r"20\d\d-\d\d", fact.as_of)
        assert len(fact.source) > 8


def test_quirks_are_those_of_the_type_until_an_option_says_otherwise() -> None:
    assert quirks(channel("deepseek")) == CHANNEL_TYPES["deepseek"].quirks
    bent = quirks(channel("deepseek", vision="true", system_role="developer", max_output_tokens="8192"))
    assert bent == msgspec.structs.replace(
        CHANNEL_TYPES["deepseek"].quirks, vision=True, system_role="developer", max_output_tokens=8192
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("vision", "off", False),
        ("vision", "YES", True),
        ("efforts", "low, high", ("low", "high")),
        ("fields", "", ()),
        ("max_output_tokens", "none", None),
        ("body", '{"tool_stream": true}', {"tool_stream": True}),
        ("reasoning_placeholder", "(none)", "(none)"),
        ("response_format", "none", "none"),
    ],
)
def test_values_are_typed(name: str, text: str, value: object) -> None:
    assert getattr(quirks(channel(**{name: text})), name) == value


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("visoin", "true", "vision"),
        ("vision", "perhaps", "true"),
        ("system_role", "boss", "developer"),
        ("max_output_tokens", "-1", "number"),
        ("max_output_tokens", "many", "number"),
        ("body", "[1]", "JSON object"),
        ("body", "{", "JSON object"),
        ("effort_style", "thinkin", "enable_thinking"),
        ("protocol", "anthropic", "openai_responses"),
        ("protocol", "", "openai_chat"),
    ],
)
def test_a_wrong_option_names_the_right_ones(name: str, text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as problem:
        check_options(channel(**{name: text}))
    assert name in problem.value.message
    assert hint in problem.value.hint


def test_protocols() -> None:
    assert protocols(channel("openai")) == ("openai_responses", "openai_chat")
    assert protocols(channel("openai", protocol="openai_chat")) == ("openai_chat",)
    assert protocols(channel(protocol="openai_responses")) == ("openai_responses",)
    assert protocols(channel(protocol="openai_chat, openai_responses")) == ("openai_chat", "openai_responses")
    assert quirks(channel(protocol="openai_responses")) == CHANNEL_TYPES["openai-compatible"].quirks
    with pytest.raises(ConfigError):
        protocols(channel("demo", protocol="openai_responses"))


def test_an_unknown_type_names_the_known_ones() -> None:
    for function in (quirks, protocols):
        with pytest.raises(ConfigError, match="no channel type 'opanai'") as problem:
            function(channel("opanai"))
        assert "openai, openai-compatible, deepseek" in problem.value.hint


@pytest.mark.parametrize(
    ("type", "options", "url"),
    [
        ("azure", {"resource": "r"}, "https://r.openai.azure.com/openai/v1"),
        ("azure", {"resource": "r", "api_version": "2024-10-21"}, "https://r.openai.azure.com/openai"),
        ("bedrock", {"region": "us-gov-west-1"}, "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ("vertex", {"project": "p-1", "location": "us-east5"}, VERTEX.format(project="p-1", location="us-east5")),
        (
            "vertex-anthropic",
            {"project": "p-1", "location": "global"},
            "https://aiplatform.googleapis.com/v1/projects/p-1/locations/global",
        ),
        (
            "vertex-anthropic",
            {"project": "p-1", "location": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p-1/locations/eu",
        ),
    ],
)
def test_an_accounts_own_facts_make_the_address(type: str, options: dict[str, str], url: str) -> None:
    assert base_url(CHANNEL_TYPES[type], options) == url
    check_options(Channel("ch_1", "c", type, url, options=options))


@pytest.mark.parametrize(
    ("type", "options", "name", "example"),
    [
        ("azure", {}, "resource", "my-resource"),
        ("bedrock", {}, "region", "us-east-1"),
        ("vertex", {"project": "p-1"}, "location", "us-east5"),
        ("vertex-anthropic", {"location": "global"}, "project", "my-project-123"),
    ],
)
def test_a_missing_setting_is_named(type: str, options: dict[str, str], name: str, example: str) -> None:
    with pytest.raises(ConfigError, match=f"needs the option '{name}'") as problem:
        base_url(CHANNEL_TYPES[type], options)
    assert f"{name}={example}" in problem.value.hint


@pytest.mark.parametrize(
    ("type", "options", "hint"),
    [
        ("bedrock", {"region": "virginia"}, "region=us-east-1"),
        ("bedrock", {}, "region=us-east-1"),
        ("vertex", {"project": "My Project"}, "project=my-project-123"),
        ("azure", {"resource": "https://r.openai.azure.com"}, "resource=my-resource"),
        ("bedrock", {"region": "us-east-1", "project": "p-1"}, "region"),
        ("azure", {"cloud": "google"}, "bedrock"),
    ],
)
def test_a_wrong_setting_is_refused_with_an_example(type: str, options: dict[str, str], hint: str) -> None:
    with pytest.raises(ConfigError) as problem:
        check_options(Channel("ch_1", "c", type, "https://x", options=options))
    assert hint in problem.value.hint


def test_azures_dated_paths_are_not_below_v1() -> None:
    with pytest.raises(ConfigError, match="api_version") as problem:
        check_options(Channel("ch_1", "c", "azure", "https://x/openai/v1/", options={"api_version": "2024-10-21"}))
    assert "/openai" in problem.value.hint


def test_an_extra_that_is_not_there_is_named_with_its_command() -> None:
    assert EXTRAS["aws"].missing() is None and EXTRAS["google"].missing() is None
    for absent in ("no_such_module", "no_such.module"):
        missing = msgspec.structs.replace(EXTRAS["aws"], module=absent).missing()
        assert missing is not None and missing.hint == "pip install 'axonhub-cli[bedrock]'"


def test_every_option_is_documented() -> None:
    names = {name for row in re.findall(r"^\| (`.*?) \|", DOC, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    settings = {setting.name for row in CHANNEL_TYPES.values() for setting in row.settings}
    prices = {"price_input", "price_cached", "price_output"}
    assert names == {*Quirks.__struct_fields__, *settings, *prices, "protocol"}
