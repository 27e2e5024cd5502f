"""What OpenRouter does with the requests of a batch: from the body that brought them to its results."""

from __future__ import annotations

import asyncio

from local.simulator.batch_faults import FailedBatch
from local.simulator.batches import Ending
from local.simulator.call_faults import UnknownModel
from local.simulator.dialect import Json
from local.simulator.errors import ApiError
from local.simulator.inline_work import InlineWork
from local.simulator.openrouter.batches import OpenRouterBatch
from local.simulator.validation import InvalidInput, batch_error

_SUCCESS = 200
_TEXTS = frozenset({"text", "refusal", "input_text", "output_text"})
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


class OpenRouterWork(InlineWork[OpenRouterBatch]):
    async def prepare(self) -> int:
        if failed := self._batch.faults.get(FailedBatch):
            raise InvalidInput(failed.errors)
        if self._batch.faults.get(UnknownModel):
            message = f"{self._batch.model} is not a valid model ID."
            raise InvalidInput([batch_error("model_not_found", message)])
        await asyncio.to_thread(self._check)
        return await super().prepare()

    def _check(self) -> None:
        """Raises InvalidInput, as batches are of text alone: a request with more fails all others."""
        for number in range(len(self._requests)):
            if not _is_of_text(self._requests[number]["body"]):
                message = f"requests[{number}]: batches take text alone."
                raise InvalidInput([batch_error("invalid_request", message)])

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
        self._tell(self._requests[place], None, told)

    def _refuse(self, request: Json, error: ApiError) -> None:
        kind = _ERROR_TYPES.get(error.status)
        if kind is None:
            self._answer(request, error.status, error.envelope())
            return
        told = {"message": error.message, "type": error.kind, "param": error.param}
        self._tell(request, None, {**told, "error_type": kind})

    def _answer(self, request: Json, status: int, body: Json) -> None:
        response = {"status_code": status, "request_id": self._id("gen", request), "body": body}
        self._tell(request, response, None)

    def _tell(self, request: Json, response: Json | None, error: Json | None) -> None:
        identity = self._id("batch_req", request)
        told = {"custom_id": request["custom_id"], "response": response, "error": error}
        self._write({"id": identity, **told})


def _is_of_text(body: Json) -> bool:
    messages = body.get("messages") or body.get("input")
    contents = [
        message.get("content")
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict)
    ]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return all(isinstance(part, dict) and part.get("type") in _TEXTS for part in parts)
