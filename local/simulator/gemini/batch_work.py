"""What Gemini does with the lines of a batch: from its input file to the file of its responses."""

from __future__ import annotations

from array import array
from contextlib import ExitStack
from typing import BinaryIO

import orjson

from local.simulator.batch_faults import ExpiredBatch, FailedBatch
from local.simulator.batches import Ending
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.gemini.batches import CANCELLED, GeminiBatch
from local.simulator.spoiling import spoil
from local.simulator.validation import InvalidInput, batch_error


class GeminiWork:
    """Nothing is left of a batch that expires: of one that is to, no line is run, nor billed."""

    def __init__(self, batch: GeminiBatch, *, files: FileStore, executor: Executor) -> None:
        self._batch = batch
        self._files = files
        self._executor = executor
        self._path = f"/models/{batch.model}:generateContent"
        self._results = files.new_path()
        self._open = ExitStack()
        self._input: BinaryIO
        self._output: BinaryIO
        self._offsets: array[int]

    async def prepare(self) -> int:
        """A line that is none fails the whole batch, and so does a file that is gone."""
        if failed := self._batch.faults.get(FailedBatch):
            raise InvalidInput(failed.errors)
        if not self._batch.input_file.path.exists():
            raise _invalid("The input file does not exist.")
        self._input = self._open.enter_context(self._batch.input_file.path.open("rb"))
        self._offsets = array("Q")
        offset = 0
        for number, line in enumerate(self._input, 1):
            if not _is_request(line):
                raise _invalid(f"Line {number} of the input file is no request with a key.")
            self._offsets.append(offset)
            offset += len(line)
        self._open.callback(self._remove)
        self._output = self._open.enter_context(self._results.open("wb"))
        return len(self._offsets)

    def execute(self, place: int) -> None:
        if self._batch.faults.get(ExpiredBatch):
            return
        line = self._line(place)
        body = {**line["request"], "model": self._batch.model}
        try:
            answer = self._executor.run_line(self._batch, self._path, {}, body)
        except ApiError as error:
            told = {"code": error.status, "message": error.message}
            self._write({"key": line["key"], "error": told})
        else:
            self._write({"key": line["key"], "response": answer})

    def skip(self, place: int, ending: Ending) -> None:
        if ending == "cancelled":
            self._write({"key": self._line(place)["key"], "error": CANCELLED})

    def publish(self) -> None:
        self._output.close()
        if self._batch.expired.is_set() or not self._results.stat().st_size:
            return
        spoil(self._results, self._batch.faults, "output", identity="key")
        name = f"{self._batch.id.removeprefix('batches/')}.jsonl"
        self._batch.results = self._files.add(self._results, filename=name, purpose="batch_output")

    def discard(self) -> None:
        self._open.close()

    def _line(self, place: int) -> Json:
        self._input.seek(self._offsets[place])
        line: Json = orjson.loads(self._input.readline())
        return line

    def _write(self, result: Json) -> None:
        self._output.write(orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE))

    def _remove(self) -> None:
        if self._batch.results is None:
            self._results.unlink()


def _is_request(line: bytes) -> bool:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    has_request = isinstance(parsed, dict) and isinstance(parsed.get("request"), dict)
    return has_request and isinstance(parsed.get("key"), str)


def _invalid(message: str) -> InvalidInput:
    return InvalidInput([batch_error("invalid_argument", message)])
