"""What a provider's own batch does not take: refused before anything is sent, with the way out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

from nightmail.library.backend import Body
from nightmail.library.exceptions import BadRequestError
from nightmail.library.failures import bad_request
from nightmail.library.options import through_a_gateway
from nightmail.library.sources import Source
from nightmail.provider_names import split_model
from nightmail.providers.json_text import read_json

_LONGEST = 512
_MIXED_MODELS = "mismatched_model"


class _Asked(NamedTuple):
    number: int
    url: str | None
    model: str | None


def refuse_settings(body: Body) -> None:
    """Raises BadRequestError for what a provider has not: it might pay where nothing was to be paid."""
    if settings := body.get("nightmail"):
        names = ", ".join(settings)
        raise bad_request(
            f"A provider's own batch has no such settings: {names}. "
            + through_a_gateway("it has them"),
            f"nightmail.{next(iter(settings))}",
        )


def check_alone(source: Source, endpoint: str, provider: str, *, one_model: bool) -> None:
    """Raises BadRequestError where not all requests are for `endpoint`, or for one model.

    What else may be wrong with a line, the provider says.
    """
    first: _Asked | None = None
    for asked in _requests(source):
        if asked.url != endpoint:
            raise _mixed(
                f"Line {asked.number} is for {asked.url}, and the batch is for {endpoint}",
                provider,
                "invalid_url",
            )
        first = first or asked
        if one_model and _own_name(asked.model, provider) != _own_name(first.model, provider):
            raise _mixed(
                f"Line {asked.number} is for the model {asked.model}, and line {first.number} for "
                f"{first.model}",
                provider,
                _MIXED_MODELS,
            )


def provider_in(source: Source, fallback: str) -> str:
    """Whose models all requests ask for; `fallback`'s where the first one's name tells none.

    Raises BadRequestError where a later one's is known to be another's.
    """
    provider: str | None = None
    for asked in _requests(source):
        split = split_model(asked.model) if asked.model else None
        found = split[0] if split else None
        provider = provider or found or fallback
        if found and found != provider:
            raise _mixed(
                f"Line {asked.number} is for {asked.model} of {found}", provider, _MIXED_MODELS
            )
    return provider or fallback


@contextmanager
def in_own_names(source: Source, provider: str) -> Iterator[Source]:
    """The same requests with models as their provider calls them; what has no prefix stays as it is."""
    prefix = f"{provider}/"
    if not any((asked.model or "").startswith(prefix) for asked in _requests(source)):
        yield source
        return
    with tempfile.TemporaryFile() as file, source.reader() as lines:
        file.writelines(_without_prefix(line, prefix) for line in lines)
        yield Source(file, source.filename)


def _without_prefix(line: bytes, prefix: str) -> bytes:
    request = read_json(line)
    body = _body_of(request)
    if body is None or not (_shown(body.get("model")) or "").startswith(prefix):
        return line
    body["model"] = body["model"].removeprefix(prefix)
    return orjson.dumps(request, option=orjson.OPT_APPEND_NEWLINE)


def _own_name(model: str | None, provider: str) -> str | None:
    return model.removeprefix(f"{provider}/") if model else model


def _requests(source: Source) -> Iterator[_Asked]:
    with source.reader() as lines:
        for number, line in enumerate(lines, 1):
            request = read_json(line)
            body = _body_of(request)
            if body is not None:
                yield _Asked(number, _shown(request.get("url")), _shown(body.get("model")))


def _body_of(request: Any) -> Body | None:
    body = request.get("body") if isinstance(request, dict) else None
    return body if isinstance(body, dict) else None


def _shown(value: Any) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) else None


def _mixed(found: str, provider: str, code: str) -> BadRequestError:
    error = bad_request(
        f"{found}: a batch at {provider} does not mix them. "
        + through_a_gateway("one file may have any mix"),
        "requests",
    )
    error.code = code
    return error
