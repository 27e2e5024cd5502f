"""`template.yaml` as the tests read it: as it is written, and as CloudFormation gets it from SAM."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

Json = dict[str, Any]

ROOT = Path(__file__).parents[1]
API = "Api"
AUTHORIZER = "AuthorizerFunction"
LAMBDA = "AWS::Serverless::Function"


@dataclass(frozen=True)
class Route:
    """One method of the API: its path as API Gateway writes it, and the function's logical id."""

    method: str
    path: str
    function: str
    needs_key: bool


@cache
def written() -> Json:
    """The template; `!Ref` and its like are mappings such as `{"Fn::GetAtt": ["Table", "Arn"]}`."""
    template: Json = yaml_parse((ROOT / "template.yaml").read_text())
    return template


@cache
def translated() -> Json:
    """Plain CloudFormation, with the roles and permissions that SAM makes."""
    template = copy.deepcopy(written())
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        for name in {"CodeUri", "ContentUri"} & properties.keys():
            properties[name] = "s3://bucket/key"
        if "DefinitionUri" in properties:
            properties["DefinitionUri"] = {"Bucket": "bucket", "Key": "key"}
    parameters = {name: each.get("Default", "") for name, each in template["Parameters"].items()}
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name="us-east-1"))
    plain: Json = translator.translate(template, parameters)
    return plain


def resources(kind: str) -> dict[str, Json]:
    """The properties of all resources of this type, by logical id, as they are written."""
    return {
        name: each.get("Properties", {})
        for name, each in written()["Resources"].items()
        if each["Type"] == kind
    }


def folder_of(function: str) -> str:
    """The folder under `functions/` of a function's logical id."""
    code: str = written()["Resources"][function]["Properties"]["CodeUri"]
    return code.removeprefix("functions/")


def routes() -> Iterator[Route]:
    """Every route of the API."""
    for function, properties in resources(LAMBDA).items():
        for event in properties.get("Events", {}).values():
            if event["Type"] == "Api":
                given = event["Properties"]
                needs_key = given.get("Auth", {}).get("Authorizer") != "NONE"
                yield Route(given["Method"], given["Path"], function, needs_key)
