from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest
from genai_prices import Usage as Counts
from genai_prices.data_snapshot import get_snapshot

from axonhub_cli import pricing
from axonhub_cli.llm.response import Usage
from axonhub_cli.pricing import cost_usd

USAGE = Usage(input=300_000, cached=200_000, output=2_000)
OWN = {"price_input": "2", "price_output": "10", "price_cached": "0.5"}


def test_the_table_knows_cached_tokens_and_tiers() -> None:
    # 100k at 1.25, 200k cached at 0.125, 2k at 10 USD per million
    assert cost_usd("gpt-5", "openai", USAGE) == pytest.approx(0.170)
    # above 200k input every token has the price of the long context
    assert cost_usd("claude-sonnet-4-5", "anthropic", USAGE) == pytest.approx(0.765)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("deepseek-chat", "deepseek"),
        ("kimi-k2-thinking", "moonshot"),
        ("glm-4.6", "zai"),
        ("glm-4.6", "zai-anthropic"),
        ("MiniMax-M2", "minimax"),
        ("MiniMax-M2", "minimax-anthropic"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock"),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-opus-4-6-v1", "bedrock"),
        ("amazon.nova-pro-v1:0", "bedrock-converse"),
        ("deepseek/deepseek-chat", "openrouter"),
        ("gpt-5", "anthropic-proxy-of-somebody"),
    ],
)
def test_models_of_many_makers_have_a_price(model: str, kind: str) -> None:
    cost = cost_usd(model, kind, USAGE)
    assert cost is not None and 0 < cost < 10


@pytest.mark.parametrize(
    ("model", "kind", "usage"),
    [
        ("no-such-model", "openai", USAGE),
        ("no-such-model", "somebody", USAGE),
        ("", "openai", USAGE),
        ("gpt-5", "openai", None),
        ("gpt-5", "openai", Usage(input=5)),
        ("gpt-5", "openai", Usage(output=5)),
        ("gpt-5", "ollama", USAGE),
        ("gpt-oss-20b", "anthropic-compatible", USAGE),
        ("demo", "demo", USAGE),
    ],
)
def test_unknown_is_none_and_never_zero(model: str, kind: str, usage: Usage | None) -> None:
    assert cost_usd(model, kind, usage) is None


def test_what_is_kept_for_an_hour_costs_more() -> None:  # pitfall 178
    written = Usage(input=1_000_000, output=0, cache_written=1_000_000)
    assert cost_usd("claude-sonnet-4-5", "anthropic", written) == pytest.approx(3.75 * 2)  # of the long context
    for hour, cost in ((400_000, 0.6 * 1.0 + 0.4 * 1.6), (9_000_000, 1.6)):
        counted = msgspec.structs.replace(written, cache_written_1h=hour)
        assert cost_usd("claude-3-5-haiku-20241022", "anthropic", counted) == pytest.approx(cost)
        assert cost_usd("gpt-5", "openai", counted) == cost_usd("gpt-5", "openai", written)


def test_a_channels_own_price_wins() -> None:
    assert cost_usd("gpt-5", "openai", USAGE, OWN) == pytest.approx(0.2 + 0.1 + 0.02)
    assert cost_usd("anything", "vllm", USAGE, OWN) == pytest.approx(0.32)
    uncached = {"price_input": "2", "price_output": "10"}
    assert cost_usd("anything", "vllm", USAGE, uncached) == pytest.approx(0.62)
    assert cost_usd("x", "vllm", USAGE, {"price_input": "0", "price_output": "0"}) == 0.0


@pytest.mark.parametrize("bad", [{"price_input": "1"}, {**OWN, "price_input": "x"}, {**OWN, "price_output": "-1"}])
def test_half_a_price_is_none(bad: dict[str, str]) -> None:
    assert cost_usd("anything", "vllm", USAGE, bad) is None


def test_counts_that_do_not_add_up_cost_something_sane() -> None:
    cost = cost_usd("gpt-5", "openai", Usage(input=10, cached=100, cache_written=50, output=1))
    assert cost is not None and cost > 0


def test_prices_load_only_when_needed() -> None:
    code = "import sys, axonhub_cli.pricing; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_prices_are_options_a_channel_may_have() -> None:
    from axonhub_cli.entities import Channel
    from axonhub_cli.errors import ConfigError
    from axonhub_cli.vendors.channels import check_options

    check_options(Channel("c", "c", "vllm", "http://127.0.0.1:1", options=OWN))
    for bad in ("", "x", "-1", "1.2.3", "1e9", "nan", "½"):
        with pytest.raises(ConfigError, match="price_input"):
            check_options(Channel("c", "c", "vllm", "http://127.0.0.1:1", options={"price_input": bad}))


def all_prices():
    for provider in get_snapshot().providers:
        for model in provider.models:
            lists = [row.prices for row in model.prices] if isinstance(model.prices, list) else [model.prices]
            yield from ((f"{provider.id}/{model.id}", prices) for prices in lists)


COUNTS = [
    Usage(input=0, output=0),
    Usage(input=1000, output=10),
    Usage(input=150_000, cached=120_000, output=2000),
    Usage(input=210_000, cached=1000, cache_written=9000, output=500),
    Usage(input=300_000, cached=1000, cache_written=9000, cache_written_1h=4000, output=500),
    Usage(input=1_200_000, cached=1_100_000, cache_written=50_000, cache_written_1h=50_000, output=70_000),
]


@pytest.mark.parametrize("usage", COUNTS, ids=lambda usage: str(usage.input))
def test_the_whole_table_costs_what_its_library_says(monkeypatch, usage):
    counts = Counts(
        input_tokens=usage.input,
        cache_read_tokens=usage.cached,
        cache_write_tokens=usage.cache_written,
        cache_write_1h_tokens=usage.cache_written_1h or None,
        output_tokens=usage.output,
    )
    seen = 0
    for name, prices in all_prices():
        monkeypatch.setattr(pricing, "_find", lambda *_, prices=prices: SimpleNamespace(get_prices=lambda _: prices))
        expected = float(prices.calc_price(counts)["total_price"])
        assert cost_usd("m", "openai", usage) == pytest.approx(expected, rel=1e-12, abs=1e-15), name
        seen += 1
    assert seen > 2000
