"""The check of a batch's input file: any error fails the batch before a line of it runs."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from typing import Any, NamedTuple

import orjson

from local.simulator.call_faults import UnknownModel
from local.simulator.openai_batches import OpenAIBatch

_LINES_AT_ONCE = 500
_ROUTED = ("custom_id", "method", "url", "body")
_BARE = ("custom_id", "body")

LineError = dict[str, Any]


class InvalidInput(Exception):
    """A batch fails, and why."""

    def __init__(self, errors: list[LineError]) -> None:
        super().__init__(errors)
        self.errors = errors


class Limits(NamedTuple):
    """The most that one batch may have."""

    lines: int
    bytes: int


@dataclass(slots=True)
class Checked:
    """What the check found: the errors, or the offset of every line, and their one model.

    Offsets, not lines: a file of 50,000 lines and 200 MB takes 400 kB.
    """

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    errors: list[LineError] = field(default_factory=list)
    model: str | None = None


def batch_error(
    code: str, message: str, param: str | None = None, line: int | None = None
) -> LineError:
    return {"code": code, "message": message, "param": param, "line": line}


async def check(batch: OpenAIBatch, file: BufferedReader, *, most_lines: int) -> Checked:
    """Read the whole file once, as a stream, and give the event loop a turn now and then."""
    checked = Checked()
    custom_ids: set[str] = set()
    offset = 0
    for number, line in enumerate(file, start=1):
        if number > most_lines:
            message = f"The batch has more than the allowed {most_lines} requests."
            checked.errors = [batch_error("too_many_tasks", message)]
            return checked
        if line.strip() or not _is_last(file):
            checked.offsets.append(offset)
            checked.errors += _errors_of(line, number, batch, checked, custom_ids)
        offset += len(line)
        if number % _LINES_AT_ONCE == 0:
            await asyncio.sleep(0)
    if not checked.offsets:
        message = (
            "The input file is empty. Please ensure that the batch contains at least one request."
        )
        checked.errors = [batch_error("empty_file", message)]
    return checked


def _is_last(file: BufferedReader) -> bool:
    return not file.peek(1)


def _errors_of(
    line: bytes, number: int, batch: OpenAIBatch, checked: Checked, custom_ids: set[str]
) -> list[LineError]:
    """At most one error: OpenAI tells one for each line."""
    try:
        parsed = orjson.loads(line)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        message = "This line is not parseable as valid JSON."
        return [batch_error("invalid_json_line", message, None, number)]
    found = next(_faults_of(parsed, batch, checked, custom_ids), None)
    return [batch_error(*found, number)] if found else []


def _faults_of(
    line: dict[str, Any], batch: OpenAIBatch, checked: Checked, custom_ids: set[str]
) -> Iterator[tuple[str, str, str]]:
    """Code, message and param of each thing that is wrong with a line."""
    for name in _ROUTED if batch.lines_have_routes else _BARE:
        if not line.get(name):
            yield "missing_required_parameter", f"Missing required parameter: '{name}'.", name
    custom_id = str(line["custom_id"])
    if custom_id in custom_ids:
        message = (
            f"The custom_id '{custom_id}' for this request is a duplicate of another request. "
            "The custom_id parameter must be unique for each request in a batch."
        )
        yield "duplicate_custom_id", message, "custom_id"
    custom_ids.add(custom_id)
    if batch.lines_have_routes and line["method"] != "POST":
        yield "invalid_method", "Only the method POST is supported.", "method"
    if batch.lines_have_routes and line["url"] != batch.endpoint:
        message = "The URL provided for this request does not match the batch endpoint."
        yield batch.wrong_url, message, "url"
    yield from _faults_of_body(line["body"], batch, checked)


def _faults_of_body(
    body: Any, batch: OpenAIBatch, checked: Checked
) -> Iterator[tuple[str, str, str]]:
    if not isinstance(body, dict):
        yield "invalid_request", "The body must be a JSON object.", "body"
        return
    model = body.get("model")
    if not model:
        yield "invalid_request", "Model parameter is required.", "body.model"
    checked.model = checked.model or model
    if model != checked.model:
        message = (
            f"The model '{model}' for this request does not match the rest of the batch. "
            "Each batch must contain requests for a single model."
        )
        yield "mismatched_model", message, "body.model"
    if batch.faults.get(UnknownModel):
        message = f"The provided model '{model}' is not supported by the Batch API."
        yield "model_not_found", message, "body.model"
    if batch.endpoint.endswith("/chat/completions") and not body.get("messages"):
        yield "invalid_request", "Messages parameter is required.", "body.messages"
    if body.get("stream"):
        message = "Chat Completions: Streaming is not supported in the Batch API."
        yield "streaming_unsupported", message, "body.stream"
