"""What a provider does with requests that came in their batch's body: from there to its results."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import orjson

from local.simulator.batches import Batch
from local.simulator.dialect import Json
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.inline_requests import Requests
from local.simulator.spoiling import spoil


@dataclass(slots=True, kw_only=True)
class InlineBatch(Batch):
    """`results` are its lines, once they may be read."""

    results: Path | None = None


SomeBatch = TypeVar("SomeBatch", bound=InlineBatch)


class InlineWork(Generic[SomeBatch]):
    """The half of a `Work` that has nothing of its provider."""

    def __init__(
        self, batch: SomeBatch, requests: Requests, *, files: FileStore, executor: Executor
    ) -> None:
        self._batch = batch
        self._requests = requests
        self._executor = executor
        self._path = files.new_path()
        self._open = ExitStack()
        self._file: BinaryIO

    async def prepare(self) -> int:
        self._open.callback(self._remove)
        self._file = self._open.enter_context(self._path.open("wb"))
        return len(self._requests)

    def publish(self) -> None:
        self._file.close()
        spoil(self._path, self._batch.faults, "output")
        self._batch.results = self._path

    def discard(self) -> None:
        self._open.close()

    def _write(self, line: Json) -> None:
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _id(self, kind: str, request: Json) -> str:
        identity = hashlib.sha256(f"{self._batch.id}:{request['custom_id']}".encode())
        return f"{kind}_{identity.hexdigest()[:24]}"

    def _remove(self) -> None:
        if self._batch.results is None:
            self._path.unlink()
