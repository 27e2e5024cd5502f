"""Pure converters between our values and OpenAI's batch format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from nightmail.batch import BatchError
from nightmail.usage import Usage
from nightmail.lines import Line, is_too_deep
from nightmail.outcome import Kind, Outcome
from nightmail.part import Ending
from nightmail.providers.base import GivenBack, Phase, Progress
from nightmail.providers.http import without_secrets
from nightmail.providers.json_text import read_json
from nightmail.usage import usage_of

ENDINGS = {
    "completed": Ending.COMPLETED,
    "failed": Ending.FAILED,
    "expired": Ending.EXPIRED,
    "cancelled": Ending.CANCELLED,
}
_QUEUE_FULL = "token_limit_exceeded"
_FILE_PARAMS = frozenset({"file_id", "input_file_id"})
_SUCCESS = range(200, 300)
_NUMBER_DIGITS = 12
_TOO_DEEP = {"code": "provider_garbled", "message": "The provider's answer is nested too deeply."}


def to_line(line: Line, model: str) -> bytes:
    """A line of the provider's input file: the line number is its custom_id."""
    request = {
        "custom_id": str(line.number),
        "method": "POST",
        "url": line.url,
        "body": {**line.body, "model": model},
    }
    return orjson.dumps(request) + b"\n"


def to_progress(batch: dict[str, Any]) -> Progress:
    """OpenAI's batch object; an empty file id means none, as OpenAI has been seen to send."""
    status = str(batch.get("status"))[:100]
    ending = ENDINGS.get(status)
    counts = _mapping(batch.get("request_counts"))
    errors = [_to_error(entry) for entry in _entries(batch.get("errors"))]
    outputs = [batch.get("output_file_id"), batch.get("error_file_id")]
    return Progress(
        phase=Phase.ENDED if ending else Phase.RUNNING,
        status=status,
        ending=ending,
        given_back=_given_back(errors),
        completed=_count(counts.get("completed")),
        failed=_count(counts.get("failed")),
        output_ids=[str(output) for output in outputs if output],
        errors=errors,
    )


def _given_back(errors: Sequence[BatchError]) -> GivenBack | None:
    if any(error.code == _QUEUE_FULL for error in errors):
        return GivenBack.QUEUE_FULL
    is_file_lost = any(error.param in _FILE_PARAMS for error in errors)
    return GivenBack.FILE_LOST if is_file_lost else None


def to_outcome(content: bytes, provider: str, public_model: str) -> tuple[Outcome, Usage] | None:
    """One line of a result file, or None for garbage.

    A success is an `error` of null and a status of 2xx, whichever file it lies in.
    """
    entry = _mapping(read_json(content))
    number, response = _number(entry), entry.get("response")
    if number is None:
        return None
    if is_too_deep(content, entry):
        return Outcome(number, Kind.FAILED, error=_TOO_DEEP), Usage()
    if entry.get("error") or not isinstance(response, dict):
        return _failed(number, entry), Usage()
    if response.get("status_code") not in _SUCCESS:
        return Outcome(number, Kind.REFUSED, response=response), Usage()
    body = response.get("body")
    if not isinstance(body, dict):
        return _failed(number, entry), Usage()
    details = {"provider": provider, "model": body.get("model")}
    renamed = {**response, "body": {**body, "model": public_model}}
    return Outcome(number, Kind.ANSWERED, response=renamed, details=details), usage_of(body)


def _number(entry: dict[str, Any]) -> int | None:
    """The line that a result answers: the custom_id that `to_line` gave it."""
    custom_id = str(entry.get("custom_id"))
    is_ours = custom_id.isascii() and custom_id.isdigit() and len(custom_id) <= _NUMBER_DIGITS
    return int(custom_id) if is_ours else None


def _failed(number: int, entry: dict[str, Any]) -> Outcome:
    """Never executed, or so the provider says; what it answered all the same is kept."""
    error, response = _mapping(entry.get("error")), entry.get("response")
    code = str(error.get("code") or "provider_error")
    message = str(error.get("message") or "The provider gave no answer and no reason.")
    kept = response if isinstance(response, dict) else None
    return Outcome(number, Kind.FAILED, kept, error={"code": code, "message": message})


def _to_error(entry: Any) -> BatchError:
    error = _mapping(entry)
    line = error.get("line")
    return BatchError(
        code=str(error.get("code") or "provider_error"),
        message=without_secrets(str(error.get("message") or "The provider gave no reason.")),
        param=str(error["param"]) if error.get("param") else None,
        line=line if isinstance(line, int) else None,
    )


def _entries(errors: Any) -> list[Any]:
    entries = errors.get("data") if isinstance(errors, dict) else errors
    return entries if isinstance(entries, list) else []


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
