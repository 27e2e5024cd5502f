"""OpenAI's tools and their choice as Cohere's (https://docs.cohere.com/reference/chat, `tools`)."""

from __future__ import annotations

from typing import Any

from nightmail.errors import InvalidRequest
from nightmail.providers.cohere.fields import list_of, object_of, text_of, word_of
from nightmail.providers.direct import JsonObject

_NO_PARAMETERS = {"type": "object", "properties": {}}
# Where nothing is said the model chooses.
_WORDS = {"auto": None, "none": "NONE", "required": "REQUIRED"}


def to_tools(offered: Any, choice: Any) -> JsonObject:
    """`tools`, `tool_choice` and `strict_tools`, each where it is needed.

    Cohere lets no single tool be chosen: the others are not offered then, which comes to the same.
    Raises InvalidRequest that names the field.
    """
    entries = list_of(offered or [], "tools")
    tools = [_tool(entry, f"tools[{index}]") for index, entry in enumerate(entries)]
    word, names = _choice(choice)
    if names is not None:
        _check_offered(names, tools)
        tools = [tool for tool in tools if tool["function"]["name"] in names]
    fields: JsonObject = {"tools": tools} if tools else {}
    if any(entry["function"].get("strict") for entry in entries):
        fields["strict_tools"] = True
    return {**fields, "tool_choice": word} if word else fields


def _tool(entry: Any, place: str) -> JsonObject:
    word_of(object_of(entry, place).get("type"), f"{place}.type", ("function",))
    function = object_of(entry.get("function"), f"{place}.function")
    name = text_of(function.get("name"), f"{place}.function.name")
    parameters = function.get("parameters") or _NO_PARAMETERS
    object_of(parameters, f"{place}.function.parameters")
    described = {"description": function["description"]} if function.get("description") else {}
    return {"type": "function", "function": {"name": name, **described, "parameters": parameters}}


def _choice(choice: Any) -> tuple[str | None, frozenset[str] | None]:
    """Cohere's word, and the names of the tools that stay, None being all of them."""
    if choice is None or isinstance(choice, str):
        return _WORDS[word_of(choice or "auto", "tool_choice", _WORDS)], None
    kind = object_of(choice, "tool_choice").get("type")
    if word_of(kind, "tool_choice.type", ("function", "allowed_tools")) == "function":
        return "REQUIRED", frozenset([_name(choice, "tool_choice")])
    place = "tool_choice.allowed_tools"
    allowed = object_of(choice.get("allowed_tools"), place)
    tools = list_of(allowed.get("tools"), f"{place}.tools")
    names = [_name(tool, f"{place}.tools[{index}]") for index, tool in enumerate(tools)]
    return _WORDS[word_of(allowed.get("mode"), f"{place}.mode", _WORDS)], frozenset(names)


def _name(entry: Any, place: str) -> str:
    function = object_of(object_of(entry, place).get("function"), f"{place}.function")
    return text_of(function.get("name"), f"{place}.function.name")


def _check_offered(names: frozenset[str], tools: list[JsonObject]) -> None:
    missing = names - {tool["function"]["name"] for tool in tools}
    if missing:
        raise InvalidRequest(
            f"Invalid 'tool_choice': it names the tool '{min(missing)[:100]}', "
            "which is not in 'tools'.",
            param="tool_choice",
            code="invalid_value",
        )
