"""OpenAI's messages as Gemini's system instruction and contents.

The instructions of all system and developer messages come first, in their order. `name` of a
message has no counterpart and is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from nightmail.parameters import mapping, one_of, required, wrong_type
from nightmail.providers.direct import JsonObject
from nightmail.providers.gemini.content import invalid, string_in, to_parts, to_text

_TOLD = ("text",)
_SHOWN = ("text", "image_url", "input_audio", "file")
_SAID = ("text", "refusal")


class Conversation:
    """Instructions and contents; neighbours of one role are one content."""

    def __init__(self) -> None:
        self.instructions: list[JsonObject] = []
        self.contents: list[JsonObject] = []
        self._called: dict[str, str] = {}
        self._add_by_role: dict[str, Callable[[JsonObject, str], None]] = {
            "system": self._add_instruction,
            "developer": self._add_instruction,
            "user": self._add_question,
            "assistant": self._add_answer,
            "tool": self._add_result,
        }

    def add(self, message: Any, param: str) -> None:
        message = mapping(message, param)
        place = f"{param}.role"
        role = one_of(required(message, "role", place), place, tuple(self._add_by_role))
        self._add_by_role[role](message, param)

    def _add_instruction(self, message: JsonObject, param: str) -> None:
        self.instructions += to_parts(message.get("content"), f"{param}.content", _TOLD)

    def _add_question(self, message: JsonObject, param: str) -> None:
        self._say("user", to_parts(message.get("content"), f"{param}.content", _SHOWN))

    def _add_answer(self, message: JsonObject, param: str) -> None:
        said = to_parts(message.get("content"), f"{param}.content", _SAID)
        calls = message.get("tool_calls") or []
        if not isinstance(calls, list):
            raise wrong_type(calls, f"{param}.tool_calls", "an array")
        places = (f"{param}.tool_calls[{index}]" for index in range(len(calls)))
        self._say("model", said + [self._call(*each) for each in zip(calls, places, strict=True)])

    def _call(self, call: Any, param: str) -> JsonObject:
        """Its thoughts' signature stands where Gemini's own OpenAI-compatible endpoint puts it."""
        identity = string_in(mapping(call, param), "id", param)
        place = f"{param}.function"
        function = mapping(required(call, "function", place), place)
        name = self._called[identity] = string_in(function, "name", place)
        arguments = _arguments(function.get("arguments"), f"{place}.arguments")
        part: JsonObject = {"functionCall": {"id": identity, "name": name, "args": arguments}}
        signature = _signature(call)
        return {**part, "thoughtSignature": signature} if signature else part

    def _add_result(self, message: JsonObject, param: str) -> None:
        identity = string_in(message, "tool_call_id", param)
        if identity not in self._called:
            place = f"{param}.tool_call_id"
            raise invalid(place, "no assistant message before it has this call.")
        text = to_text(message.get("content"), f"{param}.content")
        answer = {"id": identity, "name": self._called[identity], "response": {"result": text}}
        self._say("user", [{"functionResponse": answer}])

    def _say(self, role: str, parts: list[JsonObject]) -> None:
        if not parts:
            return
        if self.contents and self.contents[-1]["role"] == role:
            self.contents[-1]["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": parts})


def to_conversation(messages: Any) -> Conversation:
    """Raises InvalidRequest naming what is wrong in `messages`."""
    if not isinstance(messages, list):
        raise wrong_type(messages, "messages", "an array of messages")
    conversation = Conversation()
    for index, message in enumerate(messages):
        conversation.add(message, f"messages[{index}]")
    if not conversation.contents:
        raise invalid("messages", "gemini answers to at least one user message with content.")
    return conversation


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


def _signature(call: JsonObject) -> str | None:
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) else None
