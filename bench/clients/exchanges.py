"""One chat with a provider, written and answered in that provider's own words, as a file that every client reads."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.clients.prompts import Messages


@dataclass(frozen=True, slots=True)
class Exchange:
    """`pieces` are the same answer as a stream, an event each; `provider` is what LiteLLM calls it, too."""

    provider: str
    model: str
    base: str
    messages: Messages
    parameters: dict[str, Any]
    words: int
    answer: bytes
    pieces: tuple[bytes, ...]

    def save(self, path: Path) -> None:
        told = {
            "provider": self.provider,
            "model": self.model,
            "base": self.base,
            "messages": self.messages,
            "parameters": self.parameters,
            "words": self.words,
            "answer": _as_text(self.answer),
            "pieces": [_as_text(piece) for piece in self.pieces],
        }
        path.write_text(json.dumps(told), encoding="utf-8")


@cache
def exchange_at(path: str) -> Exchange:
    told = json.loads(Path(path).read_text(encoding="utf-8"))
    told["answer"] = base64.b64decode(told["answer"])
    told["pieces"] = tuple(base64.b64decode(piece) for piece in told["pieces"])
    return Exchange(**told)


def _as_text(content: bytes) -> str:
    return base64.b64encode(content).decode()
