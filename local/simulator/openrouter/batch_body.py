"""The body of a batch's creation: https://openrouter.ai/docs/batch-quickstart."""

from __future__ import annotations

from typing import Annotated, Literal

import orjson
from pydantic import Field

from local.simulator.checking import ABSENT, Json, Shape, first_wrong
from local.simulator.dialect import Content
from local.simulator.errors import ApiError
from local.simulator.inline_requests import Requests, first_request
from local.simulator.inline_requests import read_requests as read

_FIRST = ("endpoint", "model")


class BatchedRequest(Shape):
    custom_id: Annotated[str, Field(min_length=1)]
    body: Json


class BatchRequest(Shape):
    endpoint: Literal["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"]
    model: Annotated[str, Field(min_length=1)]
    completion_window: Literal["24h"] = ABSENT
    requests: Annotated[list[Json], Field(min_length=1)]


def read_requests(content: Content, most: int) -> tuple[Requests, Json]:
    """With the rest of the body. Raises ApiError, a 400; the requests' bodies are not looked into."""
    custom_ids, models = set[str](), set[str]()

    def check(request: Json, number: int) -> None:
        if wrong := first_wrong(BatchedRequest, request):
            raise ApiError(400, f"requests[{number}]: {wrong.message}")
        if request["custom_id"] in custom_ids:
            raise ApiError(400, f"requests[{number}].custom_id has to be unique")
        custom_ids.add(request["custom_id"])
        models.add(str(request["body"].get("model")))

    requests, body = read(content, most, check)
    if wrong := first_wrong(BatchRequest, body):
        raise ApiError(400, f"{'.'.join(map(str, wrong.path))}: {wrong.message}")
    if any(list(body).index(name) > list(body).index("requests") for name in _FIRST):
        raise ApiError(400, "endpoint and model have to come before requests")
    if len(requests) > most:
        raise ApiError(400, f"A batch takes up to {most} requests.")
    if models - {body["model"], "None"}:
        raise ApiError(400, "The model of a request has to be that of its batch.")
    return requests, body


def first_model(content: Content) -> str | None:
    """The batch's, which comes before its requests."""
    try:
        _, head = first_request(content)
        return str(orjson.loads(head + b"]}")["model"])
    except (StopIteration, orjson.JSONDecodeError, KeyError):
        return None
