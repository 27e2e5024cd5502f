"""The requests of OpenRouter's batches: those of text alone. Pure.

Source: OpenRouter, "Batch quickstart", "Limitations". A request that its validation refuses fails its
whole batch. Of what lies at a public URL some providers behind it read images, and which one runs a
batch is not known before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nightmail.errors import NotInBatches
from nightmail.lines import Line
from nightmail.providers.json_text import mapping_of
from nightmail.providers.openai_protocol.batch_format import OpenAIFormat

_TEXTS = frozenset({"text", "refusal", "input_text", "output_text"})
_DRAWN_OR_SPOKEN = ("audio", "image_config")
_TEXT_ALONE = (None, ["text"])


class OpenRouterFormat(OpenAIFormat):
    """OpenAI's lines, but for what OpenRouter takes by itself alone."""

    def to_line(self, line: Line, line_id: str) -> bytes:
        content = super().to_line(line, line_id)
        param = next(_beyond_text(line.body), None)
        if param:
            raise NotInBatches(
                f"Unsupported parameter: '{param}' has more than text in it, which cannot be used in"
                " openrouter's batches.",
                param=param,
                code="unsupported_parameter",
            )
        return content


def _beyond_text(body: Mapping[str, Any]) -> Iterator[str]:
    """The parameters that show something else than texts, or ask for it."""
    yield from (name for name in ("messages", "input") if _shows_more(body.get(name)))
    yield from (name for name in _DRAWN_OR_SPOKEN if body.get(name))
    if body.get("modalities") not in _TEXT_ALONE:
        yield "modalities"


def _shows_more(messages: Any) -> bool:
    contents = (
        mapping_of(message).get(name)
        for message in (messages if isinstance(messages, list) else ())
        for name in ("content", "output")
    )
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return any(mapping_of(part).get("type") not in _TEXTS for part in parts)
