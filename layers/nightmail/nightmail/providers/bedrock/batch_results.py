"""What Bedrock tells of a job and in its results, as our values. Pure.

Source: botocore's service model `bedrock`, GetModelInvocationJobResponse; the user guide, "View the
results of a batch inference job".
"""

from __future__ import annotations

from nightmail.batch import BatchError
from nightmail.lines import is_too_deep
from nightmail.part import Ending
from nightmail.providers.base import Phase, Progress
from nightmail.providers.bedrock.answer import to_completion
from nightmail.providers.bedrock.errors import record_error
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import without_secrets
from nightmail.providers.json_text import count, mapping_of, moment_of, read_json
from nightmail.providers.native_results import Found, Reading, answered, failed, refused, too_deep

UNDER_WAY = ("Submitted", "Validating", "Scheduled", "InProgress", "Stopping")
"""In the order of a job's life, so that lists by status, one after the other, miss none that goes on."""
_PARTIAL = "PartiallyCompleted"
_ENDINGS = {
    "Completed": Ending.COMPLETED,
    _PARTIAL: Ending.COMPLETED,
    "Failed": Ending.FAILED,
    "Stopped": Ending.CANCELLED,
    "Expired": Ending.EXPIRED,
}
_NO_MESSAGE = {
    "code": "provider_garbled",
    "message": "The provider's answer is something else than a message.",
}


def to_progress(job: JsonObject, output_ids: list[str]) -> Progress:
    """`output_ids` are those that are there; a job that runs may have written some."""
    status = str(job.get("status"))[:100]
    ending = _ending(status, job)
    return Progress(
        phase=Phase.ENDED if ending else Phase.RUNNING,
        status=status,
        ending=ending,
        completed=count(job.get("successRecordCount")),
        failed=count(job.get("errorRecordCount")),
        output_ids=output_ids if ending else [],
        errors=_errors(job) if ending is Ending.FAILED else [],
    )


def has_ended(job: JsonObject) -> bool:
    return str(job.get("status")) in _ENDINGS


def made_at(job: JsonObject) -> int | None:
    """Unix seconds."""
    return moment_of(job.get("submitTime"))


def to_outcome(content: bytes, reading: Reading, model: str, created: int) -> Found | None:
    """One line of the results, or None for garbage.

    `model` and `created` (Unix seconds) are what a record does not tell.
    """
    record = mapping_of(read_json(content))
    identity = str(record.get("recordId"))
    number = reading.number_of(identity)
    if number is None:
        return None
    if is_too_deep(content, record):
        return too_deep(number)
    if "modelOutput" not in record:
        return _refused(number, record.get("error"), reading)
    answer = mapping_of(record["modelOutput"])
    completion = to_completion(answer, identity=identity, created=created)
    if completion is None:
        return failed(number, reading, _NO_MESSAGE)
    return answered(number, completion, reading, model=model)


def _ending(status: str, job: JsonObject) -> Ending | None:
    """A job that ran out of time has a part of its records, and says no more than that."""
    unread = count(job.get("totalRecordCount")) - count(job.get("processedRecordCount"))
    return Ending.EXPIRED if status == _PARTIAL and unread > 0 else _ENDINGS.get(status)


def _errors(job: JsonObject) -> list[BatchError]:
    message = job.get("message")
    if not isinstance(message, str) or not message:
        return []
    return [BatchError(code="provider_error", message=without_secrets(message))]


def _refused(number: int, told: object, reading: Reading) -> Found:
    if not isinstance(told, dict):
        return failed(number, reading)
    code, message = told.get("errorCode"), told.get("errorMessage")
    error = record_error(code, message, reading.provider, reading.key)
    return refused(number, error, reading)
