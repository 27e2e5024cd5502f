"""What Gemini refuses. The wrongs that no shape tells are rules of their own."""

from __future__ import annotations

from collections.abc import Iterator

from local.simulator.checking import Json, Shape, first_wrong
from local.simulator.errors import ApiError
from local.simulator.gemini.shapes import BatchEmbedRequest, GenerateRequest

_KINDS = ("text", "inlineData", "fileData", "functionCall", "functionResponse")


def check_chat(body: Json) -> None:
    """Raises ApiError, a 400, for what is wrong."""
    _check_shape(GenerateRequest, body)
    for message in _broken_rules(body):
        raise ApiError(400, message)


def check_embeddings(body: Json) -> None:
    _check_shape(BatchEmbedRequest, body)
    if any(each["model"] != f"models/{body['model']}" for each in body["requests"]):
        raise ApiError(400, "The model in the requests must match the one in the URL.")


def _check_shape(shape: type[Shape], body: Json) -> None:
    if wrong := first_wrong(shape, body):
        place = ".".join(str(step) for step in wrong.path)
        raise ApiError(400, f"Invalid value at '{place}': {wrong.message}")


def _broken_rules(body: Json) -> Iterator[str]:
    contents = [*body["contents"], body.get("systemInstruction") or {"parts": []}]
    for part in (part for content in contents for part in content["parts"]):
        if sum(kind in part for kind in _KINDS) != 1:
            yield "A part must have exactly one of its kinds of data."
    tools = [each for tool in body.get("tools") or [] for each in tool["functionDeclarations"]]
    declared = {tool["name"] for tool in tools}
    if len(declared) < len(tools):
        yield "Duplicate function declaration found."
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if calling.get("mode") == "ANY" and not declared:
        yield "Function calling config is set without function_declarations."
    if not declared.issuperset(calling.get("allowedFunctionNames") or []):
        yield "allowed_function_names must be a subset of the declared functions."
    if calling.get("allowedFunctionNames") and calling.get("mode") != "ANY":
        yield "allowed_function_names is only supported with the mode ANY."
    yield from _generation_rules(body.get("generationConfig") or {})
    yield from _turn_rules(body["contents"])


def _generation_rules(config: Json) -> Iterator[str]:
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "response_json_schema is only supported with the mime type application/json."
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield "logprobs may only be set if response_logprobs is true."
    thinking = config.get("thinkingConfig") or {}
    if {"thinkingBudget", "thinkingLevel"} <= thinking.keys():
        yield "You can only set one of thinking budget and thinking level."


def _turn_rules(contents: list[Json]) -> Iterator[str]:
    """As many answers of functions follow as there were calls, right behind them."""
    calls = 0
    for content in contents:
        answers = sum("functionResponse" in part for part in content["parts"])
        if answers != calls:
            yield (
                "Please ensure that the number of function response parts is equal to the number "
                "of function call parts of the function call turn."
            )
        calls = sum("functionCall" in part for part in content["parts"])
