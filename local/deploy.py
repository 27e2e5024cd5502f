"""Deploy a SAM template onto the emulator, as `sam deploy` would onto AWS.

Local folders that the template names (CodeUri, ContentUri, DefinitionUri) go into a bucket; the
emulator's CloudFormation does the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from local.build import function_archive, layer_archive

ARTIFACTS = "local-artifacts"


class DeployFailed(Exception):
    """The stack could not be created; the text says which resource, and why."""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs, and physical names by logical ids."""

    name: str
    outputs: dict[str, str]
    resources: dict[str, str]

    @property
    def functions(self) -> dict[str, str]:
        """Function names by logical ids."""
        return {name: value for name, value in self.resources.items() if name.endswith("Function")}


def deploy(
    template: Path, name: str, session: boto3.Session, parameters: dict[str, str], cache: Path
) -> Stack:
    """Create the stack and wait for it.

    `cache` keeps installed packages between deployments. Raises DeployFailed, or BuildFailed when
    a layer's packages cannot be installed.
    """
    document: dict[str, Any] = yaml_parse(template.read_text())
    uploads = _Uploads(session, template.parent, cache)
    uploads.rewrite(document)
    url = uploads.put_template(document)
    known = document.get("Parameters") or {}
    formation = session.client("cloudformation")
    try:
        formation.create_stack(
            StackName=name,
            TemplateURL=url,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in parameters.items()
                if key in known
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            OnFailure="DO_NOTHING",
        )
        formation.get_waiter("stack_create_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
    except (ClientError, WaiterError) as error:
        raise DeployFailed(_reason(session, name) or str(error)) from error
    return describe(name, session)


def describe(name: str, session: boto3.Session) -> Stack:
    formation = session.client("cloudformation")
    stack = formation.describe_stacks(StackName=name)["Stacks"][0]
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=name)
    return Stack(
        name=name,
        outputs={each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
        resources={
            each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
            for page in pages
            for each in page["StackResourceSummaries"]
        },
    )


def _reason(session: boto3.Session, name: str) -> str:
    """What the first failing resource said."""
    try:
        events = session.client("cloudformation").describe_stack_events(StackName=name)
    except ClientError:
        return ""
    failed = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in events["StackEvents"]
        if event["ResourceStatus"].endswith("FAILED")
    ]
    return failed[-1] if failed else ""


class _Uploads:
    """Puts what a template names on the host's disk where the emulator finds it."""

    def __init__(self, session: boto3.Session, root: Path, cache: Path) -> None:
        self._s3 = session.client("s3")
        self._root = root
        self._cache = cache
        self._s3.create_bucket(Bucket=ARTIFACTS)

    def rewrite(self, document: dict[str, Any]) -> None:
        for logical_id, resource in document["Resources"].items():
            properties = resource.get("Properties") or {}
            match resource["Type"]:
                case "AWS::Serverless::Function":
                    self._replace(properties, "CodeUri", logical_id, function_archive)
                case "AWS::Serverless::LayerVersion":
                    self._replace(properties, "ContentUri", logical_id, self._layer)
                case "AWS::Serverless::StateMachine" if "DefinitionUri" in properties:
                    self._replace(properties, "DefinitionUri", logical_id, Path.read_bytes)
                    key = properties["DefinitionUri"].removeprefix(f"s3://{ARTIFACTS}/")
                    properties["DefinitionUri"] = {"Bucket": ARTIFACTS, "Key": key}

    def put_template(self, document: dict[str, Any]) -> str:
        body = json.dumps(document, default=str).encode()
        self._s3.put_object(Bucket=ARTIFACTS, Key="template.json", Body=body)
        return f"{self._s3.meta.endpoint_url}/{ARTIFACTS}/template.json"

    def _layer(self, source: Path) -> bytes:
        return layer_archive(source, self._cache)

    def _replace(
        self, properties: dict[str, Any], name: str, key: str, archive: Callable[[Path], bytes]
    ) -> None:
        source = self._root / properties[name]
        if not source.exists():
            raise DeployFailed(f"{key} names {name} {properties[name]}, which does not exist")
        self._s3.put_object(Bucket=ARTIFACTS, Key=key, Body=archive(source))
        properties[name] = f"s3://{ARTIFACTS}/{key}"
