"""Tenants with models of every provider, each at a price: what their batches cost can be reckoned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from nightmail.providers.registry import has_direct_lane

from tests.e2e.tenants import Tenant

Json = dict[str, Any]

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"


@dataclass(frozen=True)
class Ware:
    """A model for sale: who has it, on which lane it goes, and dollars for each token.

    `cached` is what a token costs that was read from a cache. `credentials` are what the config needs
    besides a key, or instead of one.
    """

    provider: str
    model: str
    lane: str
    input: Decimal
    output: Decimal = Decimal(0)
    cached: Decimal = Decimal(0)
    endpoint: str = CHAT
    credentials: Mapping[str, str] = field(default_factory=dict)

    @property
    def batch_share(self) -> Decimal:
        """Of the price, what is paid on the native lane."""
        return Decimal("0.5") if self.lane == "native" else Decimal(1)

    def model_for(self, tenant: Tenant) -> str:
        """The provider's name of it: a tenant's own where no key tells whose calls these are."""
        return self.model.format(owner=tenant.owner)

    def entry(self, tenant: Tenant, name: str) -> Json:
        params = {
            "model": f"{self.provider}/{self.model_for(tenant)}",
            "api_base": f"os.environ/NIGHTMAIL_SIMULATOR_{self.provider.upper()}_URL",
            **({"api_key": f"os.environ/{tenant.variable}"} if takes_key(self.provider) else {}),
            **self.credentials,
            "batch": "auto" if self.lane == "native" else "direct",
            **self._prices("", Decimal(1)),
            **self._prices("_batches", self.batch_share),
        }
        return {"model_name": name_of(tenant, name), "litellm_params": params}

    def cost(self, row: Json) -> Decimal:
        """Of a row of what the simulator has billed."""
        share = self.batch_share if row["lane"] == "batch" else Decimal(1)
        read = (row["input"] - row["cached"] - row["cache_write"]) * self.input
        cost: Decimal = read + row["cached"] * self.cached + row["output"] * self.output
        return share * cost

    def _prices(self, suffix: str, share: Decimal) -> dict[str, str]:
        prices = {
            "input_cost_per_token": self.input,
            "output_cost_per_token": self.output,
            "cache_read_input_token_cost": self.cached,
        }
        return {f"{key}{suffix}": str(price * share) for key, price in prices.items()}


def takes_key(provider: str) -> bool:
    """Whether a tenant's own key is sent: else the function's role signs."""
    return provider != "bedrock"


def dollars(for_a_million: str) -> Decimal:
    return Decimal(for_a_million) / 1_000_000


def _chat(provider: str, model: str, million_in: str, million_out: str, **other: Any) -> Ware:
    """A native model whose provider takes a tenth for what is cached."""
    prices = dollars(million_in), dollars(million_out), dollars(million_in) / 10
    return Ware(provider, model, "native", *prices, **other)


_ALL = {
    "gpt": _chat("openai", "gpt-4o-mini", "0.15", "0.6"),
    "vectors": Ware(
        "openai", "text-embedding-3-small", "native", dollars("0.02"), endpoint=EMBEDDINGS
    ),
    "claude": _chat("anthropic", "claude-haiku-4-5", "1", "5"),
    "azure": _chat("azure", "own-deployment", "0.4", "1.6"),
    "gemini": _chat("gemini", "gemini-2.5-flash", "0.3", "2.5"),
    "groq": _chat("groq", "llama-3.3-70b-versatile", "0.59", "0.79"),
    "mistral": _chat("mistral", "mistral-small-latest", "0.1", "0.3"),
    "bedrock": _chat(
        "bedrock",
        "anthropic.claude-3-haiku-{owner}",
        "0.25",
        "1.25",
        credentials={"aws_region_name": "us-east-1"},
    ),
    "fireworks": _chat("fireworks_ai", "accounts/acme/models/qwen3-8b", "0.2", "0.2"),
    "openrouter": _chat("openrouter", "z-ai/glm-5.3-flash", "0.1", "0.4"),
    "xai": _chat("xai", "grok-4", "3", "15"),
    "together": _chat("together_ai", "openai/gpt-oss-20b", "0.05", "0.2"),
    "called": Ware("openai", "gpt-4o", "direct", dollars("2.5"), dollars("10"), dollars("1.25")),
    "command": Ware("cohere", "command-r", "direct", dollars("0.15"), dollars("0.6")),
    "embed": Ware("cohere", "embed-v4.0", "direct", dollars("0.12"), endpoint=EMBEDDINGS),
}
WARES = {name: ware for name, ware in _ALL.items() if has_direct_lane(ware.provider)}
"""Those of the providers that are there."""
FALLBACKS = {"gpt": "called", "claude": "command"}
WITHOUT_KEY = "keyless"


def name_of(tenant: Tenant, ware: str) -> str:
    """The public name of a tenant's model."""
    return f"{tenant.owner}-{ware}"


def entries(tenant: Tenant) -> list[Json]:
    """All of its models, and one for which no key was given."""
    params = {"model": "openai/gpt-4o-mini", "api_key": "os.environ/NIGHTMAIL_NOBODY_HAS_THIS"}
    keyless = {"model_name": name_of(tenant, WITHOUT_KEY), "litellm_params": params}
    return [*(ware.entry(tenant, name) for name, ware in WARES.items()), keyless]


def fallbacks(tenant: Tenant) -> list[dict[str, list[str]]]:
    """As `litellm_settings.fallbacks` has them."""
    return [
        {name_of(tenant, ware): [name_of(tenant, other)]}
        for ware, other in FALLBACKS.items()
        if {ware, other} <= WARES.keys()
    ]
