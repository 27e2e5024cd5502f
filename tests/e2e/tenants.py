"""Owners whom the tests may use up: each has a key, models and a provider's key that no other has.

So a fault of the simulator or a kill can be meant for one alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Tenant:
    """Its one model is native; those of a market have many (see `market`)."""

    owner: str

    @property
    def model(self) -> str:
        return self.owner

    @property
    def key(self) -> str:
        return f"sk-gateway-{self.owner}"

    @property
    def provider_key(self) -> str:
        return f"sk-provider-{self.owner}"

    @property
    def variable(self) -> str:
        """The name of the provider's key in the stack's secret."""
        return self.owner.upper().replace("-", "_")

    @property
    def model_entry(self) -> dict[str, Any]:
        return {
            "model_name": self.model,
            "litellm_params": {
                "model": "openai/gpt-4o-mini",
                "api_base": "os.environ/NIGHTMAIL_SIMULATOR_URL",
                "api_key": f"os.environ/{self.variable}",
            },
        }


TENANTS = [Tenant(f"tenant-{number:03}") for number in range(200)]
BUYERS = [Tenant(f"buyer-{number:02}") for number in range(20)]
