"""The body of a batch's creation, held against Anthropic's shapes."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field

from local.simulator.anthropic.checks import sentence
from local.simulator.checking import Json, Shape, first_wrong
from local.simulator.dialect import Content
from local.simulator.errors import ApiError
from local.simulator.inline_requests import Requests, first_request
from local.simulator.inline_requests import read_requests as read


class BatchedRequest(Shape):
    custom_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    params: Json


class BatchRequest(Shape):
    requests: Annotated[list[Json], Field(min_length=1)]


def read_requests(content: Content, most: int) -> Requests:
    """Raises ApiError, a 400, for what is wrong with the outer shape; `params` are not looked into."""
    custom_ids = set[str]()

    def check(request: Json, number: int) -> None:
        if wrong := first_wrong(BatchedRequest, request):
            raise ApiError(400, f"requests.{number}.{sentence(wrong)}")
        if request["custom_id"] in custom_ids:
            raise ApiError(400, f"requests.{number}.custom_id: must be unique in a batch")
        custom_ids.add(request["custom_id"])

    requests, body = read(content, most, check)
    if wrong := first_wrong(BatchRequest, body):
        raise ApiError(400, sentence(wrong))
    if len(body["requests"]) > most:
        raise ApiError(400, f"requests: List should have at most {most} items")
    return requests


def first_model(content: Content) -> str | None:
    """The model of the first request, by which a fault may choose a batch."""
    try:
        request, _ = first_request(content)
        return str(request["params"]["model"])
    except (StopIteration, orjson.JSONDecodeError, KeyError, TypeError):
        return None
