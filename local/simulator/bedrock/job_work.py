"""What Bedrock does with the records of a job: from its input in a bucket to its results there."""

from __future__ import annotations

import asyncio
from array import array
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import orjson

from local.simulator.batch_faults import FailedBatch
from local.simulator.batches import Ending
from local.simulator.bedrock.buckets import Buckets
from local.simulator.bedrock.dialect import JOBS
from local.simulator.bedrock.jobs import Job
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.spoiling import spoil
from local.simulator.validation import InvalidInput, Limits, LineError, batch_error

_LINES_AT_ONCE = 500


class JobWork:
    """`fewest` is how many records a job has at least."""

    def __init__(
        self,
        job: Job,
        *,
        fewest: int,
        limits: Limits,
        buckets: Buckets,
        files: FileStore,
        executor: Executor,
    ) -> None:
        self._job = job
        self._fewest = fewest
        self._limits = limits
        self._buckets = buckets
        self._executor = executor
        self._path = files.new_path()
        self._open = ExitStack()
        self._source: BinaryIO
        self._results: BinaryIO
        self._offsets = array("Q")

    async def prepare(self) -> int:
        job = self._job
        if failed := job.faults.get(FailedBatch):
            raise InvalidInput(failed.errors)
        if job.source is None:
            raise InvalidInput([_invalid("The S3 URI of the input has no object.")])
        self._open.callback(_remove, job.source)
        self._source = self._open.enter_context(job.source.open("rb"))
        await self._check()
        self._open.callback(self._remove_undelivered)
        self._results = self._open.enter_context(self._path.open("wb"))
        return len(self._offsets)

    def execute(self, place: int) -> None:
        record = self._record(place)
        body = {"model": self._job.model, **record["modelInput"]}
        try:
            told = {"modelOutput": self._executor.run_line(self._job, JOBS, {}, body)}
        except ApiError as error:
            told = {"error": {"errorCode": error.status, "errorMessage": error.message}}
        self._results.write(orjson.dumps({**record, **told}, option=orjson.OPT_APPEND_NEWLINE))

    def skip(self, place: int, ending: Ending) -> None:
        """Nothing is told of records that were not processed."""

    def publish(self) -> None:
        """Only what has processed a record has results."""
        self._results.close()
        if self._job.executed:
            spoil(self._path, self._job.faults, "output", "recordId")
            self._job.delivery = self._deliver
            self._job.deliver_in_time()

    def _deliver(self) -> None:
        folder = self._job.output_uri
        self._buckets.store(self._path, f"{folder}/{self._job.input_name}.out")
        self._path.write_bytes(orjson.dumps(self._manifest()))
        self._buckets.store(self._path, f"{folder}/manifest.json.out")
        self._path.unlink()

    def discard(self) -> None:
        self._open.close()

    def _remove_undelivered(self) -> None:
        if self._job.delivery is None:
            _remove(self._path)

    async def _check(self) -> None:
        offset = 0
        for number, line in enumerate(self._source, start=1):
            if not _is_record(line):
                raise InvalidInput([_invalid(f"Record {number} of the input is malformed.")])
            self._offsets.append(offset)
            offset += len(line)
            if number % _LINES_AT_ONCE == 0:
                await asyncio.sleep(0)
        total, limits = len(self._offsets), self._limits
        if total < self._fewest:
            least = f"than the required minimum of: {self._fewest}"
            raise InvalidInput([_invalid(f"The job contains less records ({total}) {least}")])
        if total > limits.lines or offset > limits.bytes:
            raise InvalidInput([_invalid("The job's input is over the quota of records or bytes.")])

    def _record(self, place: int) -> Json:
        self._source.seek(self._offsets[place])
        record: Json = orjson.loads(self._source.readline())
        return record

    def _manifest(self) -> Json:
        counts, usage = self._job.counts, self._job.usage
        return {
            "totalRecordCount": counts.total,
            "processedRecordCount": counts.completed + counts.failed,
            "successRecordCount": counts.completed,
            "errorRecordCount": counts.failed,
            "inputTokenCount": usage.input,
            "outputTokenCount": usage.output,
        }


def _is_record(line: bytes) -> bool:
    """What is in `modelInput` is looked at when its turn comes."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return isinstance(record, dict) and isinstance(record.get("modelInput"), dict)


def _invalid(message: str) -> LineError:
    return batch_error("ValidationException", message)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
