"""What Fireworks tells of a job and of its lines, as our values. Pure.

How a line of the file of errors is written is not documented: it is taken to be that of an answer,
with an `error` in the place of the `response`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from nightmail.batch import BatchError
from nightmail.part import Ending
from nightmail.providers.base import Progress
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import without_secrets
from nightmail.providers.json_text import mapping_of, moment_of, read_json
from nightmail.providers.native_results import Found, Reading
from nightmail.providers.openai_protocol import batch_results
from nightmail.providers.openai_protocol.batch_api import BatchApi

_FINE = "OK"
# google/rpc/code.proto, in words.
_STATUSES: Mapping[str, int] = {
    "INVALID_ARGUMENT": HTTPStatus.BAD_REQUEST,
    "UNAUTHENTICATED": HTTPStatus.UNAUTHORIZED,
    "PERMISSION_DENIED": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "RESOURCE_EXHAUSTED": HTTPStatus.TOO_MANY_REQUESTS,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
    "UNAVAILABLE": HTTPStatus.SERVICE_UNAVAILABLE,
    "DEADLINE_EXCEEDED": HTTPStatus.GATEWAY_TIMEOUT,
}
_REFUSALS = range(400, 600)


def to_progress(job: JsonObject, api: BatchApi) -> Progress:
    """Whose output is the dataset of the results: a job that failed has none, though it names one."""
    told = {**job, "status": job.get("state")}
    progress = batch_results.to_progress(told, api)
    dataset = job.get("outputDatasetId")
    has_results = progress.ending not in {None, Ending.FAILED}
    is_named = isinstance(dataset, str) and bool(dataset)
    return replace(
        progress,
        output_ids=[str(dataset)] if has_results and is_named else [],
        errors=_errors(mapping_of(job.get("status"))),
    )


def _errors(status: JsonObject) -> list[BatchError]:
    said = status.get("message")
    if not said or status.get("code") == _FINE:
        return []
    code = str(status.get("code") or "provider_error").lower()
    return [BatchError(code=code, message=without_secrets(str(said)))]


def made_at(job: JsonObject) -> int | None:
    """Unix seconds."""
    return moment_of(job.get("createTime"))


def to_outcome(content: bytes, reading: Reading) -> Found | None:
    """One line of any file, or None for garbage."""
    return batch_results.outcome_of(_as_openai(mapping_of(read_json(content))), content, reading)


def _as_openai(line: JsonObject) -> JsonObject:
    """With the answer in an envelope; an error of a known code is a refusal with its status."""
    error = line.get("error")
    if not error:
        return {**line, "error": None, "response": _envelope(HTTPStatus.OK, line.get("response"))}
    told = error if isinstance(error, dict) else {"message": str(error)}
    status = _status_of(told.get("code"))
    if status is None:
        return {**line, "response": None, "error": told}
    body = {"error": {**told, "code": None, "message": str(told.get("message") or "")}}
    return {**line, "error": None, "response": _envelope(status, body)}


def _envelope(status: int, body: object) -> JsonObject:
    return {"status_code": int(status), "request_id": "", "body": body}


def _status_of(code: object) -> int | None:
    if isinstance(code, int):
        return code if code in _REFUSALS else None
    return _STATUSES.get(str(code))
