"""OpenAI's messages as instructions and turns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self

import orjson

from nightmail.parameters import invalid, mapping, one_of, required, string_in, wrong_type
from nightmail.providers.conversion.parts import Parts, Pieces
from nightmail.providers.direct import JsonObject


class Conversation(ABC):
    """Instructions, and turns of which no two neighbours have the same role.

    The instructions of all system and developer messages come first, in their order. `name` of a
    message has no counterpart and is left out.
    """

    provider: ClassVar[str]
    parts: ClassVar[Parts]
    content: ClassVar[str] = "content"
    """The field of a turn that holds its pieces."""

    def __init__(self) -> None:
        self.instructions: Pieces = []
        self.turns: list[JsonObject] = []
        self._add_by_role: dict[str, Callable[[JsonObject, str], None]] = {
            "system": self._add_instruction,
            "developer": self._add_instruction,
            "user": self._add_question,
            "assistant": self._add_answer,
            "tool": self._add_tool_result,
        }

    @classmethod
    def of(cls, messages: Any) -> Self:
        """Raises InvalidRequest naming what is wrong in `messages`."""
        if not isinstance(messages, list):
            raise wrong_type(messages, "messages", "an array of messages")
        conversation = cls()
        for index, message in enumerate(messages):
            conversation._add(message, f"messages[{index}]")
        if not conversation.turns:
            lacks = f"{cls.provider} answers to at least one user message with content."
            raise invalid("messages", lacks)
        conversation._complete()
        return conversation

    def _complete(self) -> None:
        """The first turn has to be the user's, here one that says as little as possible, and what the
        model is to go on with may not end in white space.
        """
        if self.turns[0]["role"] != "user":
            self.turns.insert(0, {"role": "user", self.content: self.parts.text(".")})
        last = self.turns[-1]
        piece = last[self.content][-1]
        if last["role"] != "user" and isinstance(text := piece.get("text"), str):
            piece["text"] = text.rstrip()

    def _add(self, message: Any, param: str) -> None:
        message = mapping(message, param)
        place = f"{param}.role"
        role = one_of(required(message, "role", place), place, self._add_by_role)
        self._add_by_role[role](message, param)

    def _add_instruction(self, message: JsonObject, param: str) -> None:
        told = self.parts.told(message.get("content"), f"{param}.content")
        self.instructions += self.parts.mark(told, message)

    def _add_question(self, message: JsonObject, param: str) -> None:
        shown = self.parts.shown(message.get("content"), f"{param}.content")
        self._say("user", shown, message)

    @abstractmethod
    def _add_answer(self, message: JsonObject, param: str) -> None:
        """Of the model's."""

    @abstractmethod
    def _add_tool_result(self, message: JsonObject, param: str) -> None:
        """Of a tool's, which is said by the user."""

    def _said(self, message: JsonObject, param: str) -> Pieces:
        """The model's words, which may be those of a refusal."""
        said = self.parts.said(message.get("content"), f"{param}.content")
        refusal = message.get("refusal")
        return self.parts.text(refusal) if not said and isinstance(refusal, str) else said

    def _say(self, role: str, pieces: Pieces, source: JsonObject) -> None:
        """`pieces` with the mark of their message, `source`."""
        if not pieces:
            return
        marked = self.parts.mark(pieces, source)
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1][self.content] += marked
        else:
            self.turns.append({"role": role, self.content: marked})


def tool_calls(message: JsonObject, param: str) -> Iterator[tuple[JsonObject, str]]:
    """The calls of an assistant's message, each with its path."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise wrong_type(calls, f"{param}.tool_calls", "an array")
    for index, call in enumerate(calls):
        place = f"{param}.tool_calls[{index}]"
        one_of(mapping(call, place).get("type", "function"), f"{place}.type", ("function",))
        yield call, place


def called(function: Any, param: str) -> tuple[str, JsonObject]:
    """The name and the arguments of a function that was called."""
    name = string_in(mapping(function, param), "name", param)
    return name, _arguments(function.get("arguments"), f"{param}.arguments")


def thinking_blocks(message: JsonObject, param: str) -> list[JsonObject]:
    """The thoughts of an assistant's message, as an answer of ours gave them."""
    blocks = message.get("thinking_blocks") or []
    if not isinstance(blocks, list):
        raise wrong_type(blocks, f"{param}.thinking_blocks", "an array")
    for index, block in enumerate(blocks):
        place = f"{param}.thinking_blocks[{index}]"
        kind = required(mapping(block, place), "type", f"{place}.type")
        one_of(kind, f"{place}.type", ("thinking", "redacted_thinking"))
    return list(blocks)


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
