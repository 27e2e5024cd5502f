"""The body of a batch's creation. It may have 256 MB, so that it is never parsed as a whole."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated

import orjson
from pydantic import Field

from local.simulator.anthropic.checks import sentence
from local.simulator.checking import Json, Shape, first_wrong
from local.simulator.dialect import Content
from local.simulator.errors import ApiError

# What stands before the next bracket, strings included, and that bracket.
_STEP = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_IN_REQUESTS = 2  # brackets deep


class BatchedRequest(Shape):
    custom_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    params: Json


class BatchRequest(Shape):
    requests: Annotated[list[Json], Field(min_length=1)]


@dataclass(slots=True)
class Requests:
    """Where each request of a body stands: 16 bytes for each, and not its object."""

    content: Content
    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, place: int) -> Json:
        request: Json = orjson.loads(self.content[self.starts[place] : self.ends[place]])
        return request


def read_requests(content: Content, most: int) -> Requests:
    """Raises ApiError, a 400, for what is wrong with the outer shape; `params` are not looked into."""
    requests, custom_ids, outside = Requests(content), set[str](), bytearray()
    place = 0
    for start, end in _elements(content):
        outside += content[place:start] + b"{}"
        place = end
        requests.starts.append(start)
        requests.ends.append(end)
        if len(requests) <= most:
            _check(content[start:end], len(requests) - 1, custom_ids)
    _check_outside(bytes(outside) + content[place:], most)
    return requests


def first_model(content: Content) -> str | None:
    """The model of the first request, by which a fault may choose a batch."""
    try:
        start, end = next(_elements(content))
        return str(orjson.loads(content[start:end])["params"]["model"])
    except (StopIteration, orjson.JSONDecodeError, KeyError, TypeError):
        return None


def _elements(content: Content) -> Iterator[tuple[int, int]]:
    """Where each object begins and ends that is an element of a list in the outermost object."""
    depth, place, start = 0, 0, 0
    while step := _STEP.match(content, place):
        place = step.end()
        if step[1] in b"{[":
            if depth == _IN_REQUESTS:
                start = place - 1
            depth += 1
        else:
            depth -= 1
            if depth == _IN_REQUESTS and content[start : start + 1] == b"{":
                yield start, place


def _check(content: bytes, number: int, custom_ids: set[str]) -> None:
    request = _parsed(content)
    if wrong := first_wrong(BatchedRequest, request):
        raise ApiError(400, f"requests.{number}.{sentence(wrong)}")
    if request["custom_id"] in custom_ids:
        raise ApiError(400, f"requests.{number}.custom_id: must be unique in a batch")
    custom_ids.add(request["custom_id"])


def _check_outside(content: bytes, most: int) -> None:
    """Takes the body with `{}` in the place of each request."""
    body = _parsed(content)
    if wrong := first_wrong(BatchRequest, body):
        raise ApiError(400, sentence(wrong))
    if len(body["requests"]) > most:
        raise ApiError(400, f"requests: List should have at most {most} items")


def _parsed(content: bytes) -> Json:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiError(400, "The request body is not a valid JSON object")
    return parsed
