"""A batch as OpenRouter shows it: https://openrouter.ai/docs/api/api-reference/batch/get-a-batch."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from local.simulator.batch_faults import LaggingCounts, LateOutput, OddStatus
from local.simulator.inline_work import InlineBatch


def new_batch_id() -> str:
    return f"batch_{secrets.token_hex(12)}"


@dataclass(slots=True, kw_only=True)
class OpenRouterBatch(InlineBatch):
    """Its results are in it where it is looked at alone, and not in a list."""

    id: str = field(default_factory=new_batch_id)
    endpoint: str

    def body(self) -> Iterator[bytes]:
        """A look at it, as a stream: the results stand in its middle."""
        shown = sorted(self.look().items())
        if not self.results or self.lasts(self.faults.get(LateOutput), self.polls_since_end):
            yield orjson.dumps(dict(shown))
            return
        before = {name: value for name, value in shown if name < "results"}
        behind = {name: value for name, value in shown if name > "results"}
        yield orjson.dumps(before)[:-1] + b',"results":['
        yield from _entries(self.results)
        yield b"]," + orjson.dumps(behind)[1:]

    def _truth(self) -> dict[str, Any]:
        counts, usage = self.counts, self.usage
        told = "; ".join(str(error["message"]) for error in self.errors)
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "provider": "Simulator",
            "completion_window": "24h",
            "status": self.status,
            "created_at": int(self.created),
            "expires_at": int(self.created + self.window_seconds),
            "finalized_at": int(self.moments[self.status]) if self.has_ended else None,
            "request_counts": {
                "total": counts.total,
                "completed": counts.completed,
                "failed": counts.failed,
            },
            "usage": {
                "prompt_tokens": usage.input,
                "completion_tokens": usage.output,
                "total_tokens": usage.input + usage.output,
            }
            if self.has_ended
            else None,
            "error": {"message": told} if told else None,
            "results": None,
        }

    def _lies(self) -> dict[str, Any]:
        lies: dict[str, Any] = {}
        if (odd := self.faults.get(OddStatus)) and self.polls and self.lasts(odd, self.polls):
            lies["status"] = odd.word
        if self.lasts(self.faults.get(LaggingCounts), self.polls_since_end):
            lies["request_counts"] = {"total": 0, "completed": 0, "failed": 0}
        return lies


def _entries(path: Path) -> Iterator[bytes]:
    """The lines of a file as elements of a list; a spoiled one is a text, for the list is JSON."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            yield (b"," if number else b"") + _as_json(line)


def _as_json(line: bytes) -> bytes:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return orjson.dumps(line.decode(errors="replace"))
    return line.rstrip()
