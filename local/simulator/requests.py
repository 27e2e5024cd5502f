"""Reading requests, and answering them in OpenAI's shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from local.simulator.errors import ApiError, invalid_type, out_of_range
from local.simulator.simulator import Simulator


class Listed(Protocol):
    @property
    def id(self) -> str: ...

    def to_object(self) -> dict[str, Any]: ...


AListed = TypeVar("AListed", bound=Listed)


def simulator_of(request: Request) -> Simulator:
    return cast("Simulator", request.app.state.simulator)


def json_response(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def error_response(error: ApiError) -> Response:
    response = json_response(error.envelope(), error.status)
    response.headers.update(error.headers)
    return response


async def give_up(_: Request, __: Exception) -> Response:
    """Nobody reads this answer to an upload that broke off; the status is nginx's word for it."""
    return Response(status_code=499)


async def json_body(request: Request) -> dict[str, Any]:
    """Raises ApiError, a 400, for a body that is not a JSON object."""
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise ApiError(400, "The body of this request is not valid JSON.") from None
    if not isinstance(body, dict):
        raise invalid_type("body", "an object", body)
    return body


def page(items: Sequence[AListed], request: Request, *, default: int, most: int) -> Response:
    """A page of a list: the query's `limit` items that come after the item `after`.

    Raises ApiError, a 400, for a limit that is not allowed or an item that is not in the list.
    """
    limit, start = _limit(request, default, most), 0
    if after := request.query_params.get("after"):
        places = [place for place, item in enumerate(items, start=1) if item.id == after]
        if not places:
            raise ApiError(400, f"There is no '{after}' in this list.", param="after")
        start = places[0]
    shown = [item.to_object() for item in items[start : start + limit]]
    return json_response(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(items) > start + limit,
        }
    )


def _limit(request: Request, default: int, most: int) -> int:
    given = request.query_params.get("limit", str(default))
    if not given.isdecimal() or not 1 <= int(given) <= most:
        raise out_of_range("limit", 1, most)
    return int(given)
