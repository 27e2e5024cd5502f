"""`GET /openapi.json` tells of every route of the template, and of no other."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from nightmail.api.openapi import api_document
from openapi_spec_validator import validate

from functions.openapi.handler import handler
from tests import template
from tests.contract.api_gateway import ApiGateway, Asked
from tests.contract.conftest import MASTER_KEY
from tests.contract.gateway_server import GatewayServer
from tests.template import ROOT, Json, Route
from tests.unit.gateway import ask

EVENT = "events/openapi.document"
METHODS = {"get", "post", "delete", "put", "patch"}


def documented() -> dict[tuple[str, str], Json]:
    """The document's operations by method and path."""
    return {
        (method.upper(), path): operation
        for path, operations in api_document("/v1")["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }


def plain(path: str) -> str:
    """OpenAPI knows no greedy parameters."""
    return path.replace("+}", "}")


def test_it_is_a_valid_openapi_document() -> None:
    validate(api_document("/v1"))


def test_it_has_the_routes_of_the_template() -> None:
    routes = {(route.method, plain(route.path)) for route in template.routes()}

    assert set(documented()) == routes


def test_it_says_which_routes_need_a_key() -> None:
    for route in template.routes():
        needs_key = documented()[route.method, plain(route.path)].get("security") != []
        assert needs_key == route.needs_key


def test_it_names_every_parameter_of_a_path() -> None:
    document = api_document("/v1")
    for path, operations in document["paths"].items():
        given = json.dumps(operations)
        for name in re.findall(r"\{(\w+)\}", path):
            assert f'"#/components/parameters/{name}"' in given or f'"name": "{name}"' in given


def test_every_operation_tells_of_errors() -> None:
    for operation in documented().values():
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}


def test_it_needs_no_key(server: GatewayServer) -> None:
    with httpx.Client(trust_env=False) as nobody:
        answer = nobody.get(f"{server.url}/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json() == api_document("/v1")


@pytest.mark.parametrize(
    ("asked", "base"),
    [("/v1/openapi.json", "/v1"), ("/llm/v1/openapi.json", "/llm/v1"), ("/openapi.json", "/")],
)
def test_its_server_is_where_it_was_asked_for(asked: str, base: str) -> None:
    event = json.loads((ROOT / f"{EVENT}.json").read_text())
    event["requestContext"]["path"] = asked

    assert ask(handler, event).json["servers"] == [{"url": base}]


def test_the_function_answers_its_event_as_expected() -> None:
    event = json.loads((ROOT / f"{EVENT}.json").read_text())
    expected = json.loads((ROOT / f"{EVENT}.expected.json").read_text())
    answer = ask(handler, event)

    assert answer.status == expected["statusCode"]
    assert answer.json | json.loads(expected["body"]) == answer.json


@pytest.mark.parametrize(
    "route", list(template.routes()), ids=lambda route: f"{route.method} {route.path}"
)
def test_every_route_is_served_by_its_function(gateway: ApiGateway, route: Route) -> None:
    path = re.sub(r"\{\w+\+?\}", "some-id", route.path)
    headers = [("authorization", f"Bearer {MASTER_KEY}")]

    answer = gateway.answer(Asked(route.method, f"/v1{path}", headers))

    assert gateway.exchanges[0].route == route
    assert b"Invalid URL" not in answer.body
    assert answer.status < 500
