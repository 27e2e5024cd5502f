"""What Fireworks does with the lines of a job: from the file of its dataset to those of its results."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from contextlib import ExitStack
from typing import BinaryIO, Literal

import orjson

from local.simulator.batch_faults import FailedBatch
from local.simulator.batches import Ending
from local.simulator.call_faults import UnknownModel
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.fireworks.jobs import FireworksJob
from local.simulator.spoiling import spoil
from local.simulator.validation import InvalidInput, batch_error

_PATH = "/chat/completions"
_NAMES: Mapping[Literal["output", "error"], str] = {
    "output": "BIJOutputSet.jsonl",
    "error": "error-data",
}


class FireworksWork:
    """A line that is never run is in neither file of the results."""

    def __init__(self, job: FireworksJob, *, files: FileStore, executor: Executor) -> None:
        self._job = job
        self._files = files
        self._executor = executor
        self._open = ExitStack()
        self._input: BinaryIO
        self._offsets = array("Q")
        self._paths = {kind: files.new_path() for kind in _NAMES}
        self._results: dict[str, BinaryIO] = {}
        self._is_published = False

    async def prepare(self) -> int:
        """One line that is wrong fails the whole job."""
        if failed := self._job.faults.get(FailedBatch):
            raise InvalidInput(failed.errors)
        if self._job.faults.get(UnknownModel):
            raise _invalid(f"The model {self._job.model} was not found.")
        if not self._job.dataset.path.exists():
            raise _invalid("The input dataset does not exist.")
        self._input = self._open.enter_context(self._job.dataset.path.open("rb"))
        offset = 0
        for number, line in enumerate(self._input, 1):
            if wrong := _wrong_in(line):
                raise _invalid(f"Dataset has a syntax error: line {number}: {wrong}.")
            self._offsets.append(offset)
            offset += len(line)
        self._open.callback(self._remove)
        for kind, path in self._paths.items():
            self._results[kind] = self._open.enter_context(path.open("wb"))
        return len(self._offsets)

    def execute(self, place: int) -> None:
        line = self._line(place)
        body = {"model": self._job.model, **line["body"]}
        try:
            answer = self._executor.run_line(self._job, _PATH, {}, body)
        except ApiError as error:
            told = {"code": error.status, "message": error.message}
            self._write("error", {"custom_id": line["custom_id"], "error": told})
        else:
            self._write("output", {"custom_id": line["custom_id"], "response": answer})

    def skip(self, place: int, ending: Ending) -> None:
        """It leaves no trace."""

    def publish(self) -> None:
        self._is_published = True
        for kind, name in _NAMES.items():
            self._results[kind].close()
            spoil(self._paths[kind], self._job.faults, kind)
            named = f"{self._job.output}/{name}"
            self._files.add(self._paths[kind], filename=named, purpose="batch_output")

    def discard(self) -> None:
        self._open.close()

    def _line(self, place: int) -> Json:
        self._input.seek(self._offsets[place])
        line: Json = orjson.loads(self._input.readline())
        return line

    def _write(self, kind: str, line: Json) -> None:
        self._results[kind].write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _remove(self) -> None:
        if not self._is_published:
            for path in self._paths.values():
                path.unlink(missing_ok=True)


def _wrong_in(line: bytes) -> str:
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "it is no JSON"
    if not isinstance(parsed, dict) or parsed.keys() != {"custom_id", "body"}:
        return "it has to have a custom_id and a body"
    body = parsed["body"]
    if not isinstance(body, dict) or not body.get("messages"):
        return "its body has no messages"
    return "its body has a model, which is the job's" if "model" in body else ""


def _invalid(message: str) -> InvalidInput:
    return InvalidInput([batch_error("invalid_argument", message)])
