"""What Anthropic does with the requests of a batch: from the body that brought them to its results."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import BinaryIO

import orjson

from local.simulator.anthropic.batches import MessageBatch
from local.simulator.anthropic.dialect import BATCHES
from local.simulator.batches import Ending
from local.simulator.dialect import Headers, Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.inline_requests import Requests
from local.simulator.spoiling import spoil

_ENDINGS = {"cancelled": "canceled", "expired": "expired"}


class MessageWork:
    """`headers` are those of the creation: they count for every request of the batch."""

    def __init__(
        self,
        batch: MessageBatch,
        requests: Requests,
        headers: Headers,
        *,
        files: FileStore,
        executor: Executor,
    ) -> None:
        self._batch = batch
        self._requests = requests
        self._headers = headers
        self._executor = executor
        self._path = files.new_path()
        self._open = ExitStack()
        self._file: BinaryIO

    async def prepare(self) -> int:
        self._open.callback(self._remove)
        self._file = self._open.enter_context(self._path.open("wb"))
        return len(self._requests)

    def execute(self, place: int) -> None:
        request = self._requests[place]
        try:
            answer = self._executor.run_line(self._batch, BATCHES, self._headers, request["params"])
        except ApiError as error:
            envelope = self._executor.dialect.envelope(error, self._request_id(request))
            self._write(request, {"type": "errored", "error": envelope})
        else:
            self._write(request, {"type": "succeeded", "message": answer})

    def skip(self, place: int, ending: Ending) -> None:
        self._write(self._requests[place], {"type": _ENDINGS[ending]})

    def publish(self) -> None:
        self._file.close()
        spoil(self._path, self._batch.faults, "output")
        self._batch.results = self._path

    def discard(self) -> None:
        self._open.close()

    def _write(self, request: Json, result: Json) -> None:
        line = {"custom_id": request["custom_id"], "result": result}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _request_id(self, request: Json) -> str:
        identity = hashlib.sha256(f"{self._batch.id}:{request['custom_id']}".encode())
        return f"req_{identity.hexdigest()[:24]}"

    def _remove(self) -> None:
        if self._batch.results is None:
            self._path.unlink()
