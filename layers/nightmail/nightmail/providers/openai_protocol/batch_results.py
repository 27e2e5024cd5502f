"""What batch APIs of OpenAI's shape tell of a batch and in its result files, as our values. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nightmail.batch import BatchError
from nightmail.error_object import error_object
from nightmail.errors import ProviderError
from nightmail.lines import is_too_deep
from nightmail.outcome import Kind, Outcome
from nightmail.providers.base import GivenBack, Phase, Progress
from nightmail.providers.http import error_details, provider_error, without_secrets
from nightmail.providers.json_text import count, mapping_of, read_json
from nightmail.providers.native_results import Found, Reading, failed, too_deep
from nightmail.providers.openai_protocol.answer import mend_result
from nightmail.providers.openai_protocol.batch_api import BatchApi
from nightmail.usage import Usage, usage_of

_QUEUE_FULL = "token_limit_exceeded"
_FILE_PARAMS = frozenset({"file_id", "input_file_id"})
_SUCCESS = range(200, 300)
# Of an error in OpenAI's envelope, though Azure leaves some out.
_MEMBERS = dict.fromkeys(("message", "type", "param", "code"))


def to_progress(batch: dict[str, Any], api: BatchApi) -> Progress:
    """A batch object; an empty file id means none, as OpenAI has been seen to send."""
    status = str(batch.get("status"))[:100]
    ending = api.endings.get(status)
    errors = [_to_error(entry) for entry in _entries(batch.get("errors"))]
    outputs = [batch.get(name) for name in api.outputs]
    if error := batch.get("error"):  # OpenRouter, and as a text Together
        errors.append(_to_error({"message": error} if isinstance(error, str) else error))
    succeeded, refused = (count(_at(path, batch)) for path in api.counts or ("", ""))
    return Progress(
        phase=Phase.ENDED if ending else Phase.RUNNING,
        status=status,
        ending=ending,
        given_back=_given_back(errors),
        completed=succeeded,
        failed=refused,
        output_ids=[str(output) for output in outputs if output],
        errors=errors,
    )


def _at(path: str, batch: dict[str, Any]) -> Any:
    """What lies at a dotted path."""
    found: Any = batch
    for name in path.split("."):
        found = mapping_of(found).get(name)
    return found


def _given_back(errors: Sequence[BatchError]) -> GivenBack | None:
    if any(error.code == _QUEUE_FULL for error in errors):
        return GivenBack.QUEUE_FULL
    is_file_lost = any(error.param in _FILE_PARAMS for error in errors)
    return GivenBack.FILE_LOST if is_file_lost else None


def to_outcome(content: bytes, reading: Reading) -> Found | None:
    """One line of a result file, or None for garbage.

    A success is an `error` of null and a status of 2xx, whichever file it lies in.
    """
    return outcome_of(mapping_of(read_json(content)), content, reading)


def outcome_of(entry: dict[str, Any], content: bytes, reading: Reading) -> Found | None:
    """The same of a line in OpenAI's form that was read, within `content`, already."""
    number, response = reading.number_of(str(entry.get("custom_id"))), entry.get("response")
    if number is None:
        return None
    if is_too_deep(content, entry):
        return too_deep(number)
    if entry.get("error") or not isinstance(response, dict):
        return _failed(number, entry, reading)
    if response.get("status_code") not in _SUCCESS:
        refusal = {**response, "body": _refusal(response, reading)}
        return Outcome(number, Kind.REFUSED, response=refusal), Usage()
    if not isinstance(response.get("body"), dict):
        return _failed(number, entry, reading)
    return _answered(number, response, reading)


def _answered(number: int, response: dict[str, Any], reading: Reading) -> Found:
    body = response["body"]
    try:
        mend_result(body, reading.provider)
    except ProviderError as error:
        return failed(number, reading, {"code": error.code, "message": error.message}, response)
    details = {"provider": reading.provider, "model": body.get("model")}
    renamed = {**response, "body": {**body, "model": reading.public_model}}
    return Outcome(number, Kind.ANSWERED, response=renamed, details=details), usage_of(body)


def _failed(number: int, entry: dict[str, Any], reading: Reading) -> Found:
    response = entry.get("response")
    kept = response if isinstance(response, dict) else None
    return failed(number, reading, mapping_of(entry.get("error")), kept)


def _refusal(response: dict[str, Any], reading: Reading) -> Any:
    """The body of one, in OpenAI's envelope wherever the provider puts its words."""
    body: Any = response.get("body")
    status = response.get("status_code")
    error = mapping_of(mapping_of(body).get("error"))
    if isinstance(body, dict) and not error and isinstance(status, int):
        words, key = error_details(body), reading.key
        told = provider_error(words, provider=reading.provider, key=key, status=status)
        return {"error": error_object(told)}
    if not isinstance(error.get("message"), str):
        return body
    said = without_secrets(error["message"], reading.key)
    return {**body, "error": {**_MEMBERS, **error, "message": said}}


def _to_error(entry: Any) -> BatchError:
    error = mapping_of(entry)
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
