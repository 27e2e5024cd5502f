"""What Gemini tells of a batch and in its results, as our values. Pure.

Source: Google's API reference, "BatchGenerateContent", "BatchStats" and "BatchState"; its documentation
says `JOB_STATE_` where the service says `BATCH_STATE_`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from nightmail.batch import BatchError
from nightmail.deployment import Deployment
from nightmail.lines import is_too_deep
from nightmail.part import OWED, Ending
from nightmail.providers.base import Phase, Progress
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.answer import to_completion
from nightmail.providers.gemini.errors import to_told
from nightmail.providers.gemini.provider import own_model
from nightmail.providers.http import provider_error, without_secrets
from nightmail.providers.json_text import count, mapping_of, moment_of, read_json
from nightmail.providers.native_results import Found, Reading, answered, failed, refused, too_deep

_PREFIXES = ("BATCH_STATE_", "JOB_STATE_")
_ENDINGS = {
    "SUCCEEDED": Ending.COMPLETED,
    "PARTIALLY_SUCCEEDED": Ending.COMPLETED,
    "FAILED": Ending.FAILED,
    "CANCELLED": Ending.CANCELLED,
    "EXPIRED": Ending.EXPIRED,
}
_CANCELLED = 499  # google.rpc's CANCELLED as a status: the line was never run
_NO_ANSWER = {
    "code": "provider_garbled",
    "message": "The provider's answer is something else than a response.",
}


def to_progress(operation: JsonObject, key: str | None) -> Progress:
    """A long-running operation. One that is done has a response or an error, whatever its state is."""
    metadata = mapping_of(operation.get("metadata"))
    status = str(metadata.get("state"))[:100]
    ending = _ENDINGS.get(_bare(status)) or _ending(operation)
    counts = mapping_of(metadata.get("batchStats"))
    return Progress(
        phase=Phase.ENDED if ending else Phase.RUNNING,
        status=status,
        ending=ending,
        completed=_number(counts.get("successfulRequestCount")),
        failed=_number(counts.get("failedRequestCount")),
        output_ids=_outputs(operation, metadata),
        errors=_errors(operation, key) if ending is Ending.FAILED else [],
    )


def made_at(operation: JsonObject) -> int | None:
    """Unix seconds."""
    told = mapping_of(operation.get("metadata")).get("createTime")
    return moment_of(told)


def to_outcome(
    content: bytes, reading: Reading, deployment: Deployment, created: int
) -> Found | None:
    """One line of the results, or None for garbage.

    `created` is Unix seconds, for Gemini does not tell when it answered.
    """
    entry = mapping_of(read_json(content))
    number = reading.number_of(str(entry.get("key")))
    if number is None:
        return None
    if is_too_deep(content, entry):
        return too_deep(number)
    if error := mapping_of(entry.get("error")):
        return _refused(number, error, reading)
    response = entry.get("response")
    if not isinstance(response, dict):
        return failed(number, reading)
    return _answered(number, response, reading, deployment, created)


def _bare(state: str) -> str:
    """The word without what it begins with."""
    return next((state[len(each) :] for each in _PREFIXES if state.startswith(each)), state)


def _ending(operation: JsonObject) -> Ending | None:
    """How an operation of an unknown state has ended, if it has."""
    if operation.get("done") is not True:
        return None
    return Ending.FAILED if operation.get("error") else Ending.COMPLETED


def _outputs(operation: JsonObject, metadata: JsonObject) -> list[str]:
    """An operation that was cancelled has no response: what there is, its metadata tell."""
    for place in (operation.get("response"), metadata.get("output")):
        name = mapping_of(place).get("responsesFile")
        if isinstance(name, str) and name:
            return [name]
    return []


def _errors(operation: JsonObject, key: str | None) -> list[BatchError]:
    error = mapping_of(operation.get("error"))
    if not error:
        return []
    told = to_told(error)
    message = without_secrets(told.message, key) or "Gemini gave no reason."
    return [BatchError(code=told.code or "provider_error", message=message)]


def _number(told: Any) -> int:
    """An integer of 64 bits, which JSON of Google's has as a string."""
    is_number = isinstance(told, str) and told.isdecimal() and len(told) < 20  # noqa: PLR2004
    return int(told) if is_number else count(told)


def _answered(
    number: int, response: JsonObject, reading: Reading, deployment: Deployment, created: int
) -> Found:
    completion = to_completion(response, created=created)
    if completion is None:
        return failed(number, reading, _NO_ANSWER)
    model = own_model(response, deployment)
    return answered(number, completion, reading, model=model, request_id=completion["id"])


def _refused(number: int, error: JsonObject, reading: Reading) -> Found:
    """An error without a status that is known is the server's."""
    told = to_told(error)
    if told.status == _CANCELLED:
        return failed(number, reading, OWED[Ending.CANCELLED])
    status = told.status or int(HTTPStatus.INTERNAL_SERVER_ERROR)
    raised = provider_error(told.words, provider=reading.provider, key=reading.key, status=status)
    return refused(number, raised, reading)
