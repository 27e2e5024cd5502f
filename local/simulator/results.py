"""The output and the error file of a batch, written while its requests are executed."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import orjson

from local.simulator.files import FileStore
from local.simulator.openai_batches import OpenAIBatch
from local.simulator.spoiling import spoil

_SUCCESS = 200
_REASONS = {
    "batch_cancelled": "This request was not executed, because the batch was cancelled.",
    "batch_expired": "This request could not be executed before the completion window expired.",
}


class ResultFile:
    """One file of results. It exists for others once it is published."""

    def __init__(
        self, batch: OpenAIBatch, files: FileStore, kind: Literal["output", "error"]
    ) -> None:
        self._batch = batch
        self._files = files
        self._kind = kind
        self._path = files.new_path()
        self._file = self._path.open("wb")

    def write(
        self, custom_id: str, response: dict[str, Any] | None, error: dict[str, str] | None
    ) -> None:
        identity = self._identity(custom_id)
        line = {
            **({"id": f"batch_req_{identity}"} if self._batch.names_results else {}),
            "custom_id": custom_id,
            "response": response and {**response, "request_id": f"req_{identity}"},
            "error": error,
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def publish(self) -> str | None:
        """The id of the file, or None when nothing was written and its provider keeps no empty ones."""
        self._file.close()
        if not self._path.stat().st_size and not self._batch.keeps_empty_files:
            self._path.unlink()
            return None
        spoil(self._path, self._batch.faults, self._kind)
        file = self._files.add(
            self._path,
            filename=f"{self._batch.id}_{self._kind}.jsonl",
            purpose="batch_output",
            expires_after=self._batch.output_seconds,
        )
        return file.id

    def discard(self) -> None:
        """Remove the file, unless it was published."""
        if not self._file.closed:
            self._file.close()
            self._path.unlink()

    def _identity(self, custom_id: str) -> str:
        return hashlib.sha256(f"{self._batch.id}:{custom_id}".encode()).hexdigest()[:24]


class Results:
    """Both files of a batch."""

    def __init__(self, batch: OpenAIBatch, files: FileStore) -> None:
        self._batch = batch
        self._output = ResultFile(batch, files, "output")
        self._error = ResultFile(batch, files, "error")

    def answered(self, custom_id: str, status: int, body: dict[str, Any]) -> None:
        """A line was run; its outcome goes where it belongs."""
        file = self._output if status == _SUCCESS else self._error
        file.write(custom_id, {"status_code": status, "body": body}, None)

    def skipped(self, custom_id: str, code: str) -> None:
        """A line was never run: `batch_cancelled` or `batch_expired`."""
        self._error.write(custom_id, None, {"code": code, "message": _REASONS[code]})

    def publish(self) -> None:
        self._batch.output_file_id = self._output.publish()
        self._batch.error_file_id = self._error.publish()

    def discard(self) -> None:
        self._output.discard()
        self._error.discard()
