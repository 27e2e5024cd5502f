"""What Anthropic tells of a batch and in its results, as our values. Pure."""

from __future__ import annotations

from http import HTTPStatus

from nightmail.lines import is_too_deep
from nightmail.part import OWED, Ending
from nightmail.providers.anthropic.answer import to_completion
from nightmail.providers.anthropic.batch_format import FUNCTIONS_SUFFIX
from nightmail.providers.anthropic.errors import STATUSES
from nightmail.providers.base import Phase, Progress
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import error_details, provider_error
from nightmail.providers.json_text import count, mapping_of, moment_of, read_json
from nightmail.providers.native_results import Found, Reading, answered, failed, refused, too_deep

_PHASES = {
    "in_progress": Phase.RUNNING,
    "canceling": Phase.RUNNING,
    "ended": Phase.ENDED,
}
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")
_NO_MESSAGE = {
    "code": "provider_garbled",
    "message": "The provider's answer is something else than a message.",
}
_UNANSWERED = {"canceled": OWED[Ending.CANCELLED], "expired": OWED[Ending.EXPIRED]}


def to_progress(batch: JsonObject) -> Progress:
    """Its counts stay 0 until it has ended, and its results can be read when it tells where."""
    status = str(batch.get("processing_status"))[:100]
    phase, counts = _PHASES.get(status, Phase.RUNNING), mapping_of(batch.get("request_counts"))
    has_results = batch.get("results_url") and isinstance(batch.get("id"), str)
    return Progress(
        phase=phase,
        status=status,
        ending=_ending(batch, counts) if phase is Phase.ENDED else None,
        completed=count(counts.get("succeeded")),
        failed=sum(count(counts.get(name)) for name in ("errored", "canceled", "expired")),
        output_ids=[batch["id"]] if has_results else [],
    )


def _ending(batch: JsonObject, counts: JsonObject) -> Ending:
    if batch.get("cancel_initiated_at"):
        return Ending.CANCELLED
    return Ending.EXPIRED if count(counts.get("expired")) else Ending.COMPLETED


def lines_of(batch: JsonObject) -> int:
    """How many requests it was made of."""
    counts = mapping_of(batch.get("request_counts"))
    return sum(count(counts.get(name)) for name in _COUNTS)


def made_at(batch: JsonObject) -> int | None:
    """Unix seconds."""
    return moment_of(batch.get("created_at"))


def to_outcome(content: bytes, reading: Reading, created: int) -> Found | None:
    """One line of the results, or None for garbage.

    `created` is Unix seconds, for Anthropic does not tell when it answered.
    """
    entry = mapping_of(read_json(content))
    identity = str(entry.get("custom_id"))
    number = reading.number_of(identity.removesuffix(FUNCTIONS_SUFFIX))
    if number is None:
        return None
    if is_too_deep(content, entry):
        return too_deep(number)
    result = mapping_of(entry.get("result"))
    kind = str(result.get("type"))
    if kind == "succeeded":
        functions = identity.endswith(FUNCTIONS_SUFFIX)
        message = mapping_of(result.get("message"))
        completion = to_completion(message, created=created, functions=functions)
        return _answered(number, message, completion, reading)
    if kind == "errored":
        return _refused(number, mapping_of(result.get("error")), reading)
    return failed(number, reading, _UNANSWERED.get(kind))


def _answered(
    number: int, message: JsonObject, completion: JsonObject | None, reading: Reading
) -> Found:
    if completion is None:
        return failed(number, reading, _NO_MESSAGE)
    model, identity = message.get("model"), message["id"]
    return answered(number, completion, reading, model=model, request_id=identity)


def _refused(number: int, told: JsonObject, reading: Reading) -> Found:
    """An error of an unknown type is the server's."""
    words = error_details(told)
    status = STATUSES.get(words[2] or "", HTTPStatus.INTERNAL_SERVER_ERROR)
    error = provider_error(words, provider=reading.provider, key=reading.key, status=status)
    return refused(number, error, reading, request_id=told.get("request_id"))
