"""The texts in a request, whatever endpoint it is for."""

from __future__ import annotations

from typing import Any


def texts(content: Any) -> list[str]:
    """All texts in a prompt, an input or a message's content, in order; a token counts as one."""
    match content:
        case str():
            return [content]
        case bool() | None:
            return []
        case int():
            return [str(content)]
        case list():
            return [text for part in content for text in texts(part)]
        case dict():
            return texts(content.get("content", content.get("text")))
    return []


def prompt_texts(body: dict[str, Any]) -> list[str]:
    fields = ("instructions", "messages", "prompt", "input")
    return [text for field in fields for text in texts(body.get(field))]


def count_words(written: list[str]) -> int:
    return sum(len(text.split()) for text in written)
