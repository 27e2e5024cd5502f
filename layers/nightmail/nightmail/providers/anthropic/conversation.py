"""OpenAI's messages as Anthropic's system prompt and turns.

The instructions of all system and developer messages come first, in their order. `name` of a
message has no counterpart and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from nightmail.errors import InvalidRequest
from nightmail.parameters import mapping, one_of, required, wrong_type
from nightmail.providers.anthropic.chat_request import invalid
from nightmail.providers.anthropic.content import text_blocks, to_blocks, with_cache_control
from nightmail.providers.direct import JsonObject

_TOLD = ("text",)
_SHOWN = ("text", "image_url", "file")
_SAID = ("text", "refusal")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
# The first turn has to be the user's; one that says as little as possible.
_OPENING = {"role": "user", "content": text_blocks(".")}


class Conversation:
    """System prompt and turns; neighbours of one role are one turn."""

    def __init__(self) -> None:
        self.system: list[JsonObject] = []
        self.turns: list[JsonObject] = []
        self._function_ids: dict[str, str] = {}
        self._add_by_role: dict[str, Callable[[JsonObject, str], None]] = {
            "system": self._add_instruction,
            "developer": self._add_instruction,
            "user": self._add_question,
            "assistant": self._add_answer,
            "tool": self._add_tool_result,
            "function": self._add_function_result,
        }

    def add(self, message: Any, param: str) -> None:
        message = mapping(message, param)
        place = f"{param}.role"
        role = one_of(required(message, "role", place), place, tuple(self._add_by_role))
        self._add_by_role[role](message, param)

    def _add_instruction(self, message: JsonObject, param: str) -> None:
        blocks = to_blocks(message.get("content"), f"{param}.content", _TOLD)
        self.system += with_cache_control(blocks, message)

    def _add_question(self, message: JsonObject, param: str) -> None:
        blocks = to_blocks(message.get("content"), f"{param}.content", _SHOWN)
        self._say("user", with_cache_control(blocks, message))

    def _add_answer(self, message: JsonObject, param: str) -> None:
        if message.get("audio"):
            raise invalid(f"{param}.audio", "anthropic has no audio.")
        said = to_blocks(message.get("content"), f"{param}.content", _SAID)
        if not said and isinstance(refusal := message.get("refusal"), str):
            said = text_blocks(refusal)
        blocks = _thoughts(message, param) + said + _tool_uses(message, param)
        if message.get("function_call"):
            blocks.append(self._function_use(message["function_call"], f"{param}.function_call"))
        self._say("assistant", with_cache_control(blocks, message))

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
        if content := to_blocks(message.get("content"), f"{param}.content", _SHOWN):
            result["content"] = content
        self._say("user", with_cache_control([result], message))

    def _say(self, role: str, blocks: list[JsonObject]) -> None:
        if not blocks:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += blocks
        else:
            self.turns.append({"role": role, "content": blocks})


def to_conversation(messages: Any) -> Conversation:
    """Raises InvalidRequest naming what is wrong in `messages`."""
    if not isinstance(messages, list):
        raise wrong_type(messages, "messages", "an array of messages")
    conversation = Conversation()
    for index, message in enumerate(messages):
        conversation.add(message, f"messages[{index}]")
    if not conversation.turns:
        raise InvalidRequest(
            "Invalid 'messages': anthropic answers to at least one user message with content.",
            param="messages",
            code="invalid_value",
        )
    if conversation.turns[0]["role"] != "user":
        conversation.turns.insert(0, _OPENING)
    _trim(conversation.turns[-1])
    return conversation


def _trim(turn: JsonObject) -> None:
    """What the model is to go on with may not end in white space."""
    block = turn["content"][-1]
    if turn["role"] == "assistant" and block["type"] == "text":
        block["text"] = block["text"].rstrip()


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


def _thoughts(message: JsonObject, param: str) -> list[JsonObject]:
    """`thinking_blocks`, as an answer of ours gave them."""
    blocks = message.get("thinking_blocks") or []
    if not isinstance(blocks, list):
        raise wrong_type(blocks, f"{param}.thinking_blocks", "an array")
    for index, block in enumerate(blocks):
        place = f"{param}.thinking_blocks[{index}]"
        kind = required(mapping(block, place), "type", f"{place}.type")
        one_of(kind, f"{place}.type", ("thinking", "redacted_thinking"))
    return list(blocks)


def _tool_uses(message: JsonObject, param: str) -> list[JsonObject]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise wrong_type(calls, f"{param}.tool_calls", "an array")
    blocks: list[JsonObject] = []
    for index, call in enumerate(calls):
        place = f"{param}.tool_calls[{index}]"
        one_of(mapping(call, place).get("type", "function"), f"{place}.type", ("function",))
        identity = required(call, "id", f"{place}.id")
        function = required(call, "function", f"{place}.function")
        block = _tool_use(identity, function, f"{place}.function")
        blocks += with_cache_control([block], call)
    return blocks


def _tool_use(identity: Any, function: Any, param: str) -> JsonObject:
    name = required(mapping(function, param), "name", f"{param}.name")
    if not isinstance(name, str):
        raise wrong_type(name, f"{param}.name", "a string")
    arguments = _arguments(function.get("arguments"), f"{param}.arguments")
    return {
        "type": "tool_use",
        "id": _identity(identity, f"{param}.id"),
        "name": name,
        "input": arguments,
    }


def _arguments(text: Any, param: str) -> JsonObject:
    if text is None or text == "":
        return {}
    try:
        arguments = orjson.loads(text) if isinstance(text, str) else None
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise invalid(param, "expected the text of a JSON object.")
    return arguments


def _identity(value: Any, param: str) -> str:
    """A call's id in Anthropic's alphabet: other providers' ids have dots and colons in them."""
    if not isinstance(value, str) or not value:
        raise wrong_type(value, param, "the id of a tool call")
    return _FOREIGN.sub("_", value)
