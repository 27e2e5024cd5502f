"""Published prices, from the package genai-prices.

It is imported when the first price is looked up: reading its data takes as long as starting a small
function, and not every function prices.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nightmail.prices.rates import FREE, Rates, Tariff, flat

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice, PriceCalculation

# Our names of providers, and genai-prices' own.
VENDORS: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "bedrock": "aws",
        "azure": "azure",
        "cohere": "cohere",
        "cohere_chat": "cohere",
        "deepseek": "deepseek",
        "fireworks": "fireworks",
        "fireworks_ai": "fireworks",
        "gemini": "google",
        "groq": "groq",
        "mistral": "mistral",
        "openai": "openai",
        "openrouter": "openrouter",
        "perplexity": "perplexity",
        "together": "together",
        "together_ai": "together",
        "xai": "x-ai",
    }
)

# What stands before a model's name that has no slash.
_PREFIXES = {"fireworks": "accounts/fireworks/models/"}

_KEYS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
}
_REQUESTS = "requests_kcount"
_MILLIONTH = -6
_THOUSANDTH = -3
_BATCH = {"processing": "batch"}


class Published(NamedTuple):
    """What a vendor asks for a model. Without batch prices `native` is None; they are not known then."""

    direct: Tariff
    native: Tariff | None


def vendor_at(api_base: str) -> str | None:
    """Whose API is at this URL."""
    import re

    from genai_prices.data import providers

    return next((each.id for each in providers if re.match(each.api_pattern, api_base)), None)


def published_prices(vendor: str, model: str, when: datetime) -> Published | None:
    """The prices of a model at a time, or None where they are not published."""
    from genai_prices import Usage, calc_price

    name = model if "/" in model else f"{_PREFIXES.get(vendor, '')}{model}"

    def look_up(context: Mapping[str, str] | None = None) -> PriceCalculation:
        return calc_price(
            Usage(),
            name,
            provider_id=vendor,
            genai_request_timestamp=when,
            price_context=context,
        )

    try:
        found = look_up()
    except LookupError:
        return None
    direct = _to_tariff(found.model_price)
    if direct is None:
        return None
    native = look_up(_BATCH).model_price if _has_batch_prices(found, when) else None
    return Published(direct, _to_tariff(native) if native else None)


def _has_batch_prices(found: PriceCalculation, when: datetime) -> bool:
    """Asked for batch prices that it has not, genai-prices answers with the ordinary ones."""
    return any(
        variant.when == _BATCH and (not variant.constraint or variant.constraint.active(when))
        for variant in found.model.price_variants or ()
    )


def _to_tariff(price: ModelPrice) -> Tariff | None:
    """None for what is not sold by the token. A model without any price is free (`:free`)."""
    from genai_prices.types import ModelPrice, TieredPrices

    if price == ModelPrice():
        return flat(Rates(input=FREE, output=FREE))
    listed = {kind: getattr(price, key) for kind, key in (*_KEYS.items(), ("request", _REQUESTS))}
    if listed["input"] is None and listed["output"] is None:
        return None
    tiered = [each for each in listed.values() if isinstance(each, TieredPrices)]
    starts = sorted({0, *(tier.start for each in tiered for tier in each.tiers)})
    return Tariff(tuple((start, _rates_from(listed, start)) for start in starts))


def _rates_from(listed: Mapping[str, object], start: int) -> Rates:
    """Those of requests with more input tokens than `start`."""
    prices = {kind: _price_from(price, start) for kind, price in listed.items()}
    return Rates().changed(
        {
            kind: price.scaleb(_THOUSANDTH if kind == "request" else _MILLIONTH)
            for kind, price in prices.items()
            if price is not None
        }
    )


def _price_from(price: object, start: int) -> Decimal | None:
    from genai_prices.types import TieredPrices

    if isinstance(price, TieredPrices):
        tiers = [tier.price for tier in price.tiers if tier.start <= start]
        return tiers[-1] if tiers else price.base
    return price if isinstance(price, Decimal) else None
