"""The output and the error file of a batch, written while its requests are executed."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import orjson

from local.simulator.batches import Batch
from local.simulator.files import FileStore
from local.simulator.ledger import Ledger
from local.simulator.spoiling import spoil

_SUCCESS = 200
_REASONS = {
    "batch_cancelled": "This request was not executed, because the batch was cancelled.",
    "batch_expired": "This request could not be executed before the completion window expired.",
}


class ResultFile:
    """One file of results. It exists for others once it is published."""

    def __init__(self, batch: Batch, files: FileStore, kind: Literal["output", "error"]) -> None:
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
            "id": f"batch_req_{identity}",
            "custom_id": custom_id,
            "response": response and {**response, "request_id": f"req_{identity}"},
            "error": error,
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def publish(self) -> str | None:
        """The id of the file, or None when nothing was written."""
        self._file.close()
        if not self._path.stat().st_size:
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
    """Both files of a batch, and its counts, which grow with them."""

    def __init__(self, batch: Batch, files: FileStore) -> None:
        self._batch = batch
        self._output = ResultFile(batch, files, "output")
        self._error = ResultFile(batch, files, "error")

    def execute(self, raw: bytes, ledger: Ledger) -> None:
        """Run one line of the input; its outcome goes where it belongs."""
        batch, line = self._batch, orjson.loads(raw)
        status, body = ledger.outcome(batch.endpoint, line["body"])
        response = {"status_code": status, "body": body}
        batch.executed += 1
        if status != _SUCCESS:
            batch.counts.failed += 1
            self._error.write(line["custom_id"], response, None)
        else:
            batch.counts.completed += 1
            batch.usage.add(body.get("usage", {}))
            self._output.write(line["custom_id"], response, None)

    def skip(self, raw: bytes, code: str) -> None:
        """Tell that a line was never run: `batch_cancelled` or `batch_expired`."""
        reason = {"code": code, "message": _REASONS[code]}
        self._error.write(orjson.loads(raw)["custom_id"], None, reason)

    def publish(self) -> None:
        self._batch.output_file_id = self._output.publish()
        self._batch.error_file_id = self._error.publish()

    def discard(self) -> None:
        self._output.discard()
        self._error.discard()
