"""The lines of an input file: cut, read and checked one at a time. No line is an exception.

The checks, codes and messages are OpenAI's for batch input files; a line has at most one error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from nightmail.batch import BatchError

MAX_LINE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class RawLine:
    """A line without its newline. `end` is the offset of the byte behind the newline.

    `content` is None where the line is longer than MAX_LINE_BYTES.
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


def cut_lines(
    chunks: Iterable[bytes], start: int = 0, limit: int = MAX_LINE_BYTES
) -> Iterator[RawLine]:
    """The lines of a stream that begins at offset `start`; no more than `limit` is kept of one."""
    end, carry, too_long = start, b"", False
    for chunk in chunks:
        *whole, rest = (carry + chunk).split(b"\n")
        for content in whole:
            end += len(content) + 1
            yield RawLine(None if too_long or len(content) > limit else content, end)
            too_long = False
        if len(rest) > limit:
            end, rest, too_long = end + len(rest), b"", True
        carry = rest
    if carry or too_long:
        yield RawLine(None if too_long else carry, end + len(carry))


def read_line(content: bytes | None, number: int, endpoint: str) -> Line | BatchError | None:
    """The request in a line, what is wrong with it, or None for a blank one."""
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
    return _check_envelope(entry, number, endpoint) or _check_body(entry, number)


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


def _check_envelope(entry: dict[str, Any], number: int, endpoint: str) -> BatchError | None:
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
    if entry["url"] != endpoint:
        message = "The URL provided for this request does not match the batch endpoint."
        return _error(number, "invalid_url", "url", message)
    return None


def _check_body(entry: dict[str, Any], number: int) -> Line | BatchError:
    body = entry["body"]
    model = body.get("model")
    if model in (None, ""):
        return _error(number, "invalid_request", "body.model", "Model parameter is required.")
    if not isinstance(model, str):
        return _wrong_type(number, "body.model", "a string", model)
    if body.get("stream"):
        message = "Streaming is not supported in the Batch API."
        return _error(number, "streaming_unsupported", "body.stream", message)
    if entry["url"] == "/v1/chat/completions" and not body.get("messages"):
        message = "Messages parameter is required."
        return _error(number, "invalid_request", "body.messages", message)
    return Line(number, entry["custom_id"], entry["url"], model, body)
