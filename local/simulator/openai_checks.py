"""What OpenAI refuses, and how it says so. The wrongs that no shape tells are rules of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local.simulator.checking import Json, Wrong, first_wrong
from local.simulator.errors import (
    ApiError,
    invalid_type,
    invalid_value,
    missing_parameter,
    unknown_parameter,
)
from local.simulator.openai_shapes import REQUESTS

_KINDS = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a decimal",
    "bool_type": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
_REQUIRED = frozenset({"model", "messages", "prompt", "input"})
_SPOKEN = ("content", "refusal", "tool_calls", "function_call", "audio")


def check(path: str, body: Json, *, lenient: bool = False) -> None:
    """Raises ApiError, a 400. `lenient` lets unknown fields pass, as most compatible servers do."""
    if wrong := first_wrong(REQUESTS[path], body, lenient=lenient):
        raise _refusal(wrong)
    if path == "/chat/completions":
        for message, param in _broken_rules(body):
            raise ApiError(400, message, param=param)


def _refusal(wrong: Wrong) -> ApiError:
    name = _name(wrong.path)
    discriminator = str(wrong.context.get("discriminator")).strip("'")
    if wrong.kind == "missing" or (wrong.given is None and name in _REQUIRED):
        return missing_parameter(name)
    if wrong.kind == "union_tag_not_found":
        return missing_parameter(f"{name}.{discriminator}")
    if wrong.kind == "extra_forbidden":
        return unknown_parameter(name)
    if wrong.kind in _KINDS:
        return invalid_type(name, _KINDS[wrong.kind], wrong.given)
    return _invalid(wrong, name, discriminator)


def _invalid(wrong: Wrong, name: str, discriminator: str) -> ApiError:
    if wrong.kind == "union_tag_invalid":
        expected = [tag.strip("' ") for tag in str(wrong.context["expected_tags"]).split(",")]
        return invalid_value(f"{name}.{discriminator}", wrong.context["tag"], expected)
    message = f"Invalid '{name}': {wrong.message[:1].lower()}{wrong.message[1:]}."
    return ApiError(400, message, code="invalid_value", param=name)


def _name(path: tuple[str | int, ...]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(steps).removeprefix(".")


def _broken_rules(body: Json) -> Iterator[tuple[str, str]]:
    """A message and the parameter for each rule that is broken."""
    if body.get("stream_options") and not body.get("stream"):
        yield (
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
        )
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        yield "'top_logprobs' is only allowed when 'logprobs' is enabled.", "top_logprobs"
    if body.get("max_tokens") and body.get("max_completion_tokens"):
        yield (
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
        )
    yield from _broken_tool_rules(body)
    yield from _unanswered_calls(body["messages"])


def _broken_tool_rules(body: Json) -> Iterator[tuple[str, str]]:
    tools, choice = body.get("tools") or [], body.get("tool_choice")
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) is not None and not tools:
            yield f"'{name}' is only allowed when 'tools' are specified.", name
    names = {tool["function"]["name"] for tool in tools if tool["type"] == "function"}
    if isinstance(choice, dict) and choice["type"] == "function":
        wanted = choice["function"]["name"]
        if wanted not in names:
            yield f"Tool choice '{wanted}' not found in 'tools' parameter.", "tool_choice"


def _unanswered_calls(messages: list[Any]) -> Iterator[tuple[str, str]]:
    """Every call of a tool has its answer right behind it, and no answer is without a call."""
    open_ids: set[str] = set()
    for number, message in enumerate(messages):
        param = f"messages[{number}].role"
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_ids:
                yield (
                    "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
                    param,
                )
            open_ids.discard(message["tool_call_id"])
            continue
        if open_ids:
            break
        if message["role"] == "assistant":
            open_ids = {call["id"] for call in message.get("tool_calls") or []}
            if all(message.get(name) is None for name in _SPOKEN):
                text = "Invalid value for 'content': expected a string, got null."
                yield text, f"messages[{number}].content"
    if open_ids:
        missing = ", ".join(sorted(open_ids))
        message = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {missing}"
        )
        yield message, "messages"
