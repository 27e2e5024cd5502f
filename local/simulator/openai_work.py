"""What OpenAI does with the lines of a batch: from its input file to its output and error files."""

from __future__ import annotations

from array import array
from contextlib import ExitStack
from io import BufferedReader

import orjson

from local.simulator.answers import dated
from local.simulator.batch_faults import FailedBatch
from local.simulator.batches import BatchStore, Ending
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import File, FileStore
from local.simulator.openai_batches import OpenAIBatch
from local.simulator.results import Results
from local.simulator.validation import InvalidInput, Limits, LineError, batch_error, check

_SUCCESS = 200


class OpenAIWork:
    def __init__(
        self,
        batch: OpenAIBatch,
        *,
        batches: BatchStore,
        files: FileStore,
        executor: Executor,
        limits: Limits,
    ) -> None:
        self._batch = batch
        self._batches = batches
        self._executor = executor
        self._limits = limits
        self._path = batch.endpoint.removeprefix("/v1")
        self._files = files
        self._open = ExitStack()
        self._file: BufferedReader
        self._offsets: array[int]
        self._results: Results

    async def prepare(self) -> int:
        batch = self._batch
        if not batch.input_file or not batch.input_file.path.exists():
            raise InvalidInput([_no_such_file(batch.input_file_id)])
        if failed := batch.faults.get(FailedBatch):
            raise InvalidInput(failed.errors)
        if batch.input_file.size > self._limits.bytes:
            raise InvalidInput([_too_large(self._limits.bytes)])
        await self._check(batch.input_file)
        if not self._batches.has_room(batch, len(self._offsets)):
            raise InvalidInput([_queue_is_full(str(batch.model))])
        self._results = Results(batch, self._files)
        self._open.callback(self._results.discard)
        return len(self._offsets)

    def execute(self, place: int) -> None:
        line = self._line(place)
        try:
            answer = self._executor.run_line(self._batch, self._path, {}, line["body"])
        except ApiError as error:
            refusal = self._executor.dialect.envelope(error, "")
            self._results.answered(line["custom_id"], error.status, refusal)
        else:
            self._results.answered(line["custom_id"], _SUCCESS, answer)

    def skip(self, place: int, ending: Ending) -> None:
        self._results.skipped(self._line(place)["custom_id"], f"batch_{ending}")

    def publish(self) -> None:
        self._results.publish()

    def discard(self) -> None:
        self._open.close()

    async def _check(self, input_file: File) -> None:
        self._file = self._open.enter_context(input_file.path.open("rb"))
        checked = await check(self._batch, self._file, most_lines=self._limits.lines)
        if checked.errors:
            raise InvalidInput(checked.errors)
        self._batch.model = dated(str(checked.model))
        self._offsets = checked.offsets

    def _line(self, place: int) -> Json:
        self._file.seek(self._offsets[place])
        line: Json = orjson.loads(self._file.readline())
        return line


def _no_such_file(file_id: str) -> LineError:
    message = (
        f"Cannot find file {file_id}, or organization org-simulator does not have access to it."
    )
    return batch_error("invalid_request", message, "file_id")


def _too_large(most: int) -> LineError:
    message = (
        f"The batch input file is larger than the {most} maximum. "
        "Please try again with a smaller batch."
    )
    return batch_error("file_too_large", message)


def _queue_is_full(model: str) -> LineError:
    message = (
        f"The queue of batches for {model} in organization org-simulator is full. "
        "Please try again once some in_progress batches have been completed."
    )
    return batch_error("token_limit_exceeded", message)
