"""Who gives how much off for a batch: facts, for what genai-prices has no batch prices of.

They were gathered from copies of the vendors' pages, some of them months older than `as_of`.

A vendor is called as genai-prices calls it. The first row that knows a vendor and the beginning of a
model's name holds; whoever is in none gives nothing off that we know of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from nightmail.prices.rates import Rates

_WHOLE = Decimal(1)
_HALF = Decimal("0.5")
_FOUR_FIFTHS = Decimal("0.8")
_ALL_MODELS = ""


@dataclass(frozen=True, slots=True)
class Discount:
    """The parts of the ordinary prices that are paid in a batch.

    `cached` is that of tokens read from a cache: 1 where the two discounts do not add up.
    """

    tokens: Decimal
    cached: Decimal

    def taken_off(self, rates: Rates) -> Rates:
        """The rates of a batch. What a request costs beside its tokens stays."""
        parts = {
            "input": self.tokens,
            "output": self.tokens,
            "cached": self.cached,
            "cache_write": self.tokens,
            "cache_write_1h": self.tokens,
            "reasoning": self.tokens,
        }
        prices = {kind: getattr(rates, kind) for kind in parts}
        return rates.changed(
            {k: price * parts[k] for k, price in prices.items() if price is not None}
        )


NOTHING_OFF = Discount(_WHOLE, _WHOLE)
_ALL_HALVED = Discount(_HALF, _HALF)
_NOT_ON_CACHED = Discount(_HALF, _WHOLE)


@dataclass(frozen=True, slots=True)
class _Row:
    vendor: str
    models: str
    """A pattern for how their names begin."""
    discount: Discount
    source: str
    """What the vendor's page is called, or the places on it."""
    url: str
    as_of: str
    """The month in which it was known to be so: `2026-11`."""


_OPENAI = "https://developers.openai.com/api/docs/pricing"
_ANTHROPIC = "https://platform.claude.com/docs/en/build-with-claude/batch-processing"
_AZURE = "https://learn.microsoft.com/en-us/azure/ai-services/openai/how-to/batch"
_BEDROCK = "https://aws.amazon.com/bedrock/pricing"
_FIREWORKS = "https://docs.fireworks.ai/guides/batch-inference"
_GOOGLE = "https://ai.google.dev/gemini-api/docs/batch-api"
_GOOGLE_PRICES = "https://ai.google.dev/gemini-api/docs/pricing"
_GROQ = "https://console.groq.com/docs/batch"
_MISTRAL = "https://docs.mistral.ai/capabilities/batch"
_OPENROUTER = "https://openrouter.ai/docs/guides/features/batch-api"
_TOGETHER = "https://docs.together.ai/docs/batch-inference"
_XAI = "https://docs.x.ai/developers/models"
_AS_OF = "2026-11"

TABLE: Sequence[_Row] = (
    # Its batch prices are its ordinary ones; those listed for the other are no half of anything.
    _Row(
        "openai",
        r"gpt-3\.5-turbo-1106|ft:gpt-4o(?!-mini)",
        NOTHING_OFF,
        "Pricing, Batch",
        _OPENAI,
        _AS_OF,
    ),
    # For cached input the page lists a batch price only from gpt-5 on.
    _Row(
        "openai",
        r"(ft:)?(chatgpt-|gpt-[34]|o\d)",
        _NOT_ON_CACHED,
        "Pricing, Batch",
        _OPENAI,
        _AS_OF,
    ),
    _Row("openai", _ALL_MODELS, _ALL_HALVED, "Batch API; Pricing, Batch", _OPENAI, _AS_OF),
    _Row("anthropic", _ALL_MODELS, _ALL_HALVED, "Batch processing, Pricing", _ANTHROPIC, _AS_OF),
    _Row("azure", _ALL_MODELS, _NOT_ON_CACHED, "Global batch; Pricing", _AZURE, _AS_OF),
    # Half off, for models that its page selects: too dear is better told than too cheap.
    _Row("aws", _ALL_MODELS, NOTHING_OFF, "Pricing, Batch", _BEDROCK, _AS_OF),
    _Row("fireworks", _ALL_MODELS, _ALL_HALVED, "Batch API, Pricing", _FIREWORKS, _AS_OF),
    # A cache hit costs what it costs elsewhere, but for these.
    _Row(
        "google",
        r"gemini-(3\.(1-flash-lite|5-flash-lite|[68])|4)",
        _ALL_HALVED,
        "Pricing, Batch",
        _GOOGLE_PRICES,
        _AS_OF,
    ),
    _Row("google", r"gemini-", _NOT_ON_CACHED, "Batch API, Technical details", _GOOGLE, _AS_OF),
    _Row("groq", _ALL_MODELS, _NOT_ON_CACHED, "Batch Processing", _GROQ, _AS_OF),
    _Row("mistral", _ALL_MODELS, _ALL_HALVED, "Batch Inference", _MISTRAL, _AS_OF),
    # "Typically" half of the price of a token; of caches it says nothing.
    _Row("openrouter", _ALL_MODELS, _NOT_ON_CACHED, "Batch API, Pricing", _OPENROUTER, _AS_OF),
    # Up to half off, for models that its page selects: too dear is better told than too cheap.
    _Row("together", _ALL_MODELS, NOTHING_OFF, "Batch Inference", _TOGETHER, _AS_OF),
    _Row(
        "x-ai",
        r"grok-4\.(3|20)",
        Discount(_FOUR_FIFTHS, _FOUR_FIFTHS),
        "Models and Pricing, Batch API Pricing",
        _XAI,
        _AS_OF,
    ),
)


def discount_of(vendor: str | None, model: str) -> Discount:
    """What `vendor` takes off the ordinary prices of `model` in a batch."""
    rows = (row for row in TABLE if row.vendor == vendor and re.match(row.models, model))
    return next((row.discount for row in rows), NOTHING_OFF)
