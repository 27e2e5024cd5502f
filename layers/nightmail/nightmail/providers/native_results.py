"""What all adapters of the native lane do with results: a stream of lines, of which some are outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from nightmail.error_object import error_object
from nightmail.errors import ProviderError
from nightmail.lines import cut_lines
from nightmail.outcome import Kind, Outcome
from nightmail.providers.base import Cursor, NumberOf, Result
from nightmail.providers.direct import JsonObject
from nightmail.providers.http import without_secrets
from nightmail.usage import Usage, usage_of

# An answer with many embeddings is far longer than any request; a longer one counts as garbage.
MAX_RESULT_BYTES = 64 * 1024 * 1024
_TOO_DEEP = {"code": "provider_garbled", "message": "The provider's answer is nested too deeply."}

Found = tuple[Outcome, Usage]
"""An outcome, and the tokens that it took."""


@dataclass(frozen=True)
class Reading:
    """Whose results are read, and under which name its answers go out.

    `key` is the one that was sent: a provider may repeat it in its words.
    """

    provider: str
    key: str | None
    public_model: str
    number_of: NumberOf


def read_results(
    outputs: Sequence[str],
    cursor: Cursor,
    download: Callable[[str, int], Iterator[bytes]],
    read: Callable[[bytes], Found | None],
) -> Iterator[Result]:
    """What lies in the outputs from `cursor` on; `download` takes an output's id and an offset,
    `read` gives None for garbage.
    """
    for place in range(cursor.output, len(outputs)):
        start = cursor.offset if place == cursor.output else 0
        for raw in cut_lines(download(outputs[place], start), start, MAX_RESULT_BYTES):
            if raw.content is not None and not raw.content.strip():
                continue
            outcome, usage = read(raw.content or b"") or (None, Usage())
            yield Result(outcome, usage, Cursor(place, raw.end))


def answered(
    number: int, completion: JsonObject, reading: Reading, *, model: object, request_id: object = ""
) -> Found:
    """An answer that is OpenAI's by now; `model` is the provider's own name."""
    body = {**completion, "model": reading.public_model}
    details = {"provider": reading.provider, "model": model}
    response = _response(HTTPStatus.OK, request_id, body)
    return Outcome(number, Kind.ANSWERED, response, details=details), usage_of(body)


def refused(
    number: int, error: ProviderError, reading: Reading, *, request_id: object = ""
) -> Found:
    """As the direct lane tells it; an error without a status is the server's."""
    status = error.upstream_status or HTTPStatus.INTERNAL_SERVER_ERROR
    response = _response(status, request_id, {"error": error_object(error)})
    return Outcome(number, Kind.REFUSED, response, details={"provider": reading.provider}), Usage()


def _response(status: int, request_id: object, body: JsonObject) -> JsonObject:
    known = request_id if isinstance(request_id, str) else ""
    return {"status_code": int(status), "request_id": known, "body": body}


def too_deep(number: int) -> Found:
    """The outcome of an answer that could not be written again."""
    return Outcome(number, Kind.FAILED, error=_TOO_DEEP), Usage()


def failed(
    number: int,
    reading: Reading,
    error: Mapping[str, Any] | None = None,
    response: dict[str, Any] | None = None,
) -> Found:
    """Never executed, or so the provider says in `error`; what it answered all the same is kept."""
    told = error or {}
    message = str(told.get("message") or "The provider gave no answer and no reason.")
    said = {
        "code": str(told.get("code") or "provider_error"),
        "message": without_secrets(message, reading.key),
    }
    return Outcome(number, Kind.FAILED, response, error=said), Usage()
