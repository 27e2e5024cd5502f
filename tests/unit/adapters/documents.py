"""The published descriptions of the providers' APIs: what lies in them is no part of this project."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SPECS = Path(os.environ.get("NIGHTMAIL_SPECS", Path(__file__).parents[4] / "shared" / "specs"))
_JSON = "application~1json"


def check_request(file: str, path: str, request: Any) -> None:
    """`request` is what a POST of `path` takes. Raises jsonschema's ValidationError."""
    place = path.replace("~", "~0").replace("/", "~1")
    _check(file, f"/paths/{place}/post/requestBody/content/{_JSON}/schema", request)


def check_schema(file: str, name: str, value: Any) -> None:
    """`value` is what the document calls `name`. Raises jsonschema's ValidationError."""
    _check(file, f"/components/schemas/{name}", value)


def _check(file: str, pointer: str, value: Any) -> None:
    version, registry = _document(file)
    # Not the validator for OpenAPI 3.1: it minds discriminators, which not all documents map.
    validator = OAS30Validator if version.startswith("3.0") else Draft202012Validator
    validator({"$ref": f"urn:{file}#{pointer}"}, registry=registry).validate(value)


@cache
def _document(file: str) -> tuple[str, Any]:
    if not (SPECS / file).is_file():
        pytest.skip(f"{file} is not here; NIGHTMAIL_SPECS may name its folder")
    document = yaml.load((SPECS / file).read_bytes(), yaml.CSafeLoader)
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    return str(document["openapi"]), Registry().with_resource(f"urn:{file}", resource)
