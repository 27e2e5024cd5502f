"""OpenAI's chat completion around what a model said."""

from __future__ import annotations

from nightmail.providers.direct import JsonObject


def completion(
    identity: str, created: int, choices: list[JsonObject], usage: JsonObject
) -> JsonObject:
    """All of it but for `model`. `created` is Unix seconds."""
    return {
        "id": identity,
        "object": "chat.completion",
        "created": created,
        "choices": choices,
        "usage": usage,
        "system_fingerprint": None,
    }


def choice(
    message: JsonObject, reason: str, *, index: int = 0, logprobs: JsonObject | None = None
) -> JsonObject:
    """One of the answers; `reason` is why the model finished."""
    return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": reason}


def usage_beside_cache(
    fresh: int, completion: int, *, read: int, written: int, for_an_hour: int
) -> JsonObject:
    """The tokens of a provider that counts those `read` from its cache, and `written` to it, beside the
    `fresh` ones of the prompt.

    What was written `for_an_hour`, which is dearer, is told beside OpenAI's fields.
    """
    prompt = fresh + read + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": read,
            "cache_write_tokens": written,
            **({"cache_write_1h_tokens": for_an_hour} if for_an_hour else {}),
        },
    }
