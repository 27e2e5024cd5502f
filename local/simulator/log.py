"""The log of every call: a test's witness of what a gateway really did."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson


@dataclass(slots=True)
class Call:
    """One HTTP call. It is in the log from its first byte; `finished` tells whether it is over.

    `bytes` and `digest` are those of the call's body (of an upload: the file's digest); `status`
    is null as long as none was sent, `disconnected` that the client did not wait for it.
    """

    n: int
    time: float
    method: str
    path: str
    query: str
    key: str
    model: str | None = None
    bytes: int = 0
    status: int | None = None
    digest: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None
    disconnected: bool = False
    finished: bool = False


class Log:
    """All calls since the start or the last clearing, in the order of their arrival."""

    def __init__(self, file: Path | None = None) -> None:
        self.calls: list[Call] = []
        self._file = file

    def begin(self, *, method: str, path: str, query: str, key: str) -> Call:
        call = Call(len(self.calls) + 1, time.time(), method, path, query, key[-4:])
        self.calls.append(call)
        return call

    def end(self, call: Call) -> None:
        call.finished = True
        if self._file:
            with self._file.open("ab") as file:
                file.write(orjson.dumps(asdict(call), option=orjson.OPT_APPEND_NEWLINE))

    def clear(self) -> None:
        self.calls = []

    def matching(self, wanted: dict[str, str]) -> list[Call]:
        """The calls whose fields, as text, match the wanted shell patterns: `path=/batches/*`."""
        return [
            call
            for call in self.calls
            if all(fnmatchcase(_as_text(getattr(call, name)), wanted[name]) for name in wanted)
        ]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
