"""The lines of an input file: cut, read and checked one at a time. No line is an exception.

The checks, codes and messages are OpenAI's for batch input files; a line has at most one error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from nightmail.batch import BatchError
from nightmail.endpoints import CHAT, ENDPOINTS
from nightmail.parameters import DESTINATIONS, NO_DESTINATION

MAX_LINE_BYTES = 16 * 1024 * 1024
_MAX_MODEL_CHARACTERS = 512
# orjson reads up to 1024 levels and writes up to 254 (its documentation, "Deserialize" and "default").
_DEEP = 250
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * 19


class RawLine(NamedTuple):
    """A line without its newline. `end` is the offset of the byte behind the newline.

    `content` is None where the line is longer than it may be.
    """

    content: bytes | None
    end: int


@dataclass(frozen=True)
class Line:
    """One request of an input file; `number` is 1-based and counts blank lines too."""

    number: int
    custom_id: str
    url: str
    model: str
    body: dict[str, Any]


class _OpenLine:
    """The line whose newline has not come yet; what is over the limit is counted, not kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= self._limit:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def close(self) -> bytes | None:
        content = None if self.size > self._limit else b"".join(self._pieces)
        self._pieces, self.size = [], 0
        return content


def cut_lines(
    chunks: Iterable[bytes], start: int = 0, limit: int = sys.maxsize
) -> Iterator[RawLine]:
    """The lines of a stream that begins at offset `start`; no more than `limit` is kept of one."""
    end, line = start, _OpenLine(limit)
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            line.add(piece)
            end += line.size + 1
            yield RawLine(line.close(), end)
        line.add(rest)
    if line.size:
        end += line.size
        yield RawLine(line.close(), end)


def is_too_deep(content: bytes, entry: Any) -> bool:
    """Whether `entry`, read from `content`, has more levels than can be written again within our own:
    a list of answers, a batch's line, an outcome.
    """
    if content.count(b"[") + content.count(b"{") <= _DEEP:
        return False
    try:
        orjson.dumps([[[[entry]]]])
    except orjson.JSONEncodeError:
        return True
    return False


def _has_inexact_number(content: bytes, entry: Any) -> bool:
    """Whether `entry` has lost digits: orjson reads integers of more than 64 bits as floats."""
    return _MANY_DIGITS in content.translate(_DIGITS_ALIKE) and json.loads(content) != entry


def read_line(
    content: bytes | None, number: int, endpoint: str | None = None
) -> Line | BatchError | None:
    """The request in a line, what is wrong with it, or None for a blank one.

    It may be for any endpoint of a batch, or for `endpoint` alone.
    """
    if content is None:
        return _error(number, "line_too_long", None, f"A line takes up to {MAX_LINE_BYTES} bytes.")
    if not content.strip():
        return None
    try:
        entry = orjson.loads(content)
    except orjson.JSONDecodeError:
        return _not_json(number)
    if not isinstance(entry, dict):
        return _not_json(number)
    return (
        _check_faithful(content, entry, number)
        or _check_envelope(entry, number, endpoint)
        or _check_ours(entry["body"], number)
        or _check_body(entry, number)
    )


def _error(number: int, code: str, param: str | None, message: str) -> BatchError:
    return BatchError(code=code, message=message, param=param, line=number)


def _not_json(number: int) -> BatchError:
    return _error(number, "invalid_json_line", None, "This line is not parseable as valid JSON.")


def _wrong_type(number: int, param: str, expected: str, value: Any) -> BatchError:
    message = f"Invalid type for '{param}': expected {expected}, but got {_kind(value)} instead."
    return _error(number, "invalid_type", param, message)


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string"}
    kinds |= {list: "an array", dict: "an object", type(None): "null"}
    return kinds[type(value)]


def _check_faithful(content: bytes, entry: dict[str, Any], number: int) -> BatchError | None:
    """What was read has to be what can be sent on."""
    if _has_inexact_number(content, entry):
        message = "This line has a number with more digits than are kept."
        return _error(number, "invalid_json_line", None, message)
    if is_too_deep(content, entry):
        message = f"This line is nested too deeply: up to {_DEEP} levels are read."
        return _error(number, "invalid_json_line", None, message)
    return None


def _check_envelope(entry: dict[str, Any], number: int, endpoint: str | None) -> BatchError | None:
    for name in ("custom_id", "method", "url", "body"):
        if entry.get(name) in (None, ""):
            message = f"Missing required parameter: '{name}'."
            return _error(number, "missing_required_parameter", name, message)
    for name in ("custom_id", "method", "url"):
        if not isinstance(entry[name], str):
            return _wrong_type(number, name, "a string", entry[name])
    if not isinstance(entry["body"], dict):
        return _wrong_type(number, "body", "an object", entry["body"])
    if entry["method"] != "POST":
        return _error(number, "invalid_method", "method", "The only method is 'POST'.")
    return _check_url(entry["url"], number, endpoint)


def _check_url(url: str, number: int, endpoint: str | None) -> BatchError | None:
    if url == endpoint or (endpoint is None and url in ENDPOINTS):
        return None
    message = (
        "The URL provided for this request does not match the batch endpoint."
        if endpoint
        else f"The URL provided for this request is none of {', '.join(ENDPOINTS)}."
    )
    return _error(number, "invalid_url", "url", message)


def _check_ours(body: dict[str, Any], number: int) -> BatchError | None:
    """What is not OpenAI's: no provider may see it, and nobody is to believe that it was heeded."""
    for name in sorted(DESTINATIONS.intersection(body)):
        if body[name] is not None:
            message = f"'body.{name}' {NO_DESTINATION}. Leave it out."
            return _error(number, "unsupported_parameter", f"body.{name}", message)
    drops = body.get("drop_params")
    if drops is not None and not isinstance(drops, bool):
        return _wrong_type(number, "body.drop_params", "a boolean", drops)
    return None


def _check_body(entry: dict[str, Any], number: int) -> Line | BatchError:
    body = entry["body"]
    model = body.get("model")
    if model in (None, ""):
        return _error(number, "invalid_request", "body.model", "Model parameter is required.")
    if not isinstance(model, str):
        return _wrong_type(number, "body.model", "a string", model)
    if len(model) > _MAX_MODEL_CHARACTERS:
        message = f"A model's name has up to {_MAX_MODEL_CHARACTERS} characters."
        return _error(number, "invalid_request", "body.model", message)
    if body.get("stream"):
        message = "Streaming is not supported in the Batch API."
        return _error(number, "streaming_unsupported", "body.stream", message)
    if entry["url"] == CHAT and not body.get("messages"):
        message = "Messages parameter is required."
        return _error(number, "invalid_request", "body.messages", message)
    return Line(number, entry["custom_id"], entry["url"], model, body)
