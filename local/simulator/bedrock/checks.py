"""What Bedrock refuses: what botocore's own service model does not describe, and a few rules more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from botocore.model import StructureShape
from botocore.session import Session
from botocore.validate import ParamValidator

from local.simulator.bedrock.answers import OF_THE_PATH
from local.simulator.dialect import Json
from local.simulator.errors import ApiError

# Those of botocore's service model, which its validator leaves out.
_PATTERNS = {
    "jobName": re.compile(r"(?=.{1,63}$)[a-zA-Z0-9]+(-*[a-zA-Z0-9+.-])*"),
    "clientRequestToken": re.compile(r"(?=.{1,256}$)[a-zA-Z0-9]+(-*[a-zA-Z0-9])*"),
    "roleArn": re.compile(r"arn:aws(-[^:]+)?:iam::([0-9]{12})?:role/.+"),
}
_VALIDATION = {"x-amzn-errortype": "ValidationException"}


def check_converse(body: Json) -> None:
    """Raises ApiError. `model` and `stream` are of the path."""
    described = {name: value for name, value in body.items() if name not in OF_THE_PATH}
    validator, shape = _input_of("bedrock-runtime", "Converse")
    report = validator.validate({"modelId": body["model"], **described}, shape)
    if report.has_errors():
        raise refusal(report.generate_report())
    for message in _broken_rules(body):
        raise refusal(message)


def check_job(body: Json) -> None:
    """Raises ApiError, for what a job cannot be made of."""
    _check_shape("CreateModelInvocationJob", body)
    for name, pattern in _PATTERNS.items():
        if name in body and not pattern.fullmatch(body[name]):
            raise refusal(f"Value '{body[name]}' at '{name}' does not satisfy its pattern.")
    if not body["inputDataConfig"]["s3InputDataConfig"]["s3Uri"].endswith(".jsonl"):
        raise refusal("The input has to be a file whose name ends in .jsonl.")


def check_listing(query: Mapping[str, str]) -> None:
    """Raises ApiError; numbers and times come as texts in a query."""
    given: Json = {**query}
    if "maxResults" in given:
        given["maxResults"] = int(given["maxResults"])
    _check_shape("ListModelInvocationJobs", given)


def _check_shape(operation: str, given: Json) -> None:
    validator, shape = _input_of("bedrock", operation)
    unknown = given.keys() - shape.members.keys()
    report = validator.validate(given, shape)
    if unknown or report.has_errors():
        raise refusal(report.generate_report() or f"Unknown field: {min(unknown)}.")


def check_embeddings(body: Json) -> None:
    if ("inputText" in body) is ("texts" in body):
        raise refusal("Malformed input request, please reformat your input and try again.")
    if "texts" in body and not (body["texts"] and "input_type" in body):
        raise refusal("required key [input_type] not found")


def refusal(message: str) -> ApiError:
    return ApiError(400, message, headers=dict(_VALIDATION))


@cache
def _input_of(service: str, operation: str) -> tuple[ParamValidator, StructureShape]:
    shape = Session().get_service_model(service).operation_model(operation).input_shape
    assert shape
    return ParamValidator(), shape


def _broken_rules(body: Json) -> Iterator[str]:
    turns = body.get("messages") or []
    roles = [turn["role"] for turn in turns]
    if not roles or roles[0] != "user":
        yield "A conversation must start with a user message."
    if any(role == before for before, role in pairwise(roles)):
        yield "A conversation must alternate between user and assistant roles."
    blocks = [block for turn in turns for block in turn["content"]]
    if any("text" in block and not block["text"].strip() for block in blocks):
        yield "The text field in the ContentBlock object is blank."
    if any({"toolUse", "toolResult"} & block.keys() for block in blocks) and not body.get(
        "toolConfig"
    ):
        yield "The toolConfig field must be defined when using toolUse and toolResult content blocks."
