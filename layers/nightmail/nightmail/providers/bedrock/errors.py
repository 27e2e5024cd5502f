"""Bedrock's errors: with a status of their own, and as events in mid-stream.

Source: botocore's service model `bedrock-runtime`, the exceptions of Converse and InvokeModel.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from nightmail.errors import (
    ProviderError,
    ProviderQueueFull,
    ProviderThrottled,
    ProviderUnavailable,
)
from nightmail.lines import is_too_deep
from nightmail.providers.direct import HttpAnswer
from nightmail.providers.http import error_of, provider_error
from nightmail.providers.json_text import read_json

_TYPE_HEADER = "x-amzn-errortype"
# By the first letters, which are small in a stream. A model that failed is asked again.
_STATUSES: Mapping[str, int] = {
    "accessdenied": HTTPStatus.FORBIDDEN,
    "internalserver": HTTPStatus.INTERNAL_SERVER_ERROR,
    "modelerror": HTTPStatus.BAD_GATEWAY,
    "modelnotready": HTTPStatus.TOO_MANY_REQUESTS,
    "modelstreamerror": HTTPStatus.BAD_GATEWAY,
    "modeltimeout": HTTPStatus.REQUEST_TIMEOUT,
    "resourcenotfound": HTTPStatus.NOT_FOUND,
    "serviceunavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "throttling": HTTPStatus.TOO_MANY_REQUESTS,
    "validation": HTTPStatus.BAD_REQUEST,
}
# Where the status alone would say that waiting does not help.
_LEAVES: Mapping[str, type[ProviderError]] = {
    "modelerror": ProviderUnavailable,
    "modelstreamerror": ProviderUnavailable,
    "throttling": ProviderThrottled,
    "modelnotready": ProviderThrottled,
}
# Of jobs: a name or a token that is taken may be that of the very job that is asked for.
_LEAVES_OF_JOBS: Mapping[str, type[ProviderError]] = {
    "conflict": ProviderUnavailable,
    "servicequotaexceeded": ProviderQueueFull,
    "throttling": ProviderThrottled,
}
_SUCCESS = range(200, 300)
_REFUSALS = range(400, 600)
_UNKNOWN = int(HTTPStatus.INTERNAL_SERVER_ERROR)


def raise_for_answer(answer: HttpAnswer, provider: str, key: str | None) -> None:
    """Raises the leaf of ProviderError that fits where `answer` is no success."""
    if answer.status in _SUCCESS:
        return
    name = _name_of(answer)
    leaf = _LEAVES.get(_stem(name)) or (
        ProviderUnavailable if answer.status == HTTPStatus.FAILED_DEPENDENCY else None
    )
    raise error_of(answer, provider, key, partial(_words, name=name), leaf)


def job_error(
    answer: HttpAnswer,
    provider: str,
    key: str | None,
    *,
    leaf: type[ProviderError] | None = None,
) -> ProviderError:
    """A refusal by the service that has the jobs (botocore's service model `bedrock`)."""
    name = _name_of(answer)
    known = _LEAVES_OF_JOBS.get(_stem(name), leaf)
    return error_of(answer, provider, key, partial(_words, name=name), known)


def record_error(code: object, words: object, provider: str, key: str | None) -> ProviderError:
    """What a record of a job was refused with: `code` is an HTTP status in all examples."""
    status = code if isinstance(code, int) and code in _REFUSALS else _UNKNOWN
    return provider_error((str(words or ""), None, None), provider=provider, key=key, status=status)


def stream_error(name: str, content: bytes, provider: str, key: str | None) -> ProviderError:
    """The exception `name` that came as an event; one that is not known is the server's."""
    means = _STATUSES.get(_stem(name), HTTPStatus.INTERNAL_SERVER_ERROR)
    words = _words(content, name=name)
    return provider_error(words, provider=provider, key=key, status=HTTPStatus.OK, means=means)


def _words(content: bytes, name: str | None) -> tuple[str, str | None, str | None]:
    """Message, param and code; gateways before the service write the message with a capital."""
    body = read_json(content)
    if not isinstance(body, dict) or is_too_deep(content, body):
        return "", None, name
    said = body.get("message") or body.get("Message") or body.get("originalMessage")
    return str(said or ""), None, name or _bare(body.get("__type"))


def _name_of(answer: HttpAnswer) -> str | None:
    """`ThrottlingException:http://internal.amazon.com/...` is a ThrottlingException."""
    return _bare(answer.headers.get(_TYPE_HEADER))


def _bare(name: object) -> str | None:
    if not isinstance(name, str) or not name:
        return None
    return name.partition(":")[0].rpartition("#")[2] or None


def _stem(name: str | None) -> str:
    return (name or "").lower().removesuffix("exception")
