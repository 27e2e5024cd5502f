"""The body of a batch whose requests are in it. It may have 256 MB, so that it is never parsed as a whole."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from local.simulator.dialect import Content, Json
from local.simulator.errors import ApiError

# What stands before the next bracket, strings included, and that bracket.
_STEP = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_IN_REQUESTS = 2  # brackets deep


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


def read_requests(
    content: Content, most: int, check: Callable[[Json, int], None]
) -> tuple[Requests, Json]:
    """The requests, and the body with an empty object in the place of each.

    `check` takes each of the first `most` requests and its number, from 0. Raises ApiError, a 400, for
    what is no JSON.
    """
    requests, outside, place = Requests(content), bytearray(), 0
    for start, end in _elements(content):
        outside += content[place:start] + b"{}"
        place = end
        requests.starts.append(start)
        requests.ends.append(end)
        if len(requests) <= most:
            check(_parsed(content[start:end]), len(requests) - 1)
    return requests, _parsed(bytes(outside) + content[place:])


def first_request(content: Content) -> tuple[Json, bytes]:
    """The first request, and what stands before it. Raises StopIteration, or orjson's error."""
    start, end = next(_elements(content))
    request: Json = orjson.loads(content[start:end])
    return request, content[:start]


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


def _parsed(content: bytes) -> Json:
    try:
        parsed = orjson.loads(content)
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise ApiError(400, "The request body is not a valid JSON object")
    return parsed
