"""`template.yaml` as the tests read it: as it is written, and as CloudFormation gets it from SAM."""

from __future__ import annotations

import copy
import re
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
MACHINE = "AWS::Serverless::StateMachine"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "nightmail",
}
NAMED_BY_ARN = {MACHINE, "AWS::SecretsManager::Secret", "AWS::SNS::Topic"}
ARN_PARTS = {LAMBDA: "lambda:@:function", MACHINE: "states:@:stateMachine"}


@dataclass(frozen=True)
class Route:
    """One method of the API: its path as API Gateway writes it, and the function's logical id.

    `streams` says that the function writes its answer as a stream.
    """

    method: str
    path: str
    function: str
    needs_key: bool
    streams: bool


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


def translated_resources(kind: str) -> dict[str, Json]:
    """The same as CloudFormation gets them."""
    return {
        name: each["Properties"]
        for name, each in translated()["Resources"].items()
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
                streams = given.get("ResponseTransferMode") == "RESPONSE_STREAM"
                yield Route(given["Method"], given["Path"], function, needs_key, streams)


def resolved(value: Any) -> Any:
    """A value with its references filled in, as in a stack called `nightmail` without parameters.

    A name that nobody has chosen is the logical id.
    """
    match value:
        case {"Ref": name}:
            return _reference(name)
        case {"Fn::GetAtt": [name, "Arn"]}:
            return _arn(name)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{_arn(name)}/{attribute}"
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([\w:.]+)\}", lambda match: _substitute(match[1]), text)
    return value


def _substitute(name: str) -> str:
    logical, _, attribute = name.partition(".")
    found = {"Fn::GetAtt": [logical, attribute]} if attribute else {"Ref": name}
    return str(resolved(found))


def _reference(name: str) -> Any:
    if name in PSEUDO_PARAMETERS:
        return PSEUDO_PARAMETERS[name]
    if name in written()["Parameters"]:
        return written()["Parameters"][name].get("Default", "")
    is_arn = written()["Resources"][name]["Type"] in NAMED_BY_ARN
    return _arn(name) if is_arn else _name(name)


def _name(logical: str) -> str:
    properties = written()["Resources"][logical].get("Properties", {})
    return str(resolved(properties.get("FunctionName", properties.get("Name", logical))))


def _arn(logical: str) -> str:
    kind = written()["Resources"][logical]["Type"]
    if kind == "AWS::S3::Bucket":
        return f"arn:aws:s3:::{logical}"
    service = ARN_PARTS.get(kind, kind.lower().replace("::", ":"))
    return f"arn:aws:{service.replace('@', 'us-east-1:123456789012')}:{_name(logical)}"
