"""A chat completion cut into the chunks of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Chunk = dict[str, Any]


def chunks(completion: Chunk, *, with_usage: bool) -> Iterator[Chunk]:
    """The chunks that add up to the completion, word by word, the usage in a last one if wanted."""
    usage: Chunk = {"usage": None} if with_usage else {}
    head = {name: completion[name] for name in ("id", "created", "model", "system_fingerprint")}
    head |= {"object": "chat.completion.chunk", "service_tier": completion["service_tier"]}
    for choice in completion["choices"]:
        for delta, finish_reason in _deltas(choice):
            piece = {"index": choice["index"], "delta": delta, "logprobs": None}
            yield head | usage | {"choices": [piece | {"finish_reason": finish_reason}]}
    if with_usage:
        yield head | {"choices": [], "usage": completion["usage"]}


def _deltas(choice: Chunk) -> Iterator[tuple[Chunk, str | None]]:
    yield {"role": "assistant", "content": "", "refusal": None}, None
    for word in re.findall(r"\S+\s*", choice["message"]["content"]):
        yield {"content": word}, None
    yield {}, choice["finish_reason"]
