"""Who says whether an answer of the API is right: this project's own schemas, or OpenAPI documents."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest
import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from tests.contract.api_gateway import Exchange
from tests.template import ROOT, Json

SHAPES = Path(__file__).parent / "fixtures" / "shapes.schema.json"
SPECS = Path(os.environ.get("NIGHTMAIL_SPECS", ROOT.parent / "shared" / "specs"))
RELAXED = "openai.relaxed.openapi.yaml"  # for answers: it allows the nulls that OpenAI sends
TRIMMED = "openai.trimmed.openapi.yaml"  # for requests
_JSON = "application/json"
_SHAPES_OF_ROUTES = {
    "POST /batch_completion": "AnswersOrBatch",
    "POST /batch_completion_models": "ChatCompletion",
    "POST /batch_completion_models_all_responses": "Answers",
    "POST /chat/completions": "ChatAnswer",
    "POST /embeddings": "Embeddings",
    "POST /files": "File",
    "GET /files": "FileList",
    "GET /files/{}": "File",
    "DELETE /files/{}": "DeletedFile",
    "POST /uploads": "Upload",
    "POST /uploads/{}/parts": "Part",
    "GET /uploads/{}/urls": "PartUrls",
    "POST /uploads/{}/complete": "Upload",
    "POST /uploads/{}/cancel": "Upload",
    "POST /batches": "Batch",
    "GET /batches": "BatchList",
    "GET /batches/{}": "Batch",
    "POST /batches/{}/cancel": "Batch",
    "POST /batches/{}/retry": "Batch",
    "GET /models": "ModelList",
    "GET /models/{}": "Model",
}


class Oracle(Protocol):
    """`schema_of` answers the schema of a JSON answer; None where the oracle knows of none."""

    def schema_of(self, exchange: Exchange) -> Json | None: ...

    def check(self, schema: Json, value: Any) -> None:
        """Raises jsonschema's ValidationError."""


def check_exchanges(oracle: Oracle, exchanges: list[Exchange]) -> None:
    """Every JSON answer is as the oracle says, and none is without its request's id."""
    assert exchanges
    for exchange in exchanges:
        assert exchange.answered.header("x-request-id")
        schema = oracle.schema_of(exchange)
        if exchange.answered.header("content-type") == _JSON and schema:
            oracle.check(schema, exchange.answered.json)


def specification(name: str) -> Path:
    """A published document; skips the test where it is not here."""
    if not (SPECS / name).is_file():
        pytest.skip(f"{name} is not here; NIGHTMAIL_SPECS may name its folder")
    return SPECS / name


class OwnShapes:
    """The schemas of this project's own."""

    def __init__(self) -> None:
        self._schemas: Json = json.loads(SHAPES.read_text())

    def schema_of(self, exchange: Exchange) -> Json | None:
        name = _SHAPES_OF_ROUTES.get(_operation(exchange) or "")
        name = "Error" if exchange.answered.status >= 400 else name
        return {"$ref": f"#/$defs/{name}"} if name else None

    def check(self, schema: Json, value: Any) -> None:
        OAS31Validator({**self._schemas, **schema}).validate(value)

    def check_line(self, name: str, line: Json) -> None:
        """Hold a line of a result file against `output_line` or `error_line`."""
        self.check({"$ref": f"#/$defs/{name}"}, line)


class OpenApiDocument:
    """An OpenAPI 3.1 document; `error` names the schema of every answer that is an error."""

    def __init__(self, document: Json, error: str) -> None:
        resource: Resource[Any] = Resource.from_contents(document, DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource("urn:document", resource)
        self._error = {"$ref": f"urn:document#/components/schemas/{error}"}
        self._responses = document["components"].get("responses", {})
        self._operations = {
            f"{method.upper()} {_anonymous(path)}": operation
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if method != "parameters"
        }

    @property
    def operations(self) -> set[str]:
        """Such as `GET /files/{}`."""
        return set(self._operations)

    def schema_of(self, exchange: Exchange) -> Json | None:
        if exchange.answered.status >= 400:
            return self._error
        operation = self._operations.get(_operation(exchange) or "", {"responses": {}})
        answer = operation["responses"].get(str(exchange.answered.status), {})
        name = answer.get("$ref", "").rpartition("/")[2]
        return _schema(self._responses.get(name, answer))

    def request_schema_of(self, exchange: Exchange) -> Json | None:
        """The schema of a JSON request."""
        operation = self._operations.get(_operation(exchange) or "", {})
        return _schema(operation.get("requestBody", {}))

    def check(self, schema: Json, value: Any) -> None:
        OAS31Validator(_absolute(schema), registry=self._registry).validate(value)


@cache
def openai_document(name: str) -> OpenApiDocument:
    """OpenAI's own, where it is here."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(specification(name).read_text(), loader)  # a safe one
    return OpenApiDocument(document, "ErrorResponse")


def json_requests(exchanges: list[Exchange]) -> Iterator[Exchange]:
    """Those that carried JSON and were not refused."""
    for exchange in exchanges:
        if exchange.asked.header("content-type") == _JSON and exchange.answered.status < 400:
            yield exchange


def _operation(exchange: Exchange) -> str | None:
    route = exchange.route
    return f"{route.method} {_anonymous(route.path)}" if route else None


def _anonymous(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _schema(message: Json) -> Json | None:
    schema: Json | None = message.get("content", {}).get(_JSON, {}).get("schema")
    return schema


def _absolute(schema: Any) -> Any:
    """References to the document's own root, made references to the document."""
    if isinstance(schema, list):
        return [_absolute(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: f"urn:document{value}"
        if name == "$ref" and value.startswith("#")
        else _absolute(value)
        for name, value in schema.items()
    }
