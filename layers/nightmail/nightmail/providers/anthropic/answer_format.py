"""`response_format`: how the model is held to JSON.

- json_schema: Anthropic's structured outputs where the model has them, else a tool whose input is
  the answer, which the model has to use.
- json_object: Anthropic has no such mode, and a tool without a schema invites an empty object, so
  the model is told to.
"""

from __future__ import annotations

from dataclasses import dataclass

from nightmail.parameters import mapping, one_of, required
from nightmail.providers.anthropic.chat_request import ChatRequest
from nightmail.providers.anthropic.schema import supported_schema
from nightmail.providers.anthropic.tools import FORCED
from nightmail.providers.direct import JsonObject

ANSWER_TOOL = "nightmail_structured_answer"
_ONLY_JSON = "Answer with one JSON object and nothing else: no text around it, and no code fence."


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What a format adds to a request; at most one of the three."""

    instruction: str | None = None
    output_format: JsonObject | None = None
    tool: JsonObject | None = None


def to_answer_format(request: ChatRequest) -> AnswerFormat:
    """Raises InvalidRequest naming what is wrong in `response_format`."""
    if "response_format" not in request.given:
        return AnswerFormat()
    wanted = mapping(request.given["response_format"], "response_format")
    kind = one_of(
        required(wanted, "type", "response_format.type"),
        "response_format.type",
        ("text", "json_object", "json_schema"),
    )
    if kind == "text":
        return AnswerFormat()
    if kind == "json_object":
        return AnswerFormat(instruction=_ONLY_JSON)
    return _held_to_schema(request, wanted)


def _held_to_schema(request: ChatRequest, wanted: JsonObject) -> AnswerFormat:
    param = "response_format.json_schema"
    described = mapping(required(wanted, "json_schema", param), param)
    schema = required(described, "schema", f"{param}.schema")
    if request.abilities.schemas:
        supported = supported_schema(schema, f"{param}.schema")
        return AnswerFormat(output_format={"type": "json_schema", "schema": supported})
    tool: JsonObject = {
        "name": ANSWER_TOOL,
        "description": described.get("description") or "Gives the answer to the user.",
        "input_schema": {**mapping(schema, f"{param}.schema"), "type": "object"},
    }
    return AnswerFormat(tool=tool)


def with_answer_tool(
    answer: JsonObject, tools: list[JsonObject], choice: JsonObject | None
) -> tuple[list[JsonObject], JsonObject]:
    """Tools and choice that lead to the tool `answer`.

    A tool that the caller forces comes first: the answer follows in a later turn.
    """
    kind = choice["type"] if choice else "auto"
    if choice and kind in FORCED:
        return tools, choice
    if tools and kind == "auto":
        return [*tools, answer], {**(choice or {}), "type": "any"}
    return [*tools, answer], {"type": "tool", "name": ANSWER_TOOL}
