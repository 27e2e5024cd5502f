"""OpenRouter's protocol: OpenAI's, and batches that come in one body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from local.simulator.dialect import Content
from local.simulator.openai_dialect import OpenAIDialect
from local.simulator.openrouter.batch_body import first_model


class OpenRouterDialect(OpenAIDialect):
    batches: Mapping[str, Callable[[Content], str | None]] = MappingProxyType(
        {"/batches": first_model}
    )
