"""The lines of a file in OpenAI's form as the body of one of Anthropic's Message Batches."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from nightmail.batch import BatchError
from nightmail.deployment import Deployment
from nightmail.endpoints import CHAT
from nightmail.errors import InvalidRequest
from nightmail.library.anthropic_ids import carrying
from nightmail.library.exceptions import BadRequestError
from nightmail.library.failures import bad_request
from nightmail.library.mixture import check_alone
from nightmail.library.options import through_a_gateway
from nightmail.library.sources import Source
from nightmail.lines import Line, read_line
from nightmail.provider_names import split_model
from nightmail.providers.anthropic.batch_format import AnthropicFormat

PROVIDER = "anthropic"
_FILENAME = "requests.json"
_HEAD, _BETWEEN, _FOOT = b'{"requests":[', b",", b"]}"


@contextmanager
def converted(source: Source, *, drop_params: bool) -> Iterator[Source]:
    """The body, in a temporary file. Raises BadRequestError naming the first line that is wrong."""
    check_alone(source, CHAT, PROVIDER, one_model=False)
    with tempfile.TemporaryFile() as body:
        body.write(_HEAD)
        count = 0
        for count, line in enumerate(_lines(source), 1):
            body.write(_BETWEEN if count > 1 else b"")
            body.write(_request(line, drop_params=drop_params))
            _check_size(count, body.tell())
        if not count:
            raise bad_request("The file has no requests.", "requests")
        body.write(_FOOT)
        yield Source(body, _FILENAME)


def _check_size(count: int, size: int) -> None:
    limits = AnthropicFormat.limits
    if count > limits.lines or size > limits.bytes:
        raise bad_request(
            f"A batch at {PROVIDER} has up to {limits.lines} requests and {limits.bytes} bytes. "
            + through_a_gateway("a file is cut into as many batches as it takes"),
            "requests",
        )


def _lines(source: Source) -> Iterator[Line]:
    with source.reader() as lines:
        for number, content in enumerate(lines, 1):
            line = read_line(content, number, CHAT)
            if isinstance(line, BatchError):
                raise _wrong(number, line.message, line.param, line.code)
            if line:
                yield line


def _request(line: Line, *, drop_params: bool) -> bytes:
    _, model = split_model(line.model, PROVIDER) or (PROVIDER, line.model)
    try:
        written = _format(model, drop_params).to_line(line, carrying(line.number, line.custom_id))
    except InvalidRequest as error:
        raise _wrong(line.number, error.message, error.param, error.code) from error
    return written.removesuffix(b"\n")


@lru_cache(maxsize=128)
def _format(model: str, drop_params: bool) -> AnthropicFormat:  # noqa: FBT001 - a key of the cache
    return AnthropicFormat(
        Deployment(name=model, provider=PROVIDER, model=model, drop_params=drop_params)
    )


def _wrong(number: int, message: str, param: str | None, code: str | None) -> BadRequestError:
    error = bad_request(f"Line {number}: {message}", param or "requests")
    error.code = code
    return error
