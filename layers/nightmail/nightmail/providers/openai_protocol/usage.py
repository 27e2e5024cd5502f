"""The tokens of an answer, as OpenAI counts them. Pure."""

from __future__ import annotations

from nightmail.providers.direct import JsonObject
from nightmail.providers.json_text import count

# Mistral; Together and others; DeepSeek.
_CACHED = ("num_cached_tokens", "cached_tokens", "prompt_cache_hit_tokens")


def mend_usage(body: JsonObject) -> None:
    """Put what servers count otherwise into `body["usage"]`; figures of their own are kept."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return
    for name in [name for name, value in usage.items() if value is None]:  # vLLM's null details
        del usage[name]
    cached = max(count(usage.get(name)) for name in _CACHED)
    if cached and "prompt_tokens_details" not in usage:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    _include_reasoning(usage)


def _include_reasoning(usage: JsonObject) -> None:
    """OpenAI counts reasoning within the completion; xAI beside it, which the total gives away."""
    details = usage.get("completion_tokens_details")
    reasoning = count(details.get("reasoning_tokens") if isinstance(details, dict) else None)
    prompt, completion = count(usage.get("prompt_tokens")), count(usage.get("completion_tokens"))
    if reasoning and usage.get("total_tokens") == prompt + completion + reasoning:
        usage["completion_tokens"] = completion + reasoning
