"""The Models API: what a caller may ask for, in OpenAI's form."""

from __future__ import annotations

from typing import Any

from nightmail.config.gateway import GatewayConfig

# OpenAI's form wants a time, and a config knows of none.
_CREATED = 0


def list_models(config: GatewayConfig) -> dict[str, Any]:
    """Names, patterns (`openai/*`) and aliases, in the order of the config."""
    return {
        "object": "list",
        "data": [retrieve_model(config, name) for name in config.model_names()],
    }


def retrieve_model(config: GatewayConfig, name: str) -> dict[str, Any]:
    """One model; a name that a pattern takes is a model too. Raises NotFound."""
    return {
        "id": name,
        "object": "model",
        "created": _CREATED,
        "owned_by": config.provider_of(name),
    }
