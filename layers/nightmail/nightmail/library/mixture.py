"""What a provider's own batch does not take: refused before anything is sent, with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from nightmail.library.backend import Body
from nightmail.library.exceptions import BadRequestError
from nightmail.library.failures import bad_request
from nightmail.library.options import through_a_gateway
from nightmail.library.sources import Source
from nightmail.provider_names import split_model
from nightmail.providers.json_text import read_json

_LONGEST = 512


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
        if one_model and asked.model != first.model:
            raise _mixed(
                f"Line {asked.number} is for the model {asked.model}, and line {first.number} for "
                f"{first.model}",
                provider,
                "mismatched_model",
            )


def provider_in(source: Source) -> str | None:
    """Whose model the first request asks for, where that is known."""
    first = next(_requests(source), None)
    split = split_model(first.model) if first and first.model else None
    return split[0] if split else None


def _requests(source: Source) -> Iterator[_Asked]:
    with source.reader() as lines:
        for number, line in enumerate(lines, 1):
            request = read_json(line)
            body = request.get("body") if isinstance(request, dict) else None
            if isinstance(body, dict):
                yield _Asked(number, _shown(request.get("url")), _shown(body.get("model")))


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
