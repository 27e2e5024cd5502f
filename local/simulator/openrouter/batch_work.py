"""What OpenRouter does with the requests of a batch: from the body that brought them to its results."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import BinaryIO

import orjson

from local.simulator.batch_faults import FailedBatch
from local.simulator.batches import Ending
from local.simulator.call_faults import UnknownModel
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.execution import Executor
from local.simulator.files import FileStore
from local.simulator.inline_requests import Requests
from local.simulator.openrouter.batches import OpenRouterBatch
from local.simulator.spoiling import spoil
from local.simulator.validation import InvalidInput, batch_error

_SUCCESS = 200
# https://openrouter.ai/docs/api/reference/errors-and-debugging
_ERROR_TYPES = {
    400: "invalid_request",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    413: "payload_too_large",
    422: "unprocessable",
    429: "rate_limit_exceeded",
    500: "server",
    502: "provider_unavailable",
    503: "provider_overloaded",
    504: "timeout",
}


class OpenRouterWork:
    def __init__(
        self,
        batch: OpenRouterBatch,
        requests: Requests,
        *,
        files: FileStore,
        executor: Executor,
    ) -> None:
        self._batch = batch
        self._requests = requests
        self._executor = executor
        self._path = files.new_path()
        self._open = ExitStack()
        self._file: BinaryIO

    async def prepare(self) -> int:
        if failed := self._batch.faults.get(FailedBatch):
            raise InvalidInput(failed.errors)
        if self._batch.faults.get(UnknownModel):
            message = f"{self._batch.model} is not a valid model ID."
            raise InvalidInput([batch_error("model_not_found", message)])
        self._open.callback(self._remove)
        self._file = self._open.enter_context(self._path.open("wb"))
        return len(self._requests)

    def execute(self, place: int) -> None:
        batch, request = self._batch, self._requests[place]
        body = {"model": batch.model, **request["body"]}
        try:
            answer = self._executor.run_line(batch, batch.endpoint.removeprefix("/v1"), {}, body)
        except ApiError as error:
            self._refuse(request, error)
        else:
            self._answer(request, _SUCCESS, answer)

    def skip(self, place: int, ending: Ending) -> None:
        message = f"The batch has {ending} before this request was executed."
        told = {"message": message, "type": f"batch_{ending}", "param": None}
        self._write(self._requests[place], None, told)

    def publish(self) -> None:
        self._file.close()
        spoil(self._path, self._batch.faults, "output")
        self._batch.results = self._path

    def discard(self) -> None:
        self._open.close()

    def _refuse(self, request: Json, error: ApiError) -> None:
        kind = _ERROR_TYPES.get(error.status)
        if kind is None:
            self._answer(request, error.status, error.envelope())
            return
        told = {"message": error.message, "type": error.kind, "param": error.param}
        self._write(request, None, {**told, "error_type": kind})

    def _answer(self, request: Json, status: int, body: Json) -> None:
        response = {"status_code": status, "request_id": self._id("gen", request), "body": body}
        self._write(request, response, None)

    def _write(self, request: Json, response: Json | None, error: Json | None) -> None:
        line = {
            "id": self._id("batch_req", request),
            "custom_id": request["custom_id"],
            "response": response,
            "error": error,
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def _id(self, kind: str, request: Json) -> str:
        identity = hashlib.sha256(f"{self._batch.id}:{request['custom_id']}".encode())
        return f"{kind}_{identity.hexdigest()[:24]}"

    def _remove(self) -> None:
        if self._batch.results is None:
            self._path.unlink()
