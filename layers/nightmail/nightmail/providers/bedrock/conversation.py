"""OpenAI's messages as Converse's system prompt and turns."""

from __future__ import annotations

import re
from typing import Any

from nightmail.parameters import invalid, required, wrong_type
from nightmail.providers.bedrock.content import PARTS
from nightmail.providers.conversion.conversation import (
    Conversation,
    called,
    thinking_blocks,
    tool_calls,
)
from nightmail.providers.direct import JsonObject

_FOREIGN = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST_ID = 64


class BedrockConversation(Conversation):
    provider = "bedrock"
    parts = PARTS

    def _add_answer(self, message: JsonObject, param: str) -> None:
        for name in ("audio", "function_call"):
            if message.get(name):
                raise invalid(f"{param}.{name}", "bedrock has no such thing.")
        thoughts = [_thought(block) for block in thinking_blocks(message, param)]
        calls = [_tool_use(call, place) for call, place in tool_calls(message, param)]
        self._say("assistant", thoughts + self._said(message, param) + calls, message)

    def _add_tool_result(self, message: JsonObject, param: str) -> None:
        place = f"{param}.tool_call_id"
        identity = _identity(required(message, "tool_call_id", place), place)
        content = self.parts.shown(message.get("content"), f"{param}.content")
        self._say("user", [{"toolResult": {"toolUseId": identity, "content": content}}], message)


def used_tools(turns: list[JsonObject]) -> list[str]:
    """The names of the tools that were called so far, each once."""
    blocks = (block for turn in turns for block in turn["content"])
    return list(dict.fromkeys(block["toolUse"]["name"] for block in blocks if "toolUse" in block))


def _thought(block: JsonObject) -> JsonObject:
    if block["type"] == "redacted_thinking":
        return {"reasoningContent": {"redactedContent": block.get("data")}}
    told = {"text": block.get("thinking") or "", "signature": block.get("signature")}
    kept = {name: value for name, value in told.items() if value is not None}
    return {"reasoningContent": {"reasoningText": kept}}


def _tool_use(call: JsonObject, param: str) -> JsonObject:
    identity = _identity(required(call, "id", f"{param}.id"), f"{param}.id")
    place = f"{param}.function"
    name, arguments = called(required(call, "function", place), place)
    return {"toolUse": {"toolUseId": identity, "name": name, "input": arguments}}


def _identity(value: Any, param: str) -> str:
    """A call's id in Converse's alphabet; the last characters of a long one tell it from others."""
    if not isinstance(value, str) or not value:
        raise wrong_type(value, param, "the id of a tool call")
    return _FOREIGN.sub("_", value)[-_LONGEST_ID:]
