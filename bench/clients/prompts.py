"""What every client is asked to send, so that all send the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Messages = list[dict[str, Any]]

KEY = "sk-bench"
MODEL = "gpt-4o-mini"
MESSAGES: Messages = [{"role": "user", "content": "x" * 800}]
PARAMETERS: dict[str, Any] = {"temperature": 0.5, "max_tokens": 100}


def model_of(url: str) -> str:
    """What a gateway's config calls the upstream at `.../<milliseconds>`."""
    return f"model-{url.rpartition('/')[2]}"


def config_of(urls: Iterable[str], key: str = KEY) -> dict[str, Any]:
    """A gateway's config with these upstreams."""
    return {
        "model_list": [
            {
                "model_name": model_of(url),
                "litellm_params": {
                    "model": f"openai/{MODEL}",
                    "api_base": f"{url}/v1",
                    "api_key": key,
                },
            }
            for url in urls
        ]
    }
