"""The prices that a model entry brings along, by LiteLLM's names (its page Custom LLM Pricing)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

_KEYS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "reasoning": "output_cost_per_reasoning_token",
}
_IN_BATCHES = {
    kind: f"{_KEYS[kind]}_batches" for kind in ("input", "output", "cached", "cache_write")
}
PRICE_KEYS = (*_KEYS.values(), *_IN_BATCHES.values())


def own_prices(prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """By the names of `Rates`, what is paid for ordinary requests."""
    return _named(prices, _KEYS)


def own_batch_prices(prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """By the names of `Rates`, what is paid for requests of a batch."""
    return _named(prices, _IN_BATCHES)


def _named(prices: Mapping[str, Decimal], keys: Mapping[str, str]) -> dict[str, Decimal]:
    return {kind: prices[key] for kind, key in keys.items() if key in prices}
