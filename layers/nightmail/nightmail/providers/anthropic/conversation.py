"""OpenAI's messages as Anthropic's system prompt and turns."""

from __future__ import annotations

import re
from typing import Any

from nightmail.parameters import invalid, required, wrong_type
from nightmail.providers.anthropic.content import PARTS
from nightmail.providers.conversion.conversation import (
    Conversation,
    called,
    thinking_blocks,
    tool_calls,
)
from nightmail.providers.conversion.parts import Pieces
from nightmail.providers.direct import JsonObject

_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


class AnthropicConversation(Conversation):
    """It knows functions, which came before tools, too."""

    provider = "anthropic"
    parts = PARTS

    def __init__(self) -> None:
        super().__init__()
        self._add_by_role["function"] = self._add_function_result
        self._function_ids: dict[str, str] = {}

    def _add_answer(self, message: JsonObject, param: str) -> None:
        if message.get("audio"):
            raise invalid(f"{param}.audio", "anthropic has no audio.")
        blocks = thinking_blocks(message, param) + self._said(message, param)
        blocks += _tool_uses(message, param)
        if message.get("function_call"):
            blocks.append(self._function_use(message["function_call"], f"{param}.function_call"))
        self._say("assistant", blocks, message)

    def _function_use(self, call: Any, param: str) -> JsonObject:
        block = _tool_use(param, call, param)  # a call of this old kind has no id
        self._function_ids[block["name"]] = block["id"]
        return block

    def _add_tool_result(self, message: JsonObject, param: str) -> None:
        place = f"{param}.tool_call_id"
        self._add_result(_identity(required(message, "tool_call_id", place), place), message, param)

    def _add_function_result(self, message: JsonObject, param: str) -> None:
        name = required(message, "name", f"{param}.name")
        if not isinstance(name, str) or name not in self._function_ids:
            raise invalid(f"{param}.name", "no assistant message before it calls this function.")
        self._add_result(self._function_ids[name], message, param)

    def _add_result(self, identity: str, message: JsonObject, param: str) -> None:
        result: JsonObject = {"type": "tool_result", "tool_use_id": identity}
        if content := self.parts.shown(message.get("content"), f"{param}.content"):
            result["content"] = content
        self._say("user", [result], message)


def used_tools(turns: list[JsonObject]) -> list[str]:
    """The names of the tools that were called so far, each once."""
    blocks = (block for turn in turns for block in turn["content"])
    return list(dict.fromkeys(block["name"] for block in blocks if block["type"] == "tool_use"))


def awaits_thoughts(turns: list[JsonObject]) -> bool:
    """Whether the model goes on after tool results without the thoughts that led to the calls.

    A model that thinks by budget refuses to think then (Anthropic, "Extended thinking with tools").
    """
    last, before = turns[-1]["content"], turns[-2]["content"] if turns[1:] else []
    resumes = any(block["type"] == "tool_result" for block in last)
    return resumes and not any("thinking" in block["type"] for block in before)


def _tool_uses(message: JsonObject, param: str) -> Pieces:
    blocks: Pieces = []
    for call, place in tool_calls(message, param):
        identity = required(call, "id", f"{place}.id")
        function = required(call, "function", f"{place}.function")
        blocks += PARTS.mark([_tool_use(identity, function, f"{place}.function")], call)
    return blocks


def _tool_use(identity: Any, function: Any, param: str) -> JsonObject:
    name, arguments = called(function, param)
    return {
        "type": "tool_use",
        "id": _identity(identity, f"{param}.id"),
        "name": name,
        "input": arguments,
    }


def _identity(value: Any, param: str) -> str:
    """A call's id in Anthropic's alphabet: other providers' ids have dots and colons in them."""
    if not isinstance(value, str) or not value:
        raise wrong_type(value, param, "the id of a tool call")
    return _FOREIGN.sub("_", value)
