"""OpenAI's messages as Converse's system prompt and turns.

The instructions of all system and developer messages come first, in their order. `name` of a
message has no counterpart and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from nightmail.parameters import mapping, one_of, required, wrong_type
from nightmail.providers.bedrock.chat_request import invalid
from nightmail.providers.bedrock.content import text_blocks, to_blocks, with_cache_point
from nightmail.providers.direct import JsonObject

_TOLD = ("text",)
_SHOWN = ("text", "image_url", "file")
_SAID = ("text", "refusal")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID = 64
# The first turn has to be the user's; one that says as little as possible.
_OPENING = {"role": "user", "content": text_blocks(".")}


class Conversation:
    """System prompt and turns; neighbours of one role are one turn."""

    def __init__(self) -> None:
        self.system: list[JsonObject] = []
        self.turns: list[JsonObject] = []
        self._add_by_role: dict[str, Callable[[JsonObject, str], None]] = {
            "system": self._add_instruction,
            "developer": self._add_instruction,
            "user": self._add_question,
            "assistant": self._add_answer,
            "tool": self._add_tool_result,
        }

    def add(self, message: Any, param: str) -> None:
        message = mapping(message, param)
        place = f"{param}.role"
        role = one_of(required(message, "role", place), place, tuple(self._add_by_role))
        self._add_by_role[role](message, param)

    def _add_instruction(self, message: JsonObject, param: str) -> None:
        blocks = to_blocks(message.get("content"), f"{param}.content", _TOLD)
        self.system += with_cache_point(blocks, message)

    def _add_question(self, message: JsonObject, param: str) -> None:
        blocks = to_blocks(message.get("content"), f"{param}.content", _SHOWN)
        self._say("user", with_cache_point(blocks, message))

    def _add_answer(self, message: JsonObject, param: str) -> None:
        for name in ("audio", "function_call"):
            if message.get(name):
                raise invalid(f"{param}.{name}", "bedrock has no such thing.")
        said = to_blocks(message.get("content"), f"{param}.content", _SAID)
        if not said and isinstance(refusal := message.get("refusal"), str):
            said = text_blocks(refusal)
        blocks = _thoughts(message, param) + said + _tool_uses(message, param)
        self._say("assistant", with_cache_point(blocks, message))

    def _add_tool_result(self, message: JsonObject, param: str) -> None:
        place = f"{param}.tool_call_id"
        identity = _identity(required(message, "tool_call_id", place), place)
        content = to_blocks(message.get("content"), f"{param}.content", _SHOWN)
        result = {"toolResult": {"toolUseId": identity, "content": content}}
        self._say("user", with_cache_point([result], message))

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
        raise invalid("messages", "bedrock answers to at least one user message with content.")
    if conversation.turns[0]["role"] != "user":
        conversation.turns.insert(0, _OPENING)
    _trim(conversation.turns[-1])
    return conversation


def _trim(turn: JsonObject) -> None:
    """What the model is to go on with may not end in white space."""
    block = turn["content"][-1]
    if turn["role"] == "assistant" and "text" in block:
        block["text"] = block["text"].rstrip()


def used_tools(turns: list[JsonObject]) -> list[str]:
    """The names of the tools that were called so far, each once."""
    blocks = (block for turn in turns for block in turn["content"])
    return list(dict.fromkeys(block["toolUse"]["name"] for block in blocks if "toolUse" in block))


def _thoughts(message: JsonObject, param: str) -> list[JsonObject]:
    """`thinking_blocks`, as an answer of ours gave them."""
    blocks = message.get("thinking_blocks") or []
    if not isinstance(blocks, list):
        raise wrong_type(blocks, f"{param}.thinking_blocks", "an array")
    return [
        _thought(mapping(block, f"{param}.thinking_blocks[{index}]"), f"{param}.thinking_blocks")
        for index, block in enumerate(blocks)
    ]


def _thought(block: JsonObject, param: str) -> JsonObject:
    kind = one_of(block.get("type"), f"{param}.type", ("thinking", "redacted_thinking"))
    if kind == "redacted_thinking":
        return {"reasoningContent": {"redactedContent": block.get("data")}}
    told = {"text": block.get("thinking") or "", "signature": block.get("signature")}
    kept = {name: value for name, value in told.items() if value is not None}
    return {"reasoningContent": {"reasoningText": kept}}


def _tool_uses(message: JsonObject, param: str) -> list[JsonObject]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise wrong_type(calls, f"{param}.tool_calls", "an array")
    return [_tool_use(call, f"{param}.tool_calls[{index}]") for index, call in enumerate(calls)]


def _tool_use(call: Any, param: str) -> JsonObject:
    one_of(mapping(call, param).get("type", "function"), f"{param}.type", ("function",))
    identity = _identity(required(call, "id", f"{param}.id"), f"{param}.id")
    place = f"{param}.function"
    function = mapping(required(call, "function", place), place)
    name = required(function, "name", f"{place}.name")
    if not isinstance(name, str):
        raise wrong_type(name, f"{place}.name", "a string")
    arguments = _arguments(function.get("arguments"), f"{place}.arguments")
    return {"toolUse": {"toolUseId": identity, "name": name, "input": arguments}}


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
    """A call's id in Converse's alphabet; the last characters of a long one tell it from others."""
    if not isinstance(value, str) or not value:
        raise wrong_type(value, param, "the id of a tool call")
    return _FOREIGN.sub("_", value)[-_LONGEST_ID:]
