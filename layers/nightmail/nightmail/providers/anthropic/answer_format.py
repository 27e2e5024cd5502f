"""`response_format`: how the model is held to JSON.

- json_schema: Anthropic's structured outputs where the model has them, else a tool whose input is
  the answer, which the model has to use.
- json_object: Anthropic has no such mode, and a tool without a schema invites an empty object, so
  the model is told to.
"""

from __future__ import annotations

from dataclasses import dataclass

from nightmail.providers.anthropic.chat_request import AnthropicRequest
from nightmail.providers.anthropic.schema import supported_schema
from nightmail.providers.anthropic.tools import FORCED
from nightmail.providers.conversion.chat_request import ONLY_JSON
from nightmail.providers.direct import JsonObject

ANSWER_TOOL = "nightmail_structured_answer"


@dataclass(frozen=True, slots=True)
class AnswerFormat:
    """What a format adds to a request; at most one of the three."""

    instruction: str | None = None
    output_format: JsonObject | None = None
    tool: JsonObject | None = None


def to_answer_format(request: AnthropicRequest) -> AnswerFormat:
    """Raises InvalidRequest naming what is wrong in `response_format`."""
    kind = request.format()
    if kind == "text":
        return AnswerFormat()
    if kind == "json_object":
        return AnswerFormat(instruction=ONLY_JSON)
    return _held_to_schema(request)


def _held_to_schema(request: AnthropicRequest) -> AnswerFormat:
    described = request.described_schema()
    schema = described["schema"]
    if request.abilities.schemas:
        supported = supported_schema(schema, "response_format.json_schema.schema")
        return AnswerFormat(output_format={"type": "json_schema", "schema": supported})
    tool: JsonObject = {
        "name": ANSWER_TOOL,
        "description": described.get("description") or "Gives the answer to the user.",
        "input_schema": {**schema, "type": "object"},
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
