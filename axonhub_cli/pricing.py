"""What a request cost. Unknown is None, never 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from axonhub_cli.llm.response import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

# Where a channel type's prices are in genai-prices; a type that is not here is looked up by the model's name alone.
_PROVIDERS = {
    "openai": "openai",
    "deepseek": "deepseek",
    "moonshot": "moonshotai",
    "zhipu": "zhipuai",
    "zai": "zai",
    "minimax": "minimax",
    "openrouter": "openrouter",
    "xai": "x-ai",
    "groq": "groq",
    "mistral": "mistral",
    "anthropic": "anthropic",
    "deepseek-anthropic": "deepseek",
    "moonshot-anthropic": "moonshotai",
    "zhipu-anthropic": "zhipuai",
    "zai-anthropic": "zai",
    "minimax-anthropic": "minimax",
    "gemini": "google",
    "bedrock": "aws",
    "bedrock-converse": "aws",
}
# A model's maker does not set the price where somebody else, or nobody, bills for it.
_UNPRICED = {"demo", "ollama", "lmstudio", "vllm", "openai-compatible", "anthropic-compatible"}


class Price(Struct, frozen=True):
    """A channel's own price in USD per million tokens; `cached` None: as `input`."""

    input: float
    output: float
    cached: float | None = None


def cost_usd(model: str, channel_type: str, usage: Usage | None, options: Mapping[str, str] = {}) -> float | None:
    """The cost in USD of one answer of the upstream's `model`.

    `options` are the channel's: `price_input`, `price_output` and `price_cached`, USD per million tokens, go
    before the table of genai-prices. None where price or counts are unknown.
    """
    if usage is None or usage.input is None or usage.output is None:
        return None
    if options and (own := own_price(options)):
        return _own_cost(own, usage, usage.input, usage.output)
    if channel_type in _UNPRICED:
        return None
    return _table_cost(model, _PROVIDERS.get(channel_type), usage)


def own_price(options: Mapping[str, str]) -> Price | None:
    """The price among a channel's options; None where input or output is missing or no number from 0."""
    rates = {name: _rate(options.get(f"price_{name}")) for name in ("input", "output", "cached")}
    if rates["input"] is None or rates["output"] is None:
        return None
    return Price(rates["input"], rates["output"], rates["cached"])


def _rate(text: str | None) -> float | None:
    try:
        rate = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return rate if rate >= 0 and math.isfinite(rate) else None


def _own_cost(price: Price, usage: Usage, given: int, taken: int) -> float:
    cached = min(usage.cached or 0, given)
    rate = price.input if price.cached is None else price.cached
    return ((given - cached) * price.input + cached * rate + taken * price.output) / 1e6


def _table_cost(model: str, provider: str | None, usage: Usage) -> float | None:
    """By the library's table, but not by its `calc_price`, which checks its own units anew with every call and took a
    fifth of what recording a request costs. That both agree is a test over the whole table."""
    found = _find(model, provider)
    if found is None or usage.input is None or usage.output is None:
        return None
    # Prices may change with the hour; the model behind a name does not.
    prices = vars(found.get_prices(datetime.now(UTC)))
    given = usage.input
    cached = min(usage.cached or 0, given)
    written = min(usage.cache_written or 0, given - cached)
    hourly = min(usage.cache_written_1h or 0, written)
    plain = _per_mtok(prices, "input_mtok", given, Decimal(0))
    short = _per_mtok(prices, "cache_write_mtok", given, plain)
    return float(
        (
            (given - cached - written) * plain
            + cached * _per_mtok(prices, "cache_read_mtok", given, plain)
            + (written - hourly) * short
            + hourly * _per_mtok(prices, "cache_write_1h_mtok", given, short)
            + usage.output * _per_mtok(prices, "output_mtok", given, Decimal(0))
        )
        / 1_000_000
        + _per_mtok(prices, "requests_kcount", given, Decimal(0)) / 1000
    )


def _per_mtok(prices: Mapping[str, Any], unit: str, given: int, without: Decimal) -> Decimal:
    """The price of a unit after a prompt of `given` tokens: all of a request costs what its largest tier says."""
    price = prices.get(unit)
    if price is None:
        return without
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if given > tier.start]
    tier: Decimal = reached[-1] if reached else price.base
    return tier


@lru_cache(maxsize=1024)
def _find(model: str, provider: str | None) -> ModelInfo | None:
    """The table's entry for a model, under whichever spelling it knows it."""
    # Imported here: it takes a quarter of a second, and only servers compute costs.
    from genai_prices.data_snapshot import get_snapshot

    plain = model.rsplit("/", 1)[-1]
    names = dict.fromkeys((model, plain, model.upper(), plain.upper(), model.lower(), plain.lower()))
    for name in names:
        try:
            return get_snapshot().find_provider_model(name, None, provider, None)[1]
        except (LookupError, ValueError):
            continue
    return None
